import { randomUUIDv7 } from 'node:crypto'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import type { Reverification } from '../../activities/verification/reverification.ts'
import { deadlinesSchema } from '../../db/programme-settings.ts'
import { taskQueue, workflowIds } from '../../domain/process-names.ts'
import {
  extendReverification,
  refreshReverificationLink,
  verificationChanged,
} from '../../workflows/contract.ts'
import { kycReverification } from '../../workflows/reverification.ts'
import { verificationUpkeep } from '../../workflows/upkeep.ts'
import { type StandIns, startSkipping, steppedWorker } from '../support/processes.ts'

const day = 86_400
const settings = deadlinesSchema.parse({})
const deadlines = {
  reminders: settings.reverificationReminders,
  hold: settings.reverificationHold,
  suspension: settings.reverificationSuspension,
}

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await startSkipping()
})
afterAll(() => env.teardown())

async function start() {
  const partnerId = randomUUIDv7()
  return env.client.workflow.start(kycReverification, {
    workflowId: workflowIds.reverification(partnerId),
    taskQueue,
    args: [{ partnerId, deadlines }],
  })
}

type Seen = Pick<Reverification, 'state'> & Partial<Reverification>

/** A partner as the steps leave it, for whom the vendor says what the test says. */
function partner(say: () => Seen): StandIns & { now(): Promise<number> } {
  const kept = { heldSince: null as string | null, salesStopped: false }
  const now = () => env.currentTimeMs()
  return {
    now,
    readReverification: () => ({ deadlineAt: null, ...kept, ...say() }),
    holdForVerification: async () => {
      kept.heldSince = new Date(await now()).toISOString()
    },
    stopSales: () => {
      kept.salesStopped = true
    },
    liftVerificationHolds: () => {
      kept.heldSince = null
      kept.salesStopped = false
    },
  }
}

/** The steps that changed something or told somebody, with the day on which they came. */
function storyOf(worker: Awaited<ReturnType<typeof steppedWorker>>, from?: number) {
  const since = from ?? worker.calls[0]?.at ?? 0
  return worker.calls
    .filter(({ step }) => step !== 'readReverification')
    .map(({ step, input, at }) => {
      const what = step === 'mailVerification' ? `mail ${String(input.kind)}` : step
      return `${Math.round((at - since) / 1_000 / day)}: ${what}`
    })
}

const clearAfter = (days: number, before: Seen) => {
  let start = 0
  return async () => {
    const now = await env.currentTimeMs()
    start ||= now
    return now - start >= days * day * 1_000 ? { state: 'clear' as const } : before
  }
}

/** Without a day on which the vendor has news, the process looks again by itself. */
async function play(say: () => Seen | Promise<Seen>, newsAfter?: number) {
  const standIns = partner(() => ({ state: 'due' }))
  const read = standIns.readReverification as unknown as () => Reverification
  const worker = await steppedWorker(env, {
    ...standIns,
    readReverification: async () => ({ ...read(), ...(await say()) }),
  })
  await worker.runUntil(async () => {
    const handle = await start()
    if (newsAfter) {
      await env.sleep(`${newsAfter} days`)
      await handle.signal(verificationChanged)
    }
    await handle.result()
  })
  return worker
}

describe('news that come while a process ends', () => {
  it('are looked into, so that what is missing again is asked for', async () => {
    let signalled = false
    let handle: Awaited<ReturnType<typeof start>> | undefined
    const states = ['due', 'clear', 'due', 'clear'] as const
    let looks = 0
    const worker = await steppedWorker(env, {
      readReverification: () => ({
        ...{ state: states[Math.min(looks++, 3)], deadlineAt: null },
        ...{ heldSince: null, salesStopped: false },
      }),
      mailVerification: (async ({ kind }: { kind: string }) => {
        if (kind !== 'restored' || signalled) return
        signalled = true
        await handle?.signal(verificationChanged)
      }) as never,
    })
    await worker.runUntil(async () => {
      handle = await start()
      await worker.ran('mailVerification')
      await handle.signal(verificationChanged)
      await worker.ran('readReverification', 3)
      await handle.signal(verificationChanged)
      expect(await handle.result()).toBe('clear')
    })
    const told = worker.calls.filter(({ step }) => step === 'mailVerification')
    expect(told.map(({ input }) => input.kind)).toEqual(['due', 'restored', 'due', 'restored'])
    expect(new Set(told.map(({ input }) => input.occurrence)).size).toBe(2)
  })
})

