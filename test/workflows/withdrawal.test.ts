import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { agreementChanged } from '../../workflows/contract.ts'
import {
  approve,
  ask,
  decide,
  onboardingAtApproval,
  reaches,
  refusalOf,
  smooth,
  startOnboarding,
  withdraw,
} from '../support/onboarding-process.ts'
import { joinDevServer, type StandIns, steppedWorker } from '../support/processes.ts'

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await joinDevServer()
})
afterAll(() => env.teardown())

const start = (undo?: number) => startOnboarding(env, undo)
const atApproval = (undo?: number) => onboardingAtApproval(env, undo)

describe('an application that is withdrawn', () => {
  const waiting: Record<string, StandIns> = {
    agreement: { readAgreement: () => 'sent' },
    verification: { ...smooth, readVerification: () => 'needs_input' },
    approval: smooth,
  }
  const undone: Record<string, string[]> = {
    agreement: ['withdrawAgreement'],
    verification: ['closePayoutAccount', 'withdrawAgreement'],
    approval: ['releaseTerritories', 'closePayoutAccount', 'withdrawAgreement'],
  }

  it.each(Object.keys(waiting))('at the stage %s takes back what it holds', async (stage) => {
    const worker = await steppedWorker(env, waiting[stage])
    await worker.runUntil(async () => {
      const handle = await start()
      if (stage !== 'agreement') await handle.signal(agreementChanged)
      await reaches(handle, stage)
      if (stage === 'agreement') await worker.ran('sendAgreement')
      await withdraw(handle)
      expect(await handle.result()).toBe('withdrawn')
    })
    const steps = worker.steps()
    const closed = steps.indexOf('closeApplication')
    expect(steps.slice(closed + 1)).toEqual(undone[stage])
    const mail = worker.calls.find(({ input }) => input.kind === 'application_withdrawn')
    expect(mail).toBeDefined()
  })

  it('while its questions are open is withdrawn', async () => {
    const worker = await steppedWorker(env, smooth)
    await worker.runUntil(async () => {
      const handle = await atApproval()
      await ask(handle, 'first')
      await withdraw(handle)
      expect(await handle.result()).toBe('withdrawn')
    })
  })

  it('lets a step that runs come to its end first', async () => {
    let finished = false
    const worker = await steppedWorker(env, {
      sendAgreement: async () => {
        await new Promise((resolve) => setTimeout(resolve, 500))
        finished = true
      },
      withdrawAgreement: () => {
        if (!finished) throw new Error('what is being sent cannot be withdrawn')
      },
    })
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('sendAgreement')
      await withdraw(handle)
      expect(await handle.result()).toBe('withdrawn')
    })
    expect(worker.steps().filter((step) => step === 'withdrawAgreement')).toHaveLength(1)
  })

  it('at the moment of its approval is one or the other, never both', async () => {
    const outcomes = new Set<string>()
    for (const order of ['decision first', 'withdrawal first', 'while it is written']) {
      const worker = await steppedWorker(env, {
        ...smooth,
        recordDecision: async () => {
          await new Promise((resolve) => setTimeout(resolve, 200))
          return approve
        },
      })
      await worker.runUntil(async () => {
        const handle = await atApproval()
        const both =
          order === 'withdrawal first'
            ? [withdraw(handle), decide(handle)]
            : [
                decide(handle),
                order === 'decision first'
                  ? withdraw(handle)
                  : worker.ran('recordDecision').then(() => withdraw(handle)),
              ]
        const answers = await Promise.allSettled(both)
        expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
        const result = await handle.result()
        expect(['active', 'withdrawn']).toContain(result)
        expect(worker.steps().includes('markProvisioningStarted')).toBe(result === 'active')
        outcomes.add(result)
      })
    }
    expect(outcomes.has('active')).toBe(true)
  })

  it('is refused once it has ended', async () => {
    const closing = Promise.withResolvers<void>()
    const worker = await steppedWorker(env, {
      ...smooth,
      recordDecision: () => ({ decision: 'reject', tenantId: null }),
      closeApplication: () => closing.promise,
    })
    await worker.runUntil(async () => {
      const handle = await atApproval()
      await decide(handle, 'reject')
      expect(await refusalOf(withdraw(handle))).toBe('already_decided')
      closing.resolve()
      expect(await handle.result()).toBe('rejected')
    })
  })
})
