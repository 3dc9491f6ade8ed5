import { randomUUID, randomUUIDv7 } from 'node:crypto'
import { ApplicationFailure, WorkflowUpdateFailedError } from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { deadlinesSchema } from '../../db/programme-settings.ts'
import { onboardingDeadlines } from '../../domain/onboarding.ts'
import { taskQueue, workflowIds } from '../../domain/process-names.ts'
import {
  agreementChanged,
  type Decision,
  decideApplication,
  type OnboardingInput,
  onboardingState,
  retryProvisioning,
} from '../../workflows/contract.ts'
import { partnerOnboarding } from '../../workflows/onboarding.ts'
import { inTurn, type StandIns, startSkipping, steppedWorker } from '../support/processes.ts'
import { until } from '../support/until.ts'

const day = 86_400
const deadlines = onboardingDeadlines(deadlinesSchema.parse({ undo: 0 }))

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await startSkipping()
})
afterAll(() => env.teardown())

async function start(changes: Partial<OnboardingInput> = {}) {
  const applicationId = randomUUIDv7()
  const input: OnboardingInput = { applicationId, parentId: null, deadlines, ...changes }
  return env.client.workflow.start(partnerOnboarding, {
    workflowId: workflowIds.onboarding(applicationId),
    taskQueue,
    args: [input],
  })
}

type Handle = Awaited<ReturnType<typeof start>>

/** Steps of a way on which everybody does what is asked. */
const smooth: StandIns = {
  readAgreement: () => 'completed',
  readVerification: () => 'verified',
  recordDecision: () => ({ decision: 'approve', tenantId: randomUUID() }),
}

const reaches = (handle: Handle, stage: string) =>
  until(async () => (await handle.query(onboardingState)).stage === stage)

const decide = (handle: Handle, changes: Partial<Decision> = {}) =>
  handle.executeUpdate(decideApplication, {
    args: [
      {
        noteId: randomUUIDv7(),
        decision: 'approve',
        ...changes,
      },
    ],
  })

async function refusalOf(update: Promise<unknown>): Promise<string | null | undefined> {
  try {
    await update
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
      return error.cause.type
    }
    throw error
  }
  throw new Error('the update was accepted')
}

describe('a partner that does everything', () => {
  it('is screened, signs, proves who it is, is approved, prepared and active', async () => {
    const worker = await steppedWorker(env, smooth)
    const status = await worker.runUntil(async () => {
      const handle = await start()
      await reaches(handle, 'agreement')
      await handle.signal(agreementChanged)
      await reaches(handle, 'approval')
      expect(await decide(handle)).toEqual({ status: 'approved' })
      return handle.result()
    })
    expect(status).toBe('active')
    expect(worker.steps()).toEqual([
      'screenApplication',
      'sendAgreement',
      'readAgreement',
      'storeSignedAgreement',
      'openPayoutAccount',
      'issueVerificationLink',
      'readVerification',
      'requestDecision',
      'recordDecision',
      'markProvisioningStarted',
      'prepareTenant',
      'createBillingCustomer',
      'openPlatformSubscription',
      'inviteAdministrator',
      'activateTenant',
      'activatePartner',
    ])
  })

  it('is not stopped by mails that cannot be sent', async () => {
    const broken = () => {
      throw ApplicationFailure.create({ type: 'vendor_refused', nonRetryable: true })
    }
    const worker = await steppedWorker(env, {
      ...smooth,
      mailApplicant: broken,
      mailApprovers: broken,
    })
    const status = await worker.runUntil(async () => {
      const handle = await start()
      await handle.signal(agreementChanged)
      await reaches(handle, 'approval')
      await decide(handle)
      return handle.result()
    })
    expect(status).toBe('active')
  })
})

describe('a process that was lost after the approval', () => {
  it('goes on with the environment, and asks nobody for another decision', async () => {
    const worker = await steppedWorker(env, { ...smooth, admitPartner: () => randomUUID() })
    const handle = await start({ from: 'provisioning' })
    // Asked before the process has made its first step, too.
    const refused = refusalOf(decide(handle))
    const status = await worker.runUntil(async () => {
      expect(await refused).toBe('already_decided')
      return handle.result()
    })
    expect(status).toBe('active')
    expect(worker.steps().slice(0, 3)).toEqual([
      ...['admitPartner', 'markProvisioningStarted', 'prepareTenant'],
    ])
  })
})

describe('a rule of the programme', () => {
  it('turns an application away before anything is sent or opened', async () => {
    const worker = await steppedWorker(env, { screenApplication: () => 'rejected' })
    const status = await worker.runUntil(async () => (await start()).result())
    expect(status).toBe('rejected')
    expect(worker.steps()).toEqual(['screenApplication', 'closeApplication'])
    const mails = worker.calls.filter(({ step }) => step === 'mailApplicant')
    expect(mails.map(({ input }) => input.kind).sort()).toEqual([
      'application_received',
      'application_rejected',
    ])
  })
})

