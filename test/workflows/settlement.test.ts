import { ApplicationFailure } from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import {
  releaseRun,
  reviewRun,
  type SettlementInput,
  settlementState,
} from '../../workflows/contract.ts'
import { inTurn, startSkipping, steppedWorker } from '../support/processes.ts'
import {
  freshBooks as fresh,
  type Settlement as Handle,
  hash,
  inReview,
  refusalOf,
  settlementEnds,
  startSettlement,
} from '../support/settlement-process.ts'

const day = 86_400

// A child that outlives its parent keeps this server from skipping: each test has its own.
let env: TestWorkflowEnvironment
beforeEach(async () => {
  env = await startSkipping()
})
afterEach(() => env.teardown())

const start = (changes: Partial<SettlementInput> = {}) => startSettlement(env, changes)
const ended = (handle: Handle) => settlementEnds(env, handle)

const signature = { memberId: 'one', totalsHash: hash }

async function sign(handle: Handle): Promise<void> {
  await inReview(handle)
  await handle.executeUpdate(reviewRun, { args: [signature] })
  await handle.executeUpdate(releaseRun, { args: [{ ...signature, memberId: 'two' }] })
}

describe('a live run', () => {
  it('freezes, calculates, is signed by two, issues, pays, reconciles and closes', async () => {
    const worker = await steppedWorker(env, fresh())
    await worker.runUntil(async () => {
      const handle = await start()
      await sign(handle)
      expect(await ended(handle)).toEqual({ totalsHash: hash })
    })
    const steps = worker.steps().filter((step) => step !== 'reviewTierPage')
    expect(steps).toEqual([
      'readRun',
      'enterStage',
      'timeToCutoff',
      'collectMissedEvents',
      'countUnbookedEvents',
      'mirrorPeriodBalance',
      'bookBalance',
      'freezePeriod',
      'enterStage',
      'planShards',
      'draftPages',
      'totalStatements',
      'enterStage',
      'recordReview',
      'recordRelease',
      'enterStage',
      'issueStatements',
      'issueStatements',
      'enterStage',
      'releaseHeldPayouts',
      'payPage',
      'enterStage',
      'reconcilePage',
      'closePeriod',
    ])
  })

  it('waits for the cut-off before anything is frozen', async () => {
    const threeDays = 3 * day * 1000
    const worker = await steppedWorker(env, fresh({ timeToCutoff: inTurn(threeDays, 0) }))
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('timeToCutoff')
      await env.sleep('73 hours')
      await sign(handle)
      await ended(handle)
    })
    const at = (step: string) => worker.calls.find((call) => call.step === step)?.at ?? 0
    expect(at('freezePeriod') - at('timeToCutoff')).toBeGreaterThanOrEqual(threeDays)
  })

  it('freezes only when every event that came in is booked', async () => {
    const worker = await steppedWorker(env, fresh({ countUnbookedEvents: inTurn(3, 1, 0) }))
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('countUnbookedEvents')
      await env.sleep('10 seconds')
      await sign(handle)
      await ended(handle)
    })
    const steps = worker.steps()
    expect(steps.filter((step) => step === 'countUnbookedEvents')).toHaveLength(3)
    expect(steps.lastIndexOf('countUnbookedEvents')).toBeLessThan(steps.indexOf('freezePeriod'))
  })

  it('freezes only when all that moved the balance in its month is told and booked', async () => {
    const mirrorPeriodBalance = inTurn<string | null>('txn_1', null)
    const standIns = fresh({ mirrorPeriodBalance, bookBalance: inTurn(10_000, 7, 0) })
    const worker = await steppedWorker(env, standIns)
    await worker.runUntil(async () => {
      const handle = await start()
      await sign(handle)
      await ended(handle)
    })
    const steps = worker.steps()
    const mirrored = worker.calls.filter(({ step }) => step === 'mirrorPeriodBalance')
    expect(mirrored.map(({ input }) => input.after)).toEqual([null, 'txn_1'])
    expect(steps.filter((step) => step === 'bookBalance')).toHaveLength(3)
    expect(steps.indexOf('freezePeriod')).toBe(steps.lastIndexOf('bookBalance') + 1)
  })

  it('is never released by time: forty days bring reminders and nothing else', async () => {
    const worker = await steppedWorker(env, fresh())
    await worker.runUntil(async () => {
      const handle = await start()
      await inReview(handle)
      await env.sleep('40 days')
      expect((await handle.query(settlementState)).stage).toBe('review')
      expect(worker.steps()).not.toContain('issueStatements')
      await sign(handle)
      await ended(handle)
    })
    const reminders = worker.calls.filter(({ step }) => step === 'mailReleasers')
    expect(reminders.length).toBeGreaterThanOrEqual(39)
  })

  it('goes on after the release where the books stand, when it is started again', async () => {
    const released = { stage: 'pay', totalsHash: hash, reviewed: true, released: true, shards: 1 }
    const worker = await steppedWorker(env, fresh({ readRun: () => released }))
    await worker.runUntil(async () => ended(await start()))
    expect(worker.steps()).not.toContain('planShards')
    expect(worker.steps()).toContain('issueStatements')
    expect(worker.steps()).toContain('closePeriod')
  })

  it('waits while an older period is open, and while the books disagree', async () => {
    const refuse = (type: string, times: number) => {
      let left = times
      return () => {
        left -= 1
        if (left >= 0) throw ApplicationFailure.create({ type, nonRetryable: true })
        return hash
      }
    }
    const worker = await steppedWorker(
      env,
      fresh({
        freezePeriod: refuse('earlier_period_open', 2),
        totalStatements: refuse('ledger_violation', 1),
      }),
    )
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('reportProblem')
      await env.sleep('5 hours')
      await sign(handle)
      await ended(handle)
    })
    const problems = worker.calls.filter(({ step }) => step === 'reportProblem')
    expect(problems).toHaveLength(3)
    expect(worker.steps().filter((step) => step === 'planShards')).toHaveLength(2)
  })

  it('begins a new history before that is long, however long it waits', async () => {
    const refusals = 24 * 5
    let left = refusals
    const freezePeriod = () => {
      left -= 1
      if (left < 0) return undefined
      throw ApplicationFailure.create({ type: 'earlier_period_open', nonRetryable: true })
    }
    const differs = Array.from({ length: 24 * 2 }, () => ({ last: null, differences: 1 }))
    const released = { stage: 'freeze', totalsHash: hash, reviewed: true, shards: 1 }
    let isReleased = false
    const worker = await steppedWorker(
      env,
      fresh({
        freezePeriod,
        readRun: () => ({ ...released, released: isReleased }),
        recordRelease: () => {
          isReleased = true
        },
        issueStatements: () => 0,
        reconcilePage: inTurn(...differs, { last: null, differences: 0 }),
      }),
    )
    const { length } = await worker.runUntil(async () => {
      const handle = await start()
      await env.sleep('6 days')
      await sign(handle)
      await ended(handle)
      return { length: (await handle.describe()).historyLength }
    })
    expect(worker.steps().filter((step) => step === 'readRun').length).toBeGreaterThan(2)
    expect(length).toBeLessThan(2_000)
  })

  it('waits while a rate is missing, says so, and calculates again', async () => {
    let missing = true
    const draftPages = () => {
      if (missing) {
        missing = false
        throw ApplicationFailure.create({ type: 'not_ready', nonRetryable: true })
      }
      return { finished: true }
    }
    const worker = await steppedWorker(env, fresh({ draftPages }))
    await worker.runUntil(async () => {
      const handle = await start()
      await sign(handle)
      await ended(handle)
    })
    const problems = worker.calls.filter(({ step }) => step === 'reportProblem')
    expect(problems.map(({ input }) => input.problem)).toEqual([
      expect.stringMatching(/exchange rate/),
    ])
    expect(worker.steps().filter((step) => step === 'planShards')).toHaveLength(2)
  })

  it('is not closed while transfers differ from those of the processor', async () => {
    const worker = await steppedWorker(
      env,
      fresh({
        reconcilePage: inTurn({ last: null, differences: 1 }, { last: null, differences: 0 }),
      }),
    )
    await worker.runUntil(async () => {
      const handle = await start()
      await sign(handle)
      await ended(handle)
    })
    expect(worker.steps().filter((step) => step === 'reconcilePage')).toHaveLength(2)
    expect(worker.calls.some(({ step }) => step === 'reportProblem')).toBe(true)
  })
})

