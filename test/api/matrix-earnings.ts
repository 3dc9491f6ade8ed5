/** What partners earn and are paid, as lines of the matrix. */
import { sql } from 'kysely'
import { type Db, inTransaction } from '../../db/database.ts'
import { outwardId } from '../../domain/ids.ts'
import type { Line } from './matrix-routes.ts'
import type { Thing, Viewer } from './matrix-world.ts'
import { settledPeriod } from './world.ts'

const reason = 'for the matrix'
const earnings: Pick<Line, 'filters' | 'queries'> = {
  filters: { partner: 'partner' },
  queries: [`period=${settledPeriod}`],
}
const ofItself = (viewer: Viewer, { place, customer }: Thing) =>
  viewer.place === place && viewer.customer === customer
const ofBothSides = (viewer: Viewer, { place }: Thing) =>
  viewer.place === null || viewer.place === place

const declaration = {
  kind: 'w8ben',
  legal_name: 'Matrix',
  country: 'DE',
  signed_on: '2026-01-01',
  certified: true,
}

/** The line of each statement that is disputed. */
const linesOf = new Map<string, string>()

export const ofEarnings: Record<string, Line> = {
  'GET /v1/accruals': { list: 'accrual', ...earnings },
  'GET /v1/accruals/:id/why': { about: 'accrual' },
  'GET /v1/partners/:id/earnings': { about: 'partner', reaches: ofBothSides },
  'GET /v1/clawbacks': { list: 'clawback', ...earnings },
  'GET /v1/statements': { list: 'statement', ...earnings },
  'GET /v1/statements/:id': { about: 'statement' },
  'GET /v1/statements/:id/pdf': { about: 'statement' },
  'GET /v1/statements/:id/csv': { about: 'statement' },
  'GET /v1/reserves': {
    list: 'partnerReserve',
    filters: { partner: 'partner' },
    queries: ['kept=true'],
  },
  'POST /v1/reserves/:id/release': { about: 'partnerReserve', body: () => ({ reason }) },
  'POST /v1/statements/:id/disputes': {
    about: 'statement',
    body: (id) => ({ line: linesOf.get(id) ?? 'acc_1', reason }),
    reaches: ofItself,
  },
  'GET /v1/line-disputes': {
    list: 'lineDispute',
    filters: { statement: 'statement' },
    queries: ['status=opened'],
  },
  'GET /v1/line-disputes/:id': { about: 'lineDispute' },
  'POST /v1/line-disputes/:id/answer': {
    about: 'lineDispute',
    body: () => ({ words: reason }),
    reaches: ofBothSides,
  },
  'POST /v1/line-disputes/:id/withdraw': { about: 'lineDispute', reaches: ofItself },
  'POST /v1/line-disputes/:id/decision': {
    about: 'lineDispute',
    body: () => ({ decision: 'reject', reason }),
  },
  'GET /v1/partners/:id/tax-forms': { about: 'partner', reaches: ofBothSides },
  'POST /v1/partners/:id/tax-form': {
    about: 'partner',
    body: () => declaration,
    reaches: ofBothSides,
  },
  'POST /v1/partners/:id/tax-form/request': { about: 'partner' },
  'POST /v1/tax-forms/:id/decision': { about: 'taxForm', body: () => ({ decision: 'accept' }) },
  'GET /v1/tax/1099': { without: 'each reads its own sums' },
  'GET /v1/tax/1099/csv': { without: 'the sums of everybody are the platform’s' },
  'GET /v1/tax/years': { without: 'the years are everybody’s' },
  'PUT /v1/tax/years/:year': { without: 'the years are everybody’s' },
  'GET /v1/payouts': { list: 'payout', ...earnings },
  'GET /v1/payouts/:id': { about: 'payout' },
  // Nothing of this world is paid yet.
  'GET /v1/payouts/:id/remittance': { about: 'payout', early: 409 },
  'GET /v1/payouts/:id/remittance/pdf': { about: 'payout', early: 409 },
  'GET /v1/payout-exceptions': { without: 'the platform alone lists them' },
  'POST /v1/payouts/:id/retry': { about: 'payout', body: () => ({ reason }) },
  'POST /v1/payouts/:id/method': { about: 'payout', body: () => ({ reason }) },
  'POST /v1/payouts/:id/release': { about: 'payout', body: () => ({ reason }) },
  'POST /v1/payouts/:id/write-off': { about: 'payout', body: () => ({ reason }) },
}

/** Of each statement something is kept; they are issued already, so that no trigger may look. */
async function makeReserves(db: Db): Promise<void> {
  await inTransaction(db, async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    await sql`
      insert into partner_reserves (statement_id, partner_id, reseller_id, master_id, currency,
        amount_minor, window_from, paid_minor, disputed_minor, above_bps, keep_bps, kept_since,
        until)
      select id, partner_id, reseller_id, master_id, currency, 1, now() - interval '90 days', 100,
        2, 150, 2500, now(), now() + interval '90 days'
      from statements where issued_at is not null`.execute(trx)
  })
}

/** A disputed line of everybody who has a statement, and a tax form that is asked for. */
export async function makeClaims(db: Db): Promise<void> {
  const { rows } = await sql<{ statementId: string; lineId: string }>`
    insert into line_disputes (statement_id, partner_id, line_kind, line_id, currency, line_minor,
      most_minor, due_at)
    select distinct on (statement.partner_id) statement.id, statement.partner_id, 'accrual',
      accrual.id, statement.currency, accrual.amount_minor, accrual.base_minor,
      now() + interval '7 days'
    from statements statement join accruals accrual using (partner_id, period)
    returning statement_id, line_id`.execute(db)
  await sql`insert into tax_forms (partner_id, state, requested_at)
    select id, 'requested', now() from partners`.execute(db)
  await makeReserves(db)
  for (const { statementId, lineId } of rows) {
    linesOf.set(outwardId('statement', statementId), outwardId('accrual', lineId))
  }
}
