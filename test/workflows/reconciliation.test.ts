/** The daily comparison with Stripe: patient with Stripe, page by page, started by a schedule. */
import { ApplicationFailure } from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import type { ReconciledDays } from '../../activities/reconciliation.ts'
import { taskQueue } from '../../domain/process-names.ts'
import { reconciliation } from '../../workflows/reconciliation.ts'
import { inTurn, type StandIns, startSkipping, steppedWorker } from '../support/processes.ts'

const days = (last: string | null, added = 0): ReconciledDays => ({ last, added, gone: 1 })

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await startSkipping()
})
afterAll(() => env.teardown())

const read = { mirrored: 1, complete: true }
const usual: StandIns = {
  mirrorBalance: () => read,
  bookBalance: () => 0,
  reconcileStanding: () => ({ added: 0, gone: 0 }),
  reconcileDays: () => days(null),
}

async function played(standIns: StandIns) {
  const worker = await steppedWorker(env, { ...usual, ...standIns })
  const result = await worker.runUntil(() =>
    env.client.workflow.execute(reconciliation, { workflowId: 'reconcile', taskQueue, args: [] }),
  )
  return { worker, result }
}

describe('the daily comparison', () => {
  it('reads Stripe’s ledger to its end and books it before it compares, then tells people', async () => {
    const { worker, result } = await played({
      mirrorBalance: inTurn({ ...read, complete: false }, read),
      bookBalance: inTurn(7, 0),
      reconcileStanding: () => ({ added: 1, gone: 0 }),
      reconcileDays: inTurn(days('2026-11-01', 2), days('2026-11-13'), days(null, 1)),
    })
    expect(result).toEqual({ added: 4, gone: 3 })
    expect(worker.steps({ mails: true })).toEqual([
      ...['mirrorBalance', 'mirrorBalance', 'bookBalance', 'bookBalance', 'reconcileStanding'],
      ...['reconcileDays', 'reconcileDays', 'reconcileDays', 'mailBreaks'],
    ])
    const pages = worker.calls.filter(({ step }) => step === 'reconcileDays')
    expect(pages.map(({ input }) => input.after)).toEqual([null, '2026-11-01', '2026-11-13'])
  })

  it('waits for a Stripe that cannot be read, for days, and calls nothing missing meanwhile', async () => {
    let tries = 0
    const { worker } = await played({
      mirrorBalance: () => {
        tries += 1
        if (tries < 500) throw ApplicationFailure.create({ type: 'vendor_unknown' })
        return read
      },
    })
    expect(worker.steps().filter((step) => step === 'mirrorBalance')).toHaveLength(500)
    expect(worker.steps().filter((step) => step === 'reconcileDays')).toHaveLength(1)
  })
})