describe('a run of many partners', () => {
  it('drafts side by side until nothing is left, and pays one batch for each shard', async () => {
    let left = 10
    const draftPages = () => ({ finished: --left <= 0 })
    let pages = 50
    const reconcilePage = () => ({ last: --pages > 0 ? `page ${pages}` : null, differences: 0 })
    const worker = await steppedWorker(
      env,
      fresh({ planShards: () => ({ shards: 16 }), draftPages, reconcilePage }),
    )
    await worker.runUntil(async () => {
      const handle = await start()
      await sign(handle)
      await ended(handle)
      const { events } = await handle.fetchHistory()
      expect(events?.length).toBeLessThan(800)
    })
    const shards = worker.calls.filter(({ step }) => step === 'payPage')
    const paid = shards.map(({ input }) => Number(input.shard)).toSorted((a, b) => a - b)
    expect(paid).toEqual(Array.from({ length: 16 }, (_, shard) => shard))
    const steps = worker.steps()
    // Four lanes end each with the step that finds nothing left.
    expect(steps.filter((step) => step === 'draftPages')).toHaveLength(13)
    expect(steps.indexOf('totalStatements')).toBeGreaterThan(steps.lastIndexOf('draftPages'))
    expect(steps.indexOf('reconcilePage')).toBeGreaterThan(steps.lastIndexOf('payPage'))
  })
})

