import { randomUUIDv7 } from 'node:crypto'
import { ApplicationFailure } from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import type { RunDecisionKind } from '../../domain/settlement.ts'
import {
  decideRun,
  releaseRun,
  reviewRun,
  type SettlementInput,
  settlementState,
} from '../../workflows/contract.ts'
import { inTurn, type StandIns, startSkipping, steppedWorker } from '../support/processes.ts'
import {
  freshBooks,
  type Settlement as Handle,
  hash,
  inReview,
  refusalOf,
  settlementEnds,
  stageOf,
  startSettlement,
} from '../support/settlement-process.ts'

const day = 86_400
const otherHash = 'b'.repeat(64)

let env: TestWorkflowEnvironment
beforeEach(async () => {
  env = await startSkipping()
})
afterEach(() => env.teardown())

const start = (changes: Partial<SettlementInput> = {}) => startSettlement(env, changes)
const ended = (handle: Handle) => settlementEnds(env, handle)

const atStart = { stage: 'freeze', totalsHash: null, reviewed: false, released: false, shards: 0 }

const fresh = (changes: StandIns = {}): StandIns =>
  freshBooks({
    bookBalance: () => 0,
    mirrorPeriodBalance: () => null,
    applyRunDecision: () => ({ totalsHash: hash }),
    ...changes,
  })

const decide = (handle: Handle, kind: RunDecisionKind) =>
  handle.executeUpdate(decideRun, { args: [{ decisionId: randomUUIDv7(), kind }] })

async function sign(handle: Handle, totalsHash = hash): Promise<void> {
  await handle.executeUpdate(reviewRun, { args: [{ memberId: 'one', totalsHash }] })
  await handle.executeUpdate(releaseRun, { args: [{ memberId: 'two', totalsHash }] })
}

describe('a decision in review', () => {
  it('is put into effect at once, and the run goes on with the totals that it has then', async () => {
    const worker = await steppedWorker(
      env,
      fresh({ applyRunDecision: () => ({ totalsHash: otherHash }) }),
    )
    await worker.runUntil(async () => {
      const handle = await start()
      await inReview(handle)
      await decide(handle, 'hold')
      expect(await handle.query(settlementState)).toEqual({
        stage: 'review',
        totalsHash: otherHash,
      })
      await sign(handle, otherHash)
      expect(await ended(handle)).toEqual({ totalsHash: otherHash })
    })
    expect(worker.steps().filter((step) => step === 'draftPages')).toHaveLength(1)
  })

  it('is refused before that stage and after the release', async () => {
    const worker = await steppedWorker(env, fresh({ timeToCutoff: inTurn(day * 1000, 0) }))
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('timeToCutoff')
      for (const kind of ['hold', 'exclude', 'rerun_partner', 'reject', 'recalculate'] as const) {
        expect([kind, await refusalOf(decide(handle, kind))]).toEqual([kind, 'not_ready'])
      }
      await env.sleep('2 days')
      await inReview(handle)
      await sign(handle)
      await ended(handle)
    })
    expect(worker.steps()).not.toContain('applyRunDecision')
  })
})

describe('a run that is rejected', () => {
  it('waits without end, and is calculated again when a person wants it', async () => {
    const applyRunDecision = inTurn({ totalsHash: null }, { totalsHash: null })
    const worker = await steppedWorker(env, fresh({ applyRunDecision }))
    await worker.runUntil(async () => {
      const handle = await start()
      await inReview(handle)
      await decide(handle, 'reject')
      await env.sleep('40 days')
      expect(await stageOf(handle)).toBe('calculate')
      expect(worker.steps().filter((step) => step === 'planShards')).toHaveLength(1)
      const signature = { memberId: 'one', totalsHash: hash }
      const early = handle.executeUpdate(reviewRun, { args: [signature] })
      expect(await refusalOf(early)).toBe('not_ready')
      await decide(handle, 'recalculate')
      await inReview(handle)
      await sign(handle)
      await ended(handle)
    })
    expect(worker.steps().filter((step) => step === 'planShards')).toHaveLength(2)
  })

  it('is not calculated by a process that is started again', async () => {
    const rejected = { ...atStart, stage: 'calculate', rejected: true }
    const worker = await steppedWorker(env, fresh({ readRun: () => rejected }))
    await worker.runUntil(async () => {
      const handle = await start()
      await env.sleep('3 days')
      expect(worker.steps()).toEqual(['readRun'])
      await decide(handle, 'cancel')
      await handle.result()
    })
  })
})

