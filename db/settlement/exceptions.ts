/** Partners of a run of whom somebody has to know something, worked out from how things stand. */
import { type RawBuilder, sql } from 'kysely'
import { stretchOf } from '../../domain/cadence.ts'
import { type ExceptionCode, exceptionCodes } from '../../domain/run-exceptions.ts'
import type { Db } from '../database.ts'
import type { PageRequest } from '../paging.ts'
import type { RunRow } from './runs.ts'

export interface RunException {
  partnerId: string
  code: ExceptionCode
  currency: string | null
  /** What is concerned: of the balance, of the payout, or of the hold. */
  amount: bigint | null
  /** What a person wrote, or the code of a cause. */
  reason: string | null
}

type AboutRun = Pick<RunRow, 'id' | 'name' | 'period' | 'programmeId'>
type Query = (
  run: AboutRun,
  ofPartner: (partner: RawBuilder<unknown>) => RawBuilder<unknown>,
) => RawBuilder<unknown>

const ofStatement = (code: ExceptionCode, amount: string, condition: string): Query => {
  const [shown, isTrue] = [sql.raw(`statement.${amount}`), sql.raw(condition)]
  return ({ id }, ofPartner) => sql`
    select statement.partner_id, ${code} as code, statement.currency, ${shown} as amount,
      null::text as reason
    from statements statement
    where statement.run_id = ${id} and ${ofPartner(sql`statement.partner_id`)} and ${isTrue}`
}

const account = (condition: string) =>
  `exists (select from payout_accounts account
    where account.partner_id = statement.partner_id and ${condition})`
const hasAccount = account('account.vendor_account_id is not null')
const isVerified = account(`(account.payable or account.status = 'verified')`)

/** Holds on the partner that are there now, by their causes. */
const ofHolds =
  (code: ExceptionCode, causes: string): Query =>
  ({ id }, ofPartner) =>
    sql`
    select statement.partner_id, ${code} as code, statement.currency,
      statement.payable_minor as amount, hold.cause || ': ' || hold.reason as reason
    from partner_holds hold
    join statements statement on statement.run_id = ${id}
      and statement.partner_id = hold.partner_id and statement.payable_minor > 0
    where hold.released_at is null and ${sql.raw(causes)} and ${ofPartner(sql`hold.partner_id`)}`

const queries: Record<ExceptionCode, Query> = {
  no_payout_account: ofStatement(
    'no_payout_account',
    'payable_minor',
    `statement.payable_minor > 0 and not ${hasAccount}`,
  ),
  account_not_verified: ofStatement(
    'account_not_verified',
    'payable_minor',
    `statement.payable_minor > 0 and ${hasAccount} and not ${isVerified}`,
  ),
  // Such a partner keeps the run from its totals: it may have no statement yet.
  missing_rate: ({ name, period, programmeId }, ofPartner) => sql`
    select partner.id, 'missing_rate', programme.currency, null::bigint,
      programme.currency || ' to ' || partner.payout_currency
    from partners partner join programmes programme on programme.id = partner.programme_id
    where programme.id = ${programmeId} and partner.payout_currency <> programme.currency
      and ${ofPartner(sql`partner.id`)}
      and exists (select from accruals earned
        where earned.partner_id = partner.id and earned.period <= ${period})
      and not exists (select from fx_rates rate where rate.base = programme.currency
        and rate.quote = partner.payout_currency and rate.as_of <= ${stretchOf(name).until})`,
  tax_form: ofHolds('tax_form', `hold.cause = 'tax_form'`),
  bank_change: ofHolds('bank_change', `hold.cause = 'bank_change'`),
  partner_held: ofHolds('partner_held', `hold.cause not in ('tax_form', 'bank_change')`),
  held: ({ id }, ofPartner) => sql`
    select hold.partner_id, 'held', statement.currency,
      coalesce(accrual.amount_minor, statement.held_minor), hold.reason
    from settlement_holds hold
    left join accruals accrual on accrual.id = hold.accrual_id
    join statements statement on statement.run_id = ${id}
      and statement.partner_id = hold.partner_id and statement.held_minor > 0
      and statement.currency = coalesce(accrual.currency, statement.currency)
    where hold.released_at is null and ${ofPartner(sql`hold.partner_id`)}`,
  disputed: ({ id }, ofPartner) => sql`
    select distinct statement.partner_id, 'disputed', statement.currency, statement.held_minor,
      null::text
    from disputes
    join line_payments line on line.payment_id = disputes.payment_id
    join accruals accrual on accrual.line_payment_id = line.id
    join statements statement on statement.run_id = ${id}
      and statement.partner_id = accrual.partner_id and statement.currency = accrual.currency
      and statement.held_minor > 0
    where disputes.status = 'open' and ${ofPartner(sql`accrual.partner_id`)}`,
  reserve: ({ id }, ofPartner) => sql`
    select reserve.partner_id, 'reserve', reserve.currency, reserve.amount_minor,
      coalesce(round(reserve.disputed_minor * 100.0 / nullif(reserve.paid_minor, 0), 2) || ' %',
        'all') || ' disputed'
    from partner_reserves reserve join statements statement on statement.id = reserve.statement_id
    where statement.run_id = ${id} and ${ofPartner(sql`reserve.partner_id`)}`,
  negative_balance: ofStatement('negative_balance', 'closing_minor', 'statement.closing_minor < 0'),
  below_minimum: ofStatement(
    'below_minimum',
    'closing_minor',
    `statement.carry_reason = 'below_minimum'`,
  ),
  excluded: ({ id }, ofPartner) => sql`
    select partner_id, 'excluded', null::text, null::bigint, reason
    from settlement_exclusions where run_id = ${id} and ${ofPartner(sql`partner_id`)}`,
}

