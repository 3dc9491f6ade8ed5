/** What was earned and is not paid, cancelled for a cause, and given again when it is gone. */
import { type RawBuilder, sql } from 'kysely'
import type { Trx } from '../database.ts'
import { type Journal, recordJournals, signedPosting } from '../ledger.ts'
import { type Columns, columnsAndRows } from '../rows.ts'
import type { AccrualCancellationsTable } from '../schema.ts'
import { wasSettledBy } from '../settlement/entries.ts'

export type CancellationCause = AccrualCancellationsTable['cause']

/** Something earned, by its row: an accrual, or what a month gave as a whole. */
export interface EarnedPart {
  accrualId: string | null
  closingAccrualId: string | null
  currency: string
  amount: bigint
}

export interface Cancellation {
  terminationId: string
  cause: CancellationCause
  partnerId: string
  period: string
  effectiveAt: Date
}

const accrual = { kind: 'accrual', id: 'accrual.id' } as const
const closing = { kind: 'closing_accrual', id: 'whole.id' } as const

/**
 * What is left of everything that the partner earned and no statement has paid. Paid is what had
 * matured when a statement of its month or a later one paid something, unless that came back.
 */
export async function listUnpaid(trx: Trx, partnerId: string): Promise<EarnedPart[]> {
  const { rows } = await sql<EarnedPart>`
    with paid as (
      select statement.currency, run.cutoff_at
      from statements statement join settlement_runs run on run.id = statement.run_id
      where statement.partner_id = ${partnerId} and statement.issued_at is not null
        and statement.payable_minor > 0 and not exists (select from payouts payout
          where payout.statement_id = statement.id and payout.status = 'returned')
    ), part as (
      select accrual.id as accrual_id, null::uuid as closing_accrual_id, accrual.currency,
        accrual.amount_minor
          - coalesce((select sum(amount_minor) from clawbacks
            where accrual_id = accrual.id), 0)
          - coalesce((select sum(amount_minor) from accrual_cancellations
            where accrual_id = accrual.id), 0) as amount
      from accruals accrual
      where accrual.partner_id = ${partnerId} and accrual.amount_minor > 0
        and (not exists (select from paid where paid.currency = accrual.currency
            and paid.cutoff_at >= accrual.matures_at
            and ${wasSettledBy('paid', { ...accrual, period: 'accrual.period' })})
          or exists (select from settlement_holds hold
            where hold.accrual_id = accrual.id and hold.released_at is null))
      union all
      select null, whole.id, whole.currency, whole.amount_minor
          - coalesce((select sum(amount_minor) from closing_clawbacks
            where closing_accrual_id = whole.id), 0)
          - coalesce((select sum(amount_minor) from accrual_cancellations
            where closing_accrual_id = whole.id), 0)
      from closing_accruals whole
      where whole.partner_id = ${partnerId}
        and not exists (select from paid where paid.currency = whole.currency
          and ${wasSettledBy('paid', { ...closing, period: 'whole.period' })})
    )
    select accrual_id, closing_accrual_id, currency, amount::bigint from part
    where amount <> 0 order by accrual_id, closing_accrual_id`.execute(trx)
  return rows
}

/** What stands cancelled of these, part by part. */
async function listStanding(trx: Trx, which: RawBuilder<unknown>) {
  const { rows } = await sql<EarnedPart & { partnerId: string; terminationId: string }>`
    select accrual_id, closing_accrual_id, currency, partner_id, termination_id,
      sum(amount_minor)::bigint as amount
    from accrual_cancellations where ${which}
    group by 1, 2, 3, 4, 5 having sum(amount_minor) <> 0
    order by 1, 2`.execute(trx)
  return rows
}

/** What a termination has cancelled and nothing has given again. */
export const listCancelled = (trx: Trx, terminationId: string) =>
  listStanding(trx, sql`termination_id = ${terminationId}`)

type NewCancellation = Omit<Cancellation, 'effectiveAt'> &
  Omit<EarnedPart, 'amount'> & { amountMinor: bigint }

const columns: Columns<NewCancellation> = {
  terminationId: 'uuid',
  cause: 'text',
  accrualId: 'uuid',
  closingAccrualId: 'uuid',
  partnerId: 'uuid',
  currency: 'text',
  amountMinor: 'bigint',
  period: 'text',
}

/** Takes these amounts back, each with a journal of its own; gives them again where negative. */
export async function recordCancellations(
  trx: Trx,
  { effectiveAt, ...said }: Cancellation,
  parts: EarnedPart[],
): Promise<void> {
  if (parts.length === 0) return
  const rows = parts.map(({ amount, accrualId, closingAccrualId, currency }) => ({
    ...said,
    accrualId,
    closingAccrualId,
    currency,
    amountMinor: amount,
  }))
  const { rows: made } = await sql<{ id: string; currency: string; amountMinor: bigint }>`
    insert into accrual_cancellations ${columnsAndRows(columns, rows)}
    returning id, currency, amount_minor`.execute(trx)
  await recordJournals(
    trx,
    made.map(
      ({ id, currency, amountMinor }): Journal => ({
        kind: 'cancellation',
        sourceType: 'accrual_cancellation',
        sourceId: id,
        period: said.period,
        effectiveAt,
        postings: [
          signedPosting({
            debit: { purpose: 'partner_accrued', partnerId: said.partnerId },
            credit: { purpose: 'commission_expense' },
            currency,
            amount: amountMinor,
          }),
        ],
      }),
    ),
  )
}

/**
 * Money of a customer went back on something that is cancelled: what it takes is no longer
 * cancelled but clawed back, so that nothing is taken twice and a reinstatement gives no more than
 * is left.
 */
export async function recordReplacedCancellations(
  trx: Trx,
  taken: { accrualIds: string[]; closingAccrualIds: string[] },
  at: { period: string; effectiveAt: Date },
): Promise<void> {
  const standing = await listStanding(
    trx,
    sql`accrual_id = any(${taken.accrualIds}::uuid[])
      or closing_accrual_id = any(${taken.closingAccrualIds}::uuid[])`,
  )
  if (standing.length === 0) return
  const { rows: left } = await sql<{ id: string; amount: bigint }>`
    select id, (amount_minor - coalesce((select sum(amount_minor) from clawbacks
      where accrual_id = accruals.id), 0))::bigint as amount
    from accruals where id = any(${standing.flatMap(({ accrualId }) => accrualId ?? [])}::uuid[])
    union all
    select id, (amount_minor - coalesce((select sum(amount_minor) from closing_clawbacks
      where closing_accrual_id = closing_accruals.id), 0))::bigint
    from closing_accruals
    where id = any(${standing.flatMap(({ closingAccrualId }) => closingAccrualId ?? [])}::uuid[])
  `.execute(trx)
  const leftOf = new Map(left.map(({ id, amount }) => [id, amount]))
  for (const part of standing) {
    const most = leftOf.get(part.accrualId ?? part.closingAccrualId ?? '') ?? 0n
    const excess = most >= 0n ? part.amount - most : part.amount
    if (excess <= 0n) continue
    const { terminationId, partnerId } = part
    const said = { terminationId, partnerId, cause: 'reversal' as const, ...at }
    await recordCancellations(trx, said, [{ ...part, amount: -excess }])
  }
}
