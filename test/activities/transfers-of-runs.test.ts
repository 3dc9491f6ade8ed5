import { sql } from 'kysely'
import type { ActivityDeps } from '../../activities/deps.ts'
import { inTransaction } from '../../db/database.ts'
import { VendorError } from '../../integrations/vendor-error.ts'
import { openBooks } from '../support/books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeProgramme } from '../support/factories.ts'
import { asSteps } from '../support/steps.ts'

const payouts = 2_250

let database: TestDatabase
let runId: string
beforeAll(async () => {
  database = await createTestDatabase()
  const { db } = database
  await makeProgramme(db)
  runId = await openBooks(db).newRun('2026-08')
  // Paid payouts, without the month of sales that they would come from.
  await inTransaction(db, async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    await sql`
      with made as (
        insert into payouts (statement_id, run_id, partner_id, reseller_id, master_id, currency,
          amount_minor, status, paid_at)
        select gen_random_uuid(), ${runId}, gen_random_uuid(), gen_random_uuid(),
          gen_random_uuid(), 'USD', 100 + no, 'paid', now()
        from generate_series(1, ${sql.lit(payouts)}) no
        returning *
      )
      insert into payout_attempts (payout_id, partner_id, reseller_id, master_id, attempt_no,
        idempotency_key, request, status, vendor_transfer_id, finished_at)
      select id, partner_id, reseller_id, master_id, 1, id,
        jsonb_build_object('amount', amount_minor, 'currency', 'usd', 'destination', 'acct_1',
          'transferGroup', id, 'metadata', '{}'::jsonb),
        'succeeded', 'tr_' || amount_minor, now()
      from made`.execute(trx)
  })
})
afterAll(() => database.drop())

/** The processor has every transfer as it was sent, but for what a test says of one. */
function stepsBeside(told: (transferId: string) => object | Error | undefined) {
  const asked: string[] = []
  const readTransfer = async (transferId: string) => {
    asked.push(transferId)
    const other = told(transferId)
    if (other instanceof Error) throw other
    const amount = Number(transferId.slice(3))
    const sent = { amount, currency: 'usd', destination: 'acct_1', reversed: false }
    return { transferId, ...sent, metadata: {}, ...other }
  }
  // What went back did so in part: a whole one would be booked, and be no difference.
  const bank = { findReversal: () => Promise.resolve(null) }
  const deps = { db: database.db, connect: { readTransfer }, bank }
  return { asked, steps: asSteps(deps as unknown as ActivityDeps) }
}

const vendorError = (failure: VendorError['failure']) =>
  new VendorError({ vendor: 'stripe', failure, code: failure, message: 'no' })

describe('the transfers of a run', () => {
  it('are compared by the thousand in one step, each once', async () => {
    const { asked, steps } = stepsBeside(() => undefined)
    const first = await steps.reconcilePage({ runId, after: null })
    expect(first).toEqual({ last: expect.any(String), differences: 0 })
    expect(asked).toHaveLength(2_000)
    const second = await steps.reconcilePage({ runId, after: first.last })
    expect(second).toEqual({ last: null, differences: 0 })
    expect(new Set(asked).size).toBe(payouts)
    expect(asked).toHaveLength(payouts)
  })

  it('differ where amount, currency or receiver do, one went back, or it is not there', async () => {
    const other: Record<string, object | Error> = {
      tr_101: { amount: 100 },
      tr_102: { currency: 'eur' },
      tr_203: { destination: 'acct_2' },
      tr_204: { reversed: true },
      tr_405: vendorError('rejected'),
    }
    const { steps } = stepsBeside((transferId) => other[transferId])
    const { differences } = await steps.reconcilePage({ runId, after: null })
    expect(differences).toBe(5)
  })

  it('are gone through from the page that got no answer, and none is counted twice', async () => {
    let silent = true
    const { asked, steps } = stepsBeside((transferId) => {
      if (transferId === 'tr_150') return { amount: 1 }
      return transferId === 'tr_650' && silent ? vendorError('unknown') : undefined
    })
    const first = await steps.reconcilePage({ runId, after: null })
    expect(first).toEqual({ last: expect.any(String), differences: 1 })
    expect(asked.length).toBeLessThan(600)
    await expect(steps.reconcilePage({ runId, after: first.last })).rejects.toMatchObject({
      type: 'vendor_unknown',
    })
    silent = false
    expect((await steps.reconcilePage({ runId, after: first.last })).differences).toBe(0)
  })
})