function all(
  run: AboutRun,
  codes: readonly ExceptionCode[],
  ofPartner: (partner: RawBuilder<unknown>) => RawBuilder<unknown>,
): RawBuilder<unknown> {
  const wanted = codes.map((code) => sql`(${queries[code](run, ofPartner)})`)
  return sql`(${sql.join(wanted, sql` union all `)})
    found (partner_id, code, currency, amount, reason)`
}

const everybody = () => sql`true`

/** How many there are of each kind; none are left out, in the order of the codes. */
export async function countRunExceptions(db: Db, run: AboutRun) {
  const { rows } = await sql<{ code: ExceptionCode; count: number }>`
    select code, count(*)::int as count from ${all(run, exceptionCodes, everybody)}
    group by code`.execute(db)
  const counts = new Map(rows.map(({ code, count }) => [code, count]))
  return exceptionCodes.flatMap((code) => {
    const count = counts.get(code)
    return count === undefined ? [] : [{ code, count }]
  })
}

/** The next partners with exceptions, in the order of their ids, each with all of its own. */
export async function listRunExceptions(
  db: Db,
  run: AboutRun,
  { after, limit, code }: PageRequest & { code?: ExceptionCode | undefined },
): Promise<{ partners: { id: string; exceptions: RunException[] }[]; next: string | null }> {
  const codes = code ? [code] : exceptionCodes
  const follows = (partner: RawBuilder<unknown>) =>
    after ? sql`${partner} > ${after}::uuid` : sql`true`
  // Each kind is read in the order of its index, no further than a page needs.
  const ofKind = (kind: ExceptionCode) => sql`(select distinct partner_id
    from ${all(run, [kind], follows)} order by partner_id limit ${limit + 1})`
  const found = await sql<{ partnerId: string }>`
    select distinct partner_id from (${sql.join(codes.map(ofKind), sql` union all `)}) kinds
    order by partner_id limit ${limit + 1}`.execute(db)
  const ids = found.rows.slice(0, limit).map(({ partnerId }) => partnerId)
  const next = found.rows.length > limit ? (ids.at(-1) ?? null) : null
  const ofPage = (partner: RawBuilder<unknown>) => sql`${partner} = any(${ids}::uuid[])`
  const { rows } = await sql<RunException>`
    select * from ${all(run, codes, ofPage)}
    order by partner_id, array_position(${[...exceptionCodes]}::text[], code), currency,
      reason`.execute(db)
  const ofPartner = Map.groupBy(rows, ({ partnerId }) => partnerId)
  return { partners: ids.map((id) => ({ id, exceptions: ofPartner.get(id) ?? [] })), next }
}
