/** Partners and terms that were changed, by the clock. */
import { randomUUIDv7 } from 'node:crypto'
import { ApplicationFailure } from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { taskQueue, workflowIds } from '../../domain/process-names.ts'
import { agreementChanged } from '../../workflows/contract.ts'
import { termsReacceptance } from '../../workflows/terms.ts'
import { inTurn, startSkipping, steppedWorker } from '../support/processes.ts'

const day = 86_400

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await startSkipping()
})
afterAll(() => env.teardown())

async function start() {
  const [termsId, partnerId] = [randomUUIDv7(), randomUUIDv7()]
  const reminders = [7 * day, 14 * day, 21 * day]
  return env.client.workflow.start(termsReacceptance, {
    workflowId: workflowIds.terms(termsId, partnerId),
    taskQueue,
    args: [{ termsId, partnerId, notice: 30 * day, reminders }],
  })
}

const answersOf = (worker: Awaited<ReturnType<typeof steppedWorker>>) =>
  worker.calls.filter(({ step }) => step === 'markTermsAnswer').map(({ input }) => input.status)

const mailsOf = (worker: Awaited<ReturnType<typeof steppedWorker>>) =>
  worker.calls.filter(({ step }) => step === 'mailTerms').map(({ input }) => input.kind)

describe('new terms', () => {
  it('that are signed are kept, and nobody is reminded', async () => {
    const worker = await steppedWorker(env, { readTerms: () => 'completed' })
    await worker.runUntil(async () => {
      const handle = await start()
      await handle.signal(agreementChanged)
      expect(await handle.result()).toBe('accepted')
    })
    expect(worker.steps()).toEqual(['sendTerms', 'readTerms', 'storeSignedTerms'])
    expect(mailsOf(worker)).toEqual(['terms_changed'])
  })

  it('are reminded of three times, held for on day 30, and end nobody: a late yes counts', async () => {
    let signed = false
    const worker = await steppedWorker(env, { readTerms: () => (signed ? 'completed' : 'sent') })
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('sendTerms')
      await env.sleep('45 days')
      expect((await handle.describe()).status.name).toBe('RUNNING')
      signed = true
      await handle.signal(agreementChanged)
      expect(await handle.result()).toBe('accepted')
    })
    expect(answersOf(worker)).toEqual(['overdue'])
    expect(mailsOf(worker)).toEqual([
      'terms_changed',
      ...['terms_reminder', 'terms_reminder', 'terms_reminder'],
      'terms_overdue',
    ])
    const sent = worker.calls.find(({ step }) => step === 'sendTerms')?.at ?? 0
    const held = worker.calls.find(({ step }) => step === 'markTermsAnswer')?.at ?? 0
    expect(Math.round((held - sent) / 1000 / day)).toBe(30)
  })

  it.each([
    ['declined', 'declined', ['terms_changed', 'terms_overdue']],
    ['voided', 'superseded', ['terms_changed']],
  ] as const)(
    'that are %s leave the partner with its earlier ones',
    async (state, status, mailed) => {
      const worker = await steppedWorker(env, { readTerms: inTurn(state) })
      await worker.runUntil(async () => {
        const handle = await start()
        await handle.signal(agreementChanged)
        expect(await handle.result()).toBe(status)
      })
      expect(answersOf(worker)).toEqual([status])
      expect(mailsOf(worker)).toEqual(mailed)
      expect(worker.steps()).not.toContain('storeSignedTerms')
    },
  )

  it('that were signed while the message was lost are found by the next reminder', async () => {
    const worker = await steppedWorker(env, { readTerms: () => 'completed' })
    expect(await worker.runUntil(async () => (await start()).result())).toBe('accepted')
    expect(mailsOf(worker)).toEqual(['terms_changed'])
  })

  it('that the vendor refuses to send are shown to a person, and told once they are out', async () => {
    let fitting = false
    const worker = await steppedWorker(env, {
      sendTerms: () => {
        if (fitting) return 'sent'
        throw ApplicationFailure.create({ type: 'vendor_refused', nonRetryable: true })
      },
      markTermsStuck: () => ({ isWanted: true }),
      readTerms: () => 'completed',
    })
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('markTermsStuck')
      await env.sleep('36 hours')
      expect(mailsOf(worker)).toEqual([])
      fitting = true
      await handle.signal(agreementChanged)
      expect(await handle.result()).toBe('accepted')
    })
    expect(mailsOf(worker)).toEqual(['terms_changed'])
    expect(answersOf(worker)).toEqual([])
  })

  it('of which nobody knows whether they went out are held against nobody', async () => {
    const worker = await steppedWorker(env, {
      sendTerms: () => 'uncertain',
      markTermsStuck: () => ({ isWanted: true }),
    })
    expect(await worker.runUntil(async () => (await start()).result())).toBe('uncertain')
    expect([mailsOf(worker), answersOf(worker)]).toEqual([[], []])
  })

  it('that somebody withdrew at the vendor are sent again, and held for all the same', async () => {
    const worker = await steppedWorker(env, {
      sendTerms: () => 'sent',
      readTerms: inTurn('voided', 'sent', 'sent', 'completed'),
      markTermsAnswer: (({ status }: { status: string }) => status !== 'superseded') as never,
    })
    await worker.runUntil(async () => {
      const handle = await start()
      await handle.signal(agreementChanged)
      await worker.ran('sendTerms', 2)
      expect(await handle.result()).toBe('accepted')
    })
    const sent = worker.calls.filter(({ step }) => step === 'sendTerms')
    expect(sent.map(({ input }) => input.attempt)).toEqual([1, 2])
    expect(mailsOf(worker)).toEqual(['terms_changed', 'terms_reminder', 'terms_reminder'])
  })
})
