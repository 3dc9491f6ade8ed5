/** The agreement of an application: every way in which it is signed, or not, by the clock. */
import { randomUUIDv7 } from 'node:crypto'
import { ApplicationFailure } from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { deadlinesSchema } from '../../db/programme-settings.ts'
import { onboardingDeadlines } from '../../domain/onboarding.ts'
import { taskQueue, workflowIds } from '../../domain/process-names.ts'
import {
  agreementChanged,
  type OnboardingInput,
  onboardingState,
  resendAgreement,
} from '../../workflows/contract.ts'
import { partnerOnboarding } from '../../workflows/onboarding.ts'
import { refusalOf } from '../support/onboarding-process.ts'
import { inTurn, type StandIns, startSkipping, steppedWorker } from '../support/processes.ts'
import { until } from '../support/until.ts'

const day = 86_400_000
const deadlines = onboardingDeadlines(deadlinesSchema.parse({}))

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await startSkipping()
})
afterAll(() => env.teardown())

async function start(own = deadlines) {
  const applicationId = randomUUIDv7()
  const input: OnboardingInput = { applicationId, parentId: null, deadlines: own }
  return env.client.workflow.start(partnerOnboarding, {
    workflowId: workflowIds.onboarding(applicationId),
    taskQueue,
    args: [input],
  })
}

/** The vendor is away, and is asked again after this time. */
const away = (nextRetryDelay: '15 hours') => () => {
  const type = 'vendor_unknown'
  throw ApplicationFailure.create({ type, message: 'docusign: away', nextRetryDelay })
}

const stepping = (...answers: (() => unknown)[]) => {
  const next = inTurn(...answers)
  return () => next()()
}

type Handle = Awaited<ReturnType<typeof start>>

/** Whoever signs is refused at the next stage, which ends the process. */
const refusedLater: StandIns = { readVerification: () => 'rejected' }

const resend = (handle: Handle, resendId = 'wish') =>
  handle.executeUpdate(resendAgreement, { args: [{ resendId }] })

const attempts = (worker: Awaited<ReturnType<typeof steppedWorker>>) =>
  worker.calls
    .filter(({ step }) => step === 'sendAgreement')
    .map(({ input }) => [input.attempt, input.resendId])

describe('an agreement that nobody signs in time', () => {
  it('is sent again with its own reminders, and lapses when that time is over too', async () => {
    const worker = await steppedWorker(env, {
      readAgreement: () => 'sent',
      expireAgreement: inTurn('resend', 'lapsed'),
    })
    expect(await worker.runUntil(async () => (await start()).result())).toBe('lapsed')
    expect(attempts(worker)).toEqual([
      [1, null],
      [2, null],
    ])
    const first = worker.calls.find(({ step }) => step === 'sendAgreement')?.at ?? 0
    const closed = worker.calls.find(({ step }) => step === 'closeApplication')?.at ?? 0
    expect(Math.round((closed - first) / day)).toBe(60)
    const reminders = worker.calls.filter(({ input }) => input.kind === 'agreement_reminder')
    expect(reminders.map(({ input }) => input.occurrence)).toEqual([
      ...['1', '2', '3'],
      ...['2:1', '2:2', '2:3'],
    ])
  })

  it('has all its time from when it was sent, however long the vendor was away', async () => {
    const worker = await steppedWorker(env, {
      readAgreement: () => 'sent',
      sendAgreement: stepping(away('15 hours'), () => ({ sending: 'sent' })),
      expireAgreement: () => 'lapsed',
    })
    expect(await worker.runUntil(async () => (await start()).result())).toBe('lapsed')
    const asked = worker.calls.find(({ step }) => step === 'sendAgreement')?.at ?? 0
    const closed = worker.calls.find(({ step }) => step === 'closeApplication')?.at ?? 0
    expect((closed - asked) / day).toBeCloseTo(30 + 15 / 24, 2)
    const [first] = worker.calls.filter(({ input }) => input.kind === 'agreement_reminder')
    expect(((first?.at ?? 0) - asked) / day).toBeCloseTo(3 + 15 / 24, 2)
  })

  it('is reminded of also where the time for it passed while something else was heard', async () => {
    const worker = await steppedWorker(env, {
      readAgreement: stepping(away('15 hours'), () => 'sent'),
      expireAgreement: () => 'lapsed',
    })
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('sendAgreement')
      await env.sleep('66 hours')
      await handle.signal(agreementChanged)
      expect(await handle.result()).toBe('lapsed')
    })
    const sent = worker.calls.find(({ step }) => step === 'sendAgreement')?.at ?? 0
    const told = worker.calls
      .filter(({ input }) => input.kind === 'agreement_reminder')
      .map(({ input, at }) => [input.occurrence, Math.round((at - sent) / day)])
    expect(told).toEqual([
      ['1', 3],
      ['2', 7],
      ['3', 14],
    ])
  })

  it('is reminded of once where two times passed together', async () => {
    const marks = [3 * 86_400, 3 * 86_400 + 3_600, 14 * 86_400]
    const worker = await steppedWorker(env, {
      readAgreement: stepping(away('15 hours'), () => 'sent'),
      expireAgreement: () => 'lapsed',
    })
    await worker.runUntil(async () => {
      const handle = await start({ ...deadlines, agreementReminders: marks })
      await worker.ran('sendAgreement')
      await env.sleep('66 hours')
      await handle.signal(agreementChanged)
      expect(await handle.result()).toBe('lapsed')
    })
    const told = worker.calls.filter(({ input }) => input.kind === 'agreement_reminder')
    expect(told.map(({ input }) => input.occurrence)).toEqual(['2', '3'])
  })

  it('goes on where the signature came before it could be withdrawn', async () => {
    const worker = await steppedWorker(env, {
      ...refusedLater,
      readAgreement: () => 'sent',
      expireAgreement: () => 'completed',
    })
    expect(await worker.runUntil(async () => (await start()).result())).toBe('rejected')
    expect(worker.steps()).toContain('storeSignedAgreement')
  })
})