describe('a signature', () => {
  it('is refused before the review stage and after the release', async () => {
    const worker = await steppedWorker(env, fresh({ timeToCutoff: inTurn(3_600_000, 0) }))
    await worker.runUntil(async () => {
      const handle = await start()
      const early = handle.executeUpdate(reviewRun, { args: [signature] })
      expect(await refusalOf(early)).toBe('not_ready')
      await worker.ran('timeToCutoff')
      await env.sleep('2 hours')
      await inReview(handle)
      await handle.executeUpdate(reviewRun, { args: [signature] })
      const [released, second] = await Promise.allSettled([
        handle.executeUpdate(releaseRun, { args: [{ ...signature, memberId: 'two' }] }),
        ended(handle),
      ])
      expect([released.status, second.status]).toEqual(['fulfilled', 'fulfilled'])
    })
  })

  it('that the books refuse is told by its code and changes nothing', async () => {
    const refuse = (type: string) => () => {
      throw ApplicationFailure.create({ type, nonRetryable: true })
    }
    const worker = await steppedWorker(
      env,
      fresh({ recordRelease: refuse('second_person_required') }),
    )
    await worker.runUntil(async () => {
      const handle = await start()
      await inReview(handle)
      await handle.executeUpdate(reviewRun, { args: [signature] })
      const same = handle.executeUpdate(releaseRun, { args: [signature] })
      expect(await refusalOf(same)).toBe('second_person_required')
      expect((await handle.query(settlementState)).stage).toBe('review')
      await handle.terminate()
    })
    expect(worker.steps()).not.toContain('issueStatements')
  })
})

describe('a preview', () => {
  it('calculates and ends; it freezes, issues and pays nothing', async () => {
    const worker = await steppedWorker(env, fresh())
    await worker.runUntil(async () => {
      const handle = await start({ mode: 'preview' })
      expect(await handle.result()).toEqual({ totalsHash: hash })
    })
    expect(worker.steps()).toEqual([
      'readRun',
      'enterStage',
      'planShards',
      'draftPages',
      'totalStatements',
      'enterStage',
    ])
  })
})
