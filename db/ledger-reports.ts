/** The books of a month as they are handed out: by account, and journal by journal. */
import { sql } from 'kysely'
import type { Db, Trx } from './database.ts'
import type { AccountPurpose, JournalKind } from './ledger.ts'

/** One account in a month. Balances are debits less credits: all of a currency sum to zero. */
export interface AccountFigures {
  account: AccountPurpose
  /** Of accounts that partners have each for itself. */
  partnerId: string | null
  currency: string
  opening: bigint
  debits: bigint
  credits: bigint
  closing: bigint
}

/** What the platform owes partners, and for them, at the end of a month, in one currency. */
export interface Liability {
  /** Earned and not settled, less what was taken back of it: due when a statement says so. */
  accruedNotDue: bigint
  /** Settled and not paid: held, below the minimum, or about to be sent. */
  settledNotPaid: bigint
  /** What partners owe, because more was taken back than they were owed. */
  owedByPartners: bigint
  /** Reserved for payouts that are on their way. */
  inTransit: bigint
  /** Tax that was withheld of payouts, until it is handed over. */
  withheldTax: bigint
  /** Tax of self-billed documents that no payout took yet. */
  vatNotPaid: bigint
}

/** An account of the platform, or all accounts of partners with the same meaning. */
export type TrialBalanceRow = Omit<AccountFigures, 'partnerId'>

/** Each currency of a month, with its accounts in the order of their names. */
export interface TrialBalance {
  rows: TrialBalanceRow[]
  liability: Map<string, Liability>
}

export type PeriodStatus = 'open' | 'closing' | 'closed'

/** Whether a month is closed; undefined for one without books. */
export async function findPeriodStatus(db: Db, period: string): Promise<PeriodStatus | undefined> {
  const row = await db
    .selectFrom('accountingPeriods')
    .select('status')
    .where('period', '=', period)
    .executeTakeFirst()
  return row?.status
}

/** Every account that has moved until the end of a month; without parameters, for a cursor. */
const figuresOf = (period: string) => sql<AccountFigures>`
  select account.purpose as account, account.partner_id, account.currency,
    coalesce(sum(debit - credit) filter (where earlier), 0)::bigint as opening,
    coalesce(sum(debit) filter (where not earlier), 0)::bigint as debits,
    coalesce(sum(credit) filter (where not earlier), 0)::bigint as credits,
    sum(debit - credit)::bigint as closing
  from ledger_postings leg
  join (select id, period < ${sql.lit(period)} as earlier from ledger_journals
    where period <= ${sql.lit(period)}) j on j.id = leg.journal_id
  cross join lateral (values (leg.debit_account_id, leg.amount_minor, 0::bigint),
    (leg.credit_account_id, 0::bigint, leg.amount_minor)) side (account_id, debit, credit)
  join ledger_accounts account on account.id = side.account_id
  group by account.id`

/** Added up over partners. */
export async function getTrialBalance(db: Db, period: string): Promise<TrialBalance> {
  const { rows } = await sql<TrialBalanceRow & { owing: bigint }>`
    select account, currency, sum(opening)::bigint as opening, sum(debits)::bigint as debits,
      sum(credits)::bigint as credits, sum(closing)::bigint as closing,
      sum(greatest(closing, 0))::bigint as owing
    from (${figuresOf(period)}) figures
    group by 1, 2 order by 2, 1`.execute(db)
  const liability = new Map<string, Liability>()
  for (const currency of new Set(rows.map((row) => row.currency))) {
    const of = (account: AccountPurpose) =>
      rows.find((row) => row.account === account && row.currency === currency)
    const owedByPartners = of('partner_payable')?.owing ?? 0n
    liability.set(currency, {
      accruedNotDue: -(of('partner_accrued')?.closing ?? 0n),
      settledNotPaid: owedByPartners - (of('partner_payable')?.closing ?? 0n),
      owedByPartners,
      inTransit: -(of('payout_in_transit')?.closing ?? 0n),
      withheldTax: -(of('tax_withheld')?.closing ?? 0n),
      vatNotPaid: -(of('partner_vat')?.closing ?? 0n),
    })
  }
  return { rows: rows.map(({ owing: _owing, ...row }) => row), liability }
}

const accountsAtOnce = 5_000

/**
 * Every account by itself, in the order of currency, name and partner, and the trial balance of the
 * same moment.
 * @param take is given the accounts part by part, so that they need not be held all at once.
 */
export async function listAccountFigures(
  db: Db,
  period: string,
  take: (accounts: AccountFigures[]) => void,
): Promise<TrialBalance> {
  const read = async (trx: Trx) => {
    await sql`declare accounts_of_period no scroll cursor for
      select * from (${figuresOf(period)}) figures
      order by currency, account, partner_id`.execute(trx)
    for (;;) {
      const { rows } = await sql<AccountFigures>`
        fetch ${sql.lit(accountsAtOnce)} from accounts_of_period`.execute(trx)
      if (rows.length === 0) break
      take(rows)
    }
    return getTrialBalance(trx, period)
  }
  return db.transaction().setIsolationLevel('repeatable read').execute(read)
}

/** A posting with its journal. */
export interface JournalLine {
  journal: bigint
  kind: JournalKind
  sourceType: string
  sourceId: string
  effectiveAt: Date
  postedAt: Date
  debit: AccountPurpose
  debitPartnerId: string | null
  credit: AccountPurpose
  creditPartnerId: string | null
  currency: string
  amount: bigint
  reason: string | null
}

const journalsAtOnce = 2_000

/** Every posting of a month in the order of its journals, part by part. */
export async function* listJournalLines(db: Db, period: string): AsyncGenerator<JournalLine[]> {
  const first = await sql<{ id: bigint | null }>`
    select min(id) - 1 as id from ledger_journals where period = ${period}`.execute(db)
  let after = first.rows[0]?.id ?? null
  while (after !== null) {
    const lines: JournalLine[] = await journalPage(db, { period, after })
    if (lines.length === 0) return
    yield lines
    after = lines.at(-1)?.journal ?? null
  }
}

async function journalPage(
  db: Db,
  { period, after }: { period: string; after: bigint },
): Promise<JournalLine[]> {
  const { rows } = await sql<JournalLine>`
    select j.id as journal, j.kind, j.source_type, j.source_id, j.effective_at, j.posted_at,
      d.purpose as debit, d.partner_id as debit_partner_id, c.purpose as credit,
      c.partner_id as credit_partner_id, leg.currency, leg.amount_minor as amount, j.reason
    from (select * from ledger_journals where period = ${period} and id > ${after}
      order by id limit ${journalsAtOnce}) j
    join ledger_postings leg on leg.journal_id = j.id
    join ledger_accounts d on d.id = leg.debit_account_id
    join ledger_accounts c on c.id = leg.credit_account_id
    order by j.id, leg.id`.execute(db)
  return rows
}
