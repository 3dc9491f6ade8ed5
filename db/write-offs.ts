/** Balances of partners that nobody will pay any more, and their end by two persons. */
import { type RawBuilder, type SqlBool, sql } from 'kysely'
import { DomainError } from '../domain/errors.ts'
import { type NewAdjustment, recordAdjustment } from './adjustments.ts'
import type { Db, Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'

/** How long a balance has to stand like this. */
const monthsStanding = 12

export interface WriteOffCandidate {
  /** Made of partner and currency. */
  id: string
  partnerId: string
  currency: string
  /** `negative` is owed by the partner; `dust` is less than one whole unit of its currency. */
  kind: 'negative' | 'dust'
  /** All that is settled and accrued; what a write-off takes away. */
  balance: bigint
  /** The end of the first month that was carried like this, and every one since. */
  since: Date
}

/**
 * Settled balances that were negative, or dust, at the end of every month for a year, and still are
 * with what was booked since. What is on its way is no balance.
 */
const candidates = (filter: RawBuilder<SqlBool>) => sql<WriteOffCandidate>`
  select md5(account.partner_id || account.currency)::uuid as id, account.partner_id,
    account.currency, kind, total as balance, standing.since
  from ledger_accounts account
  join ledger_balances held on held.account_id = account.id
  join currencies on currencies.code = account.currency
  cross join lateral (select held.credits_minor - held.debits_minor as payable,
    (10 ^ coalesce(nullif(exponent, 0), 2))::bigint as unit) settled
  cross join lateral (select (payable + coalesce((
      select earned.credits_minor - earned.debits_minor from ledger_accounts accrued
      join ledger_balances earned on earned.account_id = accrued.id
      where accrued.purpose = 'partner_accrued' and accrued.partner_id = account.partner_id
        and accrued.currency = account.currency), 0))::bigint as total) whole
  cross join lateral (select case
    when payable < 0 and total < 0 then 'negative'
    when payable > 0 and payable < unit and total > 0 and total < unit then 'dust' end as kind) sort
  cross join lateral (
    select min(month.ends_at) as since
    from statements first
    join accounting_periods month using (period)
    where first.partner_id = account.partner_id and first.currency = account.currency
      and first.issued_at is not null
      and not exists (select from statements later
        where later.partner_id = first.partner_id and later.currency = first.currency
          and later.issued_at is not null and (later.period, later.id) >= (first.period, first.id)
          and not case kind when 'negative' then later.carried_minor < 0
            else later.carried_minor > 0 and later.carried_minor < unit end)) standing
  where account.purpose = 'partner_payable' and kind is not null
    and standing.since <= clock_timestamp() - make_interval(months => ${sql.lit(monthsStanding)})
    and ${filter}`

/** Balances that may be written off. */
export async function listWriteOffCandidates(
  db: Db,
  { after, limit }: PageRequest,
): Promise<Page<WriteOffCandidate>> {
  const { rows } = await sql<WriteOffCandidate>`
    select * from (${candidates(sql`true`)}) candidate
    where ${after ?? null}::uuid is null or id < ${after ?? null}::uuid
    order by id desc limit ${limit + 1}`.execute(db)
  return pageOf(rows, limit)
}

export interface BalanceOf {
  partnerId: string
  currency: string
}

export async function findWriteOffCandidate(
  db: Db,
  { partnerId, currency }: BalanceOf,
): Promise<WriteOffCandidate | undefined> {
  const own = sql<SqlBool>`account.partner_id = ${partnerId} and account.currency = ${currency}`
  const { rows } = await candidates(own).execute(db)
  return rows[0]
}

/**
 * Books an approved write-off. Nothing else is booked for the partner while the balance is looked
 * at once more.
 * @throws DomainError `conflict` where it is not the balance any more that was signed.
 */
export async function recordWriteOff(trx: Trx, entry: NewAdjustment): Promise<void> {
  const { partnerId, currency, amountMinor } = entry
  await sql`
    select from ledger_balances held join ledger_accounts account on account.id = held.account_id
    where account.partner_id = ${partnerId} and account.currency = ${currency}
    order by account.id for update of held`.execute(trx)
  const candidate = await findWriteOffCandidate(trx, { partnerId, currency })
  if (candidate?.balance !== -amountMinor) {
    throw new DomainError('conflict', 'the balance is another one by now: propose it again')
  }
  await recordAdjustment(trx, entry, 'write_offs')
}
