import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { agreementChanged } from '../../workflows/contract.ts'
import {
  answer,
  approve,
  ask,
  decide,
  onboardingAtApproval,
  type RecordedDecision,
  refusalOf,
  smooth,
  startOnboarding,
  undo,
  withdraw,
} from '../support/onboarding-process.ts'
import { inTurn, type SteppedWorker, startSkipping, steppedWorker } from '../support/processes.ts'

const day = 86_400

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await startSkipping()
})
afterAll(() => env.teardown())

const start = (undo?: number) => startOnboarding(env, undo)
const atApproval = (undo?: number) => onboardingAtApproval(env, undo)

const dayBetween = (worker: SteppedWorker, from: string, to: string) => {
  const at = (name: string) => worker.calls.find(({ step }) => step === name)?.at ?? 0
  return (at(to) - at(from)) / 1000 / day
}

const mailsOf = (worker: SteppedWorker) =>
  worker.calls
    .filter(({ step }) => step === 'mailApprovers')
    .map(({ input }) => String(input.occurrence))

describe('a decision that takes two persons', () => {
  it('answers the first that it waits, asks for the second, and goes on after it', async () => {
    const wait: RecordedDecision = { decision: 'wait', tenantId: null }
    const worker = await steppedWorker(env, { ...smooth, recordDecision: inTurn(wait, approve) })
    await worker.runUntil(async () => {
      const handle = await atApproval()
      expect(await decide(handle)).toEqual({ status: 'in_review' })
      expect(await decide(handle)).toEqual({ status: 'approved' })
      expect(await handle.result()).toBe('active')
    })
    expect(mailsOf(worker)).toEqual(['first', 'second'])
  })

  it('tells why one does not count, and waits on; its deadline is the first one', async () => {
    const wait: RecordedDecision = { decision: 'wait', tenantId: null }
    const code = 'second_person_required'
    const refused: RecordedDecision = { decision: 'refused', code, tenantId: null }
    const recordDecision = inTurn(wait, refused)
    const worker = await steppedWorker(env, { ...smooth, recordDecision })
    await worker.runUntil(async () => {
      const handle = await atApproval()
      await decide(handle)
      expect(await refusalOf(decide(handle))).toBe('second_person_required')
      expect(await handle.result()).toBe('lapsed')
    })
    expect(Math.round(dayBetween(worker, 'requestDecision', 'closeApplication'))).toBe(30)
  })
})

describe('a rule that decides', () => {
  it('asks nobody, and asks after all where its decision does not count', async () => {
    const refused: RecordedDecision = { decision: 'refused', code: 'not_ready', tenantId: null }
    for (const [recorded, asked, status] of [
      [approve, [], 'active'],
      [refused, ['first', 'reminder', 'escalation'], 'lapsed'],
    ]) {
      const worker = await steppedWorker(env, {
        ...smooth,
        requestDecision: () => 'note',
        recordDecision: () => recorded,
      })
      const ended = await worker.runUntil(async () => {
        const handle = await start()
        await handle.signal(agreementChanged)
        return handle.result()
      })
      expect([ended, mailsOf(worker)]).toEqual([status, asked])
    }
  })
})

describe('questions to the applicant', () => {
  it('stop the time to decide: after three days of them it lapses on day 33', async () => {
    const worker = await steppedWorker(env, smooth)
    await worker.runUntil(async () => {
      const handle = await atApproval()
      await ask(handle, 'first')
      expect(await refusalOf(ask(handle, 'second'))).toBe('conflict')
      expect(await refusalOf(answer(handle, 'second'))).toBe('not_ready')
      await env.sleep('74 hours')
      await answer(handle, 'first')
      expect(await handle.result()).toBe('lapsed')
    })
    expect(dayBetween(worker, 'requestDecision', 'closeApplication')).toBeCloseTo(33.08, 1)
    expect(mailsOf(worker)).toEqual(['first', 'answer_1', 'reminder', 'escalation'])
    const reminders = worker.calls.filter(({ input }) => input.kind === 'information_reminder')
    expect(reminders).toHaveLength(1)
  })

  it('that nobody answers are reminded of on days 3 and 7 and end it on day 14', async () => {
    const worker = await steppedWorker(env, smooth)
    await worker.runUntil(async () => {
      const handle = await atApproval()
      await ask(handle, 'first')
      expect(await handle.result()).toBe('lapsed')
    })
    const reminders = worker.calls.filter(({ input }) => input.kind === 'information_reminder')
    expect(reminders.map(({ input }) => input.occurrence)).toEqual(['first:1', 'first:2'])
    expect(Math.round(dayBetween(worker, 'askApplicant', 'closeApplication'))).toBe(14)
  })

  it('whose answer told nobody are found answered at the next reminder', async () => {
    const worker = await steppedWorker(env, { ...smooth, findAnswer: () => true })
    await worker.runUntil(async () => {
      const handle = await atApproval()
      await ask(handle, 'first')
      expect(await handle.result()).toBe('lapsed')
    })
    expect(Math.round(dayBetween(worker, 'askApplicant', 'resumeDecision'))).toBe(3)
  })

  it('hold no decision up', async () => {
    const worker = await steppedWorker(env, smooth)
    await worker.runUntil(async () => {
      const handle = await atApproval()
      await ask(handle, 'first')
      expect(await decide(handle)).toEqual({ status: 'approved' })
      expect(await handle.result()).toBe('active')
    })
  })
})

describe('an approval that can be taken back', () => {
  it('makes no partner before its time is over, and cannot be taken back after', async () => {
    const worker = await steppedWorker(env, {
      ...smooth,
      recordDecision: () => ({ decision: 'approve', tenantId: null }),
    })
    await worker.runUntil(async () => {
      const handle = await atApproval(3_600)
      expect(await refusalOf(undo(handle))).toBe('not_ready')
      await decide(handle)
      expect(worker.steps()).not.toContain('admitPartner')
      expect(await refusalOf(decide(handle))).toBe('already_decided')
      await env.sleep('61 minutes')
      await worker.ran('admitPartner')
      expect(await handle.result()).toBe('active')
    })
    expect(dayBetween(worker, 'recordDecision', 'admitPartner')).toBeCloseTo(1 / 24, 2)
  })

  it('is decided again with the rest of its time once it is taken back', async () => {
    const worker = await steppedWorker(env, {
      ...smooth,
      recordDecision: inTurn(
        { decision: 'approve', tenantId: null },
        { decision: 'reject', tenantId: null },
      ),
    })
    await worker.runUntil(async () => {
      const handle = await atApproval(3_600)
      await decide(handle)
      await undo(handle)
      expect(await refusalOf(undo(handle))).toBe('not_ready')
      expect(await decide(handle, 'reject')).toEqual({ status: 'rejected' })
      expect(await handle.result()).toBe('rejected')
    })
    expect(worker.steps()).toContain('undoDecision')
    expect(worker.steps()).not.toContain('admitPartner')
  })

  it('is nothing any more where the applicant withdraws in this time', async () => {
    const worker = await steppedWorker(env, smooth)
    await worker.runUntil(async () => {
      const handle = await atApproval(3_600)
      await decide(handle)
      await withdraw(handle)
      expect(await handle.result()).toBe('withdrawn')
    })
    expect(worker.steps()).not.toContain('admitPartner')
  })
})
