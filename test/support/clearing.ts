/** What the tests of the balance ask of the books. */
import { sql } from 'kysely'
import type { Db, Trx } from '../../db/database.ts'
import { checkInvariants, type Violation } from '../../db/invariants.ts'
import { rolledBack } from './database.ts'

/** Debits less credits of each account of the platform that is not empty, by `account CURRENCY`. */
export async function balances(db: Db): Promise<Record<string, bigint>> {
  const { rows } = await sql<{ account: string; amount: bigint }>`
    select account.purpose || ' ' || account.currency as account, sum(side.amount)::bigint as amount
    from ledger_accounts account join (
      select debit_account_id as account_id, amount_minor as amount from ledger_postings
      union all select credit_account_id, -amount_minor from ledger_postings) side
      on side.account_id = account.id
    where account.partner_id is null
    group by 1 having sum(side.amount) <> 0 order by 1`.execute(db)
  return Object.fromEntries(rows.map(({ account, amount }) => [account, amount]))
}

const times = {
  ledger_journals: ['posted_at'],
  line_reversals: ['recorded_at'],
  payments: ['recorded_at'],
  disputes: ['closed_at'],
  payouts: ['created_at'],
  payout_accounts: ['checked_at'],
  payout_attempts: ['first_sent_at', 'finished_at'],
  stripe_txns: ['recorded_at', 'available_at'],
}

/** Moves everything back in time, past every guard. */
export async function age(trx: Trx, days: number): Promise<void> {
  await sql`set local session_replication_role = replica`.execute(trx)
  for (const [table, columns] of Object.entries(times)) {
    const set = columns.map((column) => `${column} = ${column} - interval '${days} days'`)
    await sql.raw(`update ${table} set ${set.join(', ')}`).execute(trx)
  }
  await sql`set local session_replication_role = origin`.execute(trx)
}

/** What will be broken when so many days have passed and nothing else happens. */
export async function brokenAfter(db: Db, days: number): Promise<Violation[]> {
  const found: Violation[] = []
  await rolledBack(db, async (trx) => {
    found.push(...(await brokenWhenAged(trx, days)))
  })
  return found
}

/** The same in a transaction whose changes nobody is to see. */
export async function brokenWhenAged(trx: Trx, days: number): Promise<Violation[]> {
  await age(trx, days)
  const { violations } = await checkInvariants(trx)
  // Seals and closes were made when they were made.
  return violations.filter(({ invariant }) => invariant === 'I18' || invariant === 'I20')
}
