/** Who an applicant is: proven, refused, not proven in time, by the clock. */
import { ApplicationFailure } from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import {
  agreementChanged,
  refreshVerificationLink,
  verificationChanged,
} from '../../workflows/contract.ts'
import {
  decide,
  reaches,
  refusalOf,
  smooth,
  startOnboarding,
} from '../support/onboarding-process.ts'
import { inTurn, startSkipping, steppedWorker } from '../support/processes.ts'

const day = 86_400

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await startSkipping()
})
afterAll(() => env.teardown())

describe('an identity check', () => {
  it('that needs more input goes on, and lapses after 30 days with three reminders', async () => {
    const worker = await steppedWorker(env, { ...smooth, readVerification: () => 'needs_input' })
    const status = await worker.runUntil(async () => {
      const handle = await startOnboarding(env)
      await handle.signal(agreementChanged)
      return handle.result()
    })
    expect(status).toBe('lapsed')
    const reminders = worker.calls.filter(({ input }) => input.kind === 'verification_reminder')
    expect(reminders).toHaveLength(3)
  })

  it('that is asked about on the way has no longer time for it', async () => {
    const worker = await steppedWorker(env, { ...smooth, readVerification: () => 'needs_input' })
    await worker.runUntil(async () => {
      const handle = await startOnboarding(env)
      await handle.signal(agreementChanged)
      await worker.ran('readVerification')
      await env.sleep('20 days')
      await handle.signal(verificationChanged)
      expect(await handle.result()).toBe('lapsed')
    })
    const opened = worker.calls.find(({ step }) => step === 'openPayoutAccount')?.at ?? 0
    const closed = worker.calls.find(({ step }) => step === 'closeApplication')?.at ?? 0
    expect(Math.round((closed - opened) / 1000 / day)).toBe(30)
    const reminders = worker.calls.filter(({ input }) => input.kind === 'verification_reminder')
    expect(reminders.map(({ input }) => input.occurrence)).toEqual(['1', '2', '3'])
  })

  it('that failed as often as it may ends the application, and its account is closed', async () => {
    const worker = await steppedWorker(env, {
      ...smooth,
      readVerification: inTurn('needs_input', 'needs_input', 'out_of_tries'),
    })
    await worker.runUntil(async () => {
      const handle = await startOnboarding(env)
      await handle.signal(agreementChanged)
      await worker.ran('readVerification')
      await handle.signal(verificationChanged)
      expect(await handle.result()).toBe('rejected')
    })
    // The first reminder looked, and what it found ended the wait: nobody was reminded.
    expect(worker.calls.filter(({ input }) => input.kind === 'verification_reminder')).toEqual([])
    const end = worker.calls.find(({ step }) => step === 'closeApplication')
    expect(end?.input).toMatchObject({ what: 'the identity check failed too often' })
    expect(worker.steps()).toContain('closePayoutAccount')
    const mails = worker.calls.filter(({ input }) => input.kind === 'application_rejected')
    expect(mails).toHaveLength(1)
  })

  it('that was passed while the last message was lost counts when its time is over', async () => {
    let passed = false
    const worker = await steppedWorker(env, {
      ...smooth,
      readVerification: () => (passed ? 'verified' : 'in_progress'),
      recordDecision: () => ({ decision: 'reject', tenantId: null }),
    })
    const status = await worker.runUntil(async () => {
      const handle = await startOnboarding(env)
      await handle.signal(agreementChanged)
      await worker.ran('readVerification')
      await env.sleep('20 days')
      passed = true
      await env.sleep('11 days')
      await reaches(handle, 'approval')
      await decide(handle, 'reject')
      return handle.result()
    })
    expect(status).toBe('rejected')
    expect(worker.steps().filter((step) => step === 'requestDecision')).toHaveLength(1)
  })

  it('that Stripe still looks at lapses for nobody, and nobody is reminded of it', async () => {
    let passed = false
    const worker = await steppedWorker(env, {
      ...smooth,
      readVerification: () => (passed ? 'verified' : 'pending_review'),
    })
    const status = await worker.runUntil(async () => {
      const handle = await startOnboarding(env)
      await handle.signal(agreementChanged)
      await worker.ran('readVerification')
      await env.sleep('40 days')
      passed = true
      await handle.signal(verificationChanged)
      await reaches(handle, 'approval')
      await decide(handle)
      return handle.result()
    })
    expect(status).toBe('active')
    expect(worker.calls.map(({ input }) => input.kind)).not.toContain('verification_reminder')
  })

  it('for which Stripe opens no account is shown to a person, and tried again', async () => {
    let fitting = false
    const worker = await steppedWorker(env, {
      ...smooth,
      openPayoutAccount: () => {
        if (fitting) return
        throw ApplicationFailure.create({ type: 'vendor_refused', nonRetryable: true })
      },
    })
    await worker.runUntil(async () => {
      const handle = await startOnboarding(env)
      await handle.signal(agreementChanged)
      await worker.ran('markVerificationStuck')
      await env.sleep('3 days')
      await worker.ran('markVerificationStuck', 2)
      fitting = true
      expect(await refusalOf(handle.executeUpdate(refreshVerificationLink))).toBe('not_ready')
      await reaches(handle, 'approval')
      await decide(handle)
      expect(await handle.result()).toBe('active')
    })
    const [stuck] = worker.calls.filter(({ step }) => step === 'markVerificationStuck')
    expect(stuck?.input).toMatchObject({ code: 'vendor_refused' })
    const told = worker.calls.map(({ input }) => input.kind)
    expect(told.filter((kind) => kind === 'verification_requested')).toHaveLength(1)
    expect(told).not.toContain('verification_reminder')
  })

  it('that cannot be read lapses in its time, and does not stop the process', async () => {
    const worker = await steppedWorker(env, {
      ...smooth,
      readVerification: () => {
        throw ApplicationFailure.create({ type: 'vendor_refused', nonRetryable: true })
      },
    })
    const status = await worker.runUntil(async () => {
      const handle = await startOnboarding(env)
      await handle.signal(agreementChanged)
      return handle.result()
    })
    expect(status).toBe('lapsed')
  })

  it('that is corrected after a refusal leads to the decision', async () => {
    const worker = await steppedWorker(env, {
      ...smooth,
      readVerification: inTurn('link_issued', 'needs_input', 'verified'),
    })
    await worker.runUntil(async () => {
      const handle = await startOnboarding(env)
      await handle.signal(agreementChanged)
      await reaches(handle, 'verification')
      await handle.signal(verificationChanged)
      await worker.ran('readVerification', 2)
      await handle.signal(verificationChanged)
      await reaches(handle, 'approval')
      await decide(handle)
      expect(await handle.result()).toBe('active')
    })
  })
})

describe('what cannot be taken back at the end', () => {
  it('is left to a person, and the application ends all the same', async () => {
    const worker = await steppedWorker(env, {
      ...smooth,
      readVerification: () => 'rejected',
      closePayoutAccount: () => {
        throw ApplicationFailure.create({ type: 'vendor_refused', nonRetryable: true })
      },
    })
    const status = await worker.runUntil(async () => {
      const handle = await startOnboarding(env)
      await handle.signal(agreementChanged)
      return handle.result()
    })
    expect(status).toBe('rejected')
    const [left] = worker.calls.filter(({ step }) => step === 'recordUndosLeft')
    expect(left?.input).toMatchObject({ left: ['close the payout account'] })
    expect(worker.steps()).toContain('withdrawAgreement')
    expect(worker.calls.at(-1)?.input).toMatchObject({ kind: 'application_rejected' })
  })
})