describe('a run that is paused', () => {
  it('takes no further step and no signature until it is resumed', async () => {
    const worker = await steppedWorker(env, fresh())
    await worker.runUntil(async () => {
      const handle = await start()
      await inReview(handle)
      await decide(handle, 'pause')
      const signature = { memberId: 'one', totalsHash: hash }
      const review = handle.executeUpdate(reviewRun, { args: [signature] })
      expect(await refusalOf(review)).toBe('not_ready')
      await env.sleep('10 days')
      expect(worker.steps()).not.toContain('issueStatements')
      await decide(handle, 'resume')
      expect(await refusalOf(decide(handle, 'resume'))).toBe('not_ready')
      await sign(handle)
      await ended(handle)
    })
  })

  it('pays nothing more until it is resumed, which its payouts hear at once', async () => {
    const standing = { last: null, paid: 0, unknown: 0, insufficientBalance: false, paused: true }
    const worker = await steppedWorker(
      env,
      fresh({ payPage: inTurn(standing, { ...standing, paused: false }) }),
    )
    await worker.runUntil(async () => {
      const handle = await start()
      await inReview(handle)
      await sign(handle)
      await worker.ran('payPage')
      await decide(handle, 'pause')
      await decide(handle, 'resume')
      await ended(handle)
    })
    const [first, second] = worker.calls.filter(({ step }) => step === 'payPage')
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeLessThan(3_600_000)
  })

  it('before its cut-off does not freeze the period when that has come', async () => {
    const worker = await steppedWorker(env, fresh({ timeToCutoff: inTurn(day * 1000, 0) }))
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('timeToCutoff')
      await decide(handle, 'pause')
      await env.sleep('5 days')
      expect(worker.steps()).not.toContain('freezePeriod')
      await decide(handle, 'resume')
      await inReview(handle)
      await sign(handle)
      await ended(handle)
    })
  })
})

describe('a run that is cancelled', () => {
  it('ends at once while it waits, and issues nothing', async () => {
    for (const waits of ['cut-off', 'review'] as const) {
      const timeToCutoff = waits === 'review' ? () => 0 : () => day * 1000
      const worker = await steppedWorker(env, fresh({ timeToCutoff }))
      await worker.runUntil(async () => {
        const handle = await start()
        await (waits === 'review' ? inReview(handle) : worker.ran('timeToCutoff'))
        await decide(handle, 'cancel')
        await handle.result()
      })
      expect(worker.steps().at(-1)).toBe('applyRunDecision')
      expect(worker.steps()).not.toContain('issueStatements')
    }
  })

  it('after its release goes on, and says so', async () => {
    const applyRunDecision = () => {
      throw ApplicationFailure.create({ type: 'run_finished', nonRetryable: true })
    }
    const worker = await steppedWorker(env, fresh({ applyRunDecision }))
    await worker.runUntil(async () => {
      const handle = await start()
      await inReview(handle)
      expect(await refusalOf(decide(handle, 'cancel'))).toBe('run_finished')
      await sign(handle)
      await ended(handle)
    })
    expect(worker.steps()).toContain('closePeriod')
  })
})

describe('a run that nobody releases', () => {
  it('is shown as a problem once, and is never released by time', async () => {
    const worker = await steppedWorker(env, fresh())
    await worker.runUntil(async () => {
      const handle = await start({ releaseEscalation: 3 * day })
      await inReview(handle)
      await env.sleep('10 days')
      expect(await stageOf(handle)).toBe('review')
      const problems = worker.calls.filter(({ step }) => step === 'reportProblem')
      expect(problems).toHaveLength(1)
      const mails = worker.calls.filter(({ step }) => step === 'mailReleasers')
      expect(mails.filter(({ input }) => input.occurrence === 'escalation')).toHaveLength(1)
      await sign(handle)
      await ended(handle)
    })
  })
})