describe('a partner that has to prove again who it is', () => {
  it('is reminded, paid nothing after 14 days, sells nothing new 30 days later', async () => {
    const worker = await play(clearAfter(60, { state: 'due' }), 61)
    expect(storyOf(worker)).toEqual([
      '0: mail due',
      '3: mail reminder',
      '7: mail reminder',
      '14: mail reminder',
      '14: holdForVerification',
      '14: mail held',
      '44: stopSales',
      '44: mail stopped',
      '61: liftVerificationHolds',
      '61: mail restored',
    ])
  })

  it('is held on the day that the vendor names, where that comes first', async () => {
    const deadlineAt = new Date((await env.currentTimeMs()) + 5 * day * 1_000).toISOString()
    const worker = await play(clearAfter(6, { state: 'due', deadlineAt }))
    expect(storyOf(worker)).toEqual([
      '0: mail due',
      '3: mail reminder',
      '5: holdForVerification',
      '5: mail held',
      '7: liftVerificationHolds',
      '7: mail restored',
    ])
  })

  it.each(['restricted', 'rejected'] as const)('is held at once when it is %s', async (state) => {
    const worker = await play(clearAfter(1, { state }))
    expect(storyOf(worker).slice(0, 3)).toEqual([
      '0: mail due',
      '0: holdForVerification',
      '0: mail held',
    ])
    const hold = worker.calls.find(({ step }) => step === 'holdForVerification')
    expect(hold?.input.reason).toBe(state)
  })

  it('waits without reminders or holds while the vendor has to look', async () => {
    const worker = await play(clearAfter(50, { state: 'waiting' }), 51)
    expect(storyOf(worker)).toEqual([])
  })

  it('is done when it left', async () => {
    const worker = await play(() => ({ state: 'gone' }))
    expect(storyOf(worker)).toEqual([])
  })
})

describe('more time', () => {
  it('puts the hold off until it is over', async () => {
    let until = ''
    const worker = await steppedWorker(env, {
      ...partner(() => ({ state: 'due' })),
      takeVerificationExtension: () => ({ until, lifts: false }),
    })
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('mailVerification')
      until = new Date((await env.currentTimeMs()) + 20 * day * 1_000).toISOString()
      await handle.executeUpdate(extendReverification, { args: [{ extensionId: 'extension' }] })
      await env.sleep('25 days')
      await worker.ran('holdForVerification')
      await handle.terminate()
    })
    expect(storyOf(worker)).toContain('20: holdForVerification')
    expect(storyOf(worker)).not.toContain('14: holdForVerification')
  })

  it('that lifts holds gives back what is held, until it is over', async () => {
    let until = ''
    const worker = await steppedWorker(env, {
      ...partner(() => ({ state: 'restricted' })),
      takeVerificationExtension: () => ({ until, lifts: true }),
    })
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('holdForVerification')
      until = new Date((await env.currentTimeMs()) + 10 * day * 1_000).toISOString()
      await handle.executeUpdate(extendReverification, { args: [{ extensionId: 'extension' }] })
      await env.sleep('11 days')
      await worker.ran('holdForVerification', 2)
      await handle.terminate()
    })
    const holds = worker.calls.filter(({ step }) => step === 'holdForVerification')
    expect(new Set(holds.map(({ input }) => input.source)).size).toBe(2)
    expect(storyOf(worker)).toEqual(
      expect.arrayContaining(['0: liftVerificationHolds', '10: holdForVerification']),
    )
  })

  it('is not the only thing that can be asked for: a fresh link is too', async () => {
    const worker = await steppedWorker(
      env,
      partner(() => ({ state: 'due' })),
    )
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('mailVerification')
      await handle.executeUpdate(refreshReverificationLink)
      await handle.terminate()
    })
    expect(worker.steps()).toContain('issueVerificationLink')
  })
})

describe('the daily round', () => {
  it('goes page by page and says what it did', async () => {
    const pages = [
      { last: 'a', done: 2 },
      { last: null, done: 1 },
    ]
    let asked = 0
    const worker = await steppedWorker(env, {
      recoverVerificationEvents: () => ({ found: 4 }),
      recheckVerifications: () => pages[asked++],
      redactVerifications: () => ({ last: null, done: 0 }),
    })
    const counts = await worker.runUntil(() =>
      env.client.workflow.execute(verificationUpkeep, {
        workflowId: workflowIds.verificationUpkeep,
        taskQueue,
      }),
    )
    expect(counts).toEqual({ found: 4, looked: 3, redacted: 0 })
    const afters = worker.calls
      .filter(({ step }) => step === 'recheckVerifications')
      .map(({ input }) => input.after)
    expect(afters).toEqual([null, 'a'])
  })
})