describe('a person', () => {
  it('has it sent again after it was withdrawn at the vendor, who is asked first', async () => {
    const worker = await steppedWorker(env, {
      ...refusedLater,
      readAgreement: inTurn('voided', 'completed'),
      withdrawAgreement: () => 'voided',
    })
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('sendAgreement')
      await handle.signal(agreementChanged)
      await worker.ran('readAgreement')
      expect(await resend(handle)).toEqual({ attempt: 2 })
      await worker.ran('sendAgreement', 2)
      await handle.signal(agreementChanged)
      expect(await handle.result()).toBe('rejected')
    })
    expect(attempts(worker)).toEqual([
      [1, null],
      [2, 'wish'],
    ])
    const order = worker.steps()
    expect(order.indexOf('withdrawAgreement')).toBeLessThan(order.lastIndexOf('sendAgreement'))
  })

  it('has it sent again where its time ran out while the wish was taken', async () => {
    let wish: Promise<unknown> | undefined
    let handle: Handle | undefined
    const worker = await steppedWorker(env, {
      readAgreement: () => 'sent',
      expireAgreement: async () => {
        if (handle) wish ??= resend(handle)
        await wish
        return 'lapsed'
      },
    })
    await worker.runUntil(async () => {
      handle = await start()
      expect(await handle.result()).toBe('lapsed')
    })
    expect(await wish).toEqual({ attempt: 2 })
    expect(attempts(worker)).toEqual([
      [1, null],
      [2, 'wish'],
    ])
  })

  it('finds it signed instead, when the signature was faster than the wish', async () => {
    const worker = await steppedWorker(env, {
      ...refusedLater,
      readAgreement: () => 'sent',
      withdrawAgreement: () => 'completed',
    })
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('sendAgreement')
      await resend(handle)
      expect(await handle.result()).toBe('rejected')
    })
    expect(attempts(worker)).toHaveLength(1)
    expect(worker.steps()).toContain('storeSignedAgreement')
  })

  it('may have it sent five times, and never before or after its stage', async () => {
    const worker = await steppedWorker(env, {
      readAgreement: () => 'sent',
      withdrawAgreement: () => 'voided',
    })
    await worker.runUntil(async () => {
      const handle = await start()
      for (let sent = 1; sent < 5; sent++) {
        await worker.ran('sendAgreement', sent)
        await until(async () => (await handle.query(onboardingState)).stage === 'agreement')
        await resend(handle, `wish ${sent}`)
      }
      await worker.ran('sendAgreement', 5)
      expect(await refusalOf(resend(handle))).toBe('conflict')
      expect(await handle.result()).toBe('lapsed')
    })
    expect(attempts(worker)).toHaveLength(5)
  })
})

describe('a sending that fails for good', () => {
  it('waits for a person and lapses without one; nobody is reminded of what never came', async () => {
    const worker = await steppedWorker(env, {
      sendAgreement: () => {
        throw ApplicationFailure.create({ type: 'vendor_refused', nonRetryable: true })
      },
    })
    expect(await worker.runUntil(async () => (await start()).result())).toBe('lapsed')
    expect(worker.calls).toContainEqual(
      expect.objectContaining({
        step: 'markAgreementStuck',
        input: expect.objectContaining({ code: 'vendor_refused' }),
      }),
    )
    expect(worker.steps()).not.toContain('readAgreement')
    const reminders = worker.calls.filter(({ input }) => input.kind === 'agreement_reminder')
    expect(reminders).toEqual([])
  })

  it('that was found later is read at once, because its message may have come too early', async () => {
    const worker = await steppedWorker(env, {
      ...refusedLater,
      sendAgreement: () => ({ sending: 'found', embedded: true }),
      readAgreement: () => 'completed',
    })
    expect(await worker.runUntil(async () => (await start()).result())).toBe('rejected')
    const mailed = worker.calls.filter(({ input }) => input.kind === 'agreement_ready')
    expect(mailed.map(({ input }) => input.occurrence)).toEqual(['1'])
  })
})

describe('a vendor that lets nobody in', () => {
  const refused = () => {
    throw ApplicationFailure.create({ type: 'vendor_refused', nonRetryable: true })
  }

  it('is asked again how a signed agreement stands and for its papers, and stops nothing', async () => {
    const worker = await steppedWorker(env, {
      ...refusedLater,
      readAgreement: stepping(refused, refused, () => 'completed'),
      storeSignedAgreement: stepping(refused, refused, () => {}),
    })
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('sendAgreement')
      await handle.signal(agreementChanged)
      expect(await handle.result()).toBe('rejected')
    })
    expect(worker.steps().filter((step) => step === 'storeSignedAgreement')).toHaveLength(3)
    const told = worker.calls.filter(({ step }) => step === 'markAgreementStuck')
    expect(told.map(({ input }) => input.code)).toEqual(['no_answer'])
  })

  it('is asked again whether it was signed in time', async () => {
    const worker = await steppedWorker(env, {
      readAgreement: () => 'sent',
      expireAgreement: stepping(refused, () => 'lapsed'),
    })
    expect(await worker.runUntil(async () => (await start()).result())).toBe('lapsed')
    expect(worker.steps().filter((step) => step === 'expireAgreement')).toHaveLength(2)
  })
})