describe('an agreement', () => {
  it('that nobody signs is reminded of on days 3, 7 and 14 and lapses on day 30', async () => {
    const worker = await steppedWorker(env, { readAgreement: () => 'sent' })
    const status = await worker.runUntil(async () => (await start()).result())
    expect(status).toBe('lapsed')
    const sent = worker.calls.find(({ step }) => step === 'sendAgreement')?.at ?? 0
    const dayOf = ({ at }: { at: number }) => Math.round((at - sent) / 1000 / day)
    const reminders = worker.calls.filter(({ input }) => input.kind === 'agreement_reminder')
    expect(reminders.map(({ input }) => input.occurrence)).toEqual(['1', '2', '3'])
    expect(reminders.map(dayOf)).toEqual([3, 7, 14])
    expect(worker.calls.filter(({ step }) => step === 'closeApplication').map(dayOf)).toEqual([30])
    expect(worker.calls).toContainEqual(
      expect.objectContaining({
        step: 'expireAgreement',
      }),
    )
  })

  it('that was signed while the message was lost is found at the next reminder', async () => {
    const worker = await steppedWorker(env, {
      ...smooth,
      readAgreement: () => 'completed',
    })
    const handle = await worker.runUntil(async () => {
      const running = await start()
      await worker.ran('sendAgreement')
      await env.sleep('4 days')
      await reaches(running, 'approval')
      await decide(running, { decision: 'approve' })
      await running.result()
      return running
    })
    expect(handle).toBeDefined()
    expect(worker.calls.some(({ input }) => input.kind === 'agreement_reminder')).toBe(false)
  })

  it('that is declined ends the application as withdrawn, that is voided as lapsed', async () => {
    for (const [state, status] of [
      ['declined', 'withdrawn'],
      ['voided', 'lapsed'],
    ]) {
      const worker = await steppedWorker(env, { readAgreement: () => state })
      const ended = await worker.runUntil(async () => {
        const handle = await start()
        await handle.signal(agreementChanged)
        return handle.result()
      })
      expect(ended).toBe(status)
    }
  })

  it('takes an event that changes nothing as no reason to go on', async () => {
    const worker = await steppedWorker(env, {
      ...smooth,
      readAgreement: inTurn('sent', 'sent', 'completed'),
      readVerification: () => 'rejected',
    })
    const status = await worker.runUntil(async () => {
      const handle = await start()
      for (let i = 0; i < 3; i++) {
        await reaches(handle, 'agreement')
        await handle.signal(agreementChanged)
        await worker.ran('readAgreement', i + 1)
      }
      return handle.result()
    })
    expect(status).toBe('rejected')
    expect(worker.steps().filter((step) => step === 'readAgreement')).toHaveLength(3)
  })
})

describe('a decision', () => {
  it('is refused before its stage and a second time, also at the same moment', async () => {
    const worker = await steppedWorker(env, smooth)
    await worker.runUntil(async () => {
      const handle = await start()
      await reaches(handle, 'agreement')
      expect(await refusalOf(decide(handle))).toBe('not_ready')
      await handle.signal(agreementChanged)
      await reaches(handle, 'approval')
      const decisions = await Promise.allSettled([
        decide(handle),
        decide(handle, { decision: 'reject' }),
      ])
      expect(decisions.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      expect(await refusalOf(decide(handle))).toBe('already_decided')
      await handle.result()
    })
    expect(worker.steps().filter((step) => step === 'recordDecision')).toHaveLength(1)
  })

  it('to reject ends the application', async () => {
    const worker = await steppedWorker(env, {
      ...smooth,
      recordDecision: () => ({ decision: 'reject', tenantId: null }),
    })
    const status = await worker.runUntil(async () => {
      const handle = await start()
      await handle.signal(agreementChanged)
      await reaches(handle, 'approval')
      expect(await decide(handle, { decision: 'reject' })).toEqual({ status: 'rejected' })
      return handle.result()
    })
    expect(status).toBe('rejected')
    expect(worker.steps()).not.toContain('prepareTenant')
  })

  it('that nobody takes is reminded of, escalated and lapses; it is never taken by time', async () => {
    const worker = await steppedWorker(env, smooth)
    const status = await worker.runUntil(async () => {
      const handle = await start()
      await handle.signal(agreementChanged)
      return handle.result()
    })
    expect(status).toBe('lapsed')
    const asked = worker.calls.filter(({ step }) => step === 'mailApprovers')
    expect(asked.map(({ input }) => input.occurrence)).toEqual(['first', 'reminder', 'escalation'])
    expect(worker.steps()).toContain('escalateDecision')
    expect(worker.steps()).not.toContain('recordDecision')
  })
})

describe('a decision that comes while the application lapses', () => {
  it('is refused, and the application ends', async () => {
    let refused: string | null | undefined
    let handle: Handle | undefined
    const worker = await steppedWorker(env, {
      ...smooth,
      closeApplication: async () => {
        if (handle) refused = await refusalOf(decide(handle))
      },
    })
    const status = await worker.runUntil(async () => {
      handle = await start()
      await handle.signal(agreementChanged)
      return handle.result()
    })
    expect(status).toBe('lapsed')
    expect(refused).toBe('already_decided')
  })
})

describe('an environment that cannot be prepared', () => {
  it('is undone, waits for a person, and is prepared at the second try', async () => {
    let tries = 0
    const worker = await steppedWorker(env, {
      ...smooth,
      openPlatformSubscription: () => {
        tries += 1
        if (tries > 1) return
        throw ApplicationFailure.create({ type: 'vendor_refused', nonRetryable: true })
      },
    })
    const status = await worker.runUntil(async () => {
      const handle = await start()
      await handle.signal(agreementChanged)
      await reaches(handle, 'approval')
      await decide(handle)
      // The step that failed waits for a person first, and nobody comes.
      await env.sleep(deadlines.provisioningPatience * 1_000 + 60_000)
      await worker.ran('markProvisioningFailed')
      await handle.executeUpdate(retryProvisioning)
      return handle.result()
    })
    expect(status).toBe('active')
    const failed = worker.steps().indexOf('markTenantFailed')
    expect(worker.steps().slice(failed - 3, failed + 1)).toEqual([
      'cancelPlatformSubscription',
      'removeBillingCustomer',
      'clearTenant',
      'markTenantFailed',
    ])
  })
})
