/** The double-entry ledger: journals are posted once each and never change. */
import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { DomainError } from '../domain/errors.ts'
import { type Db, lockName, type Trx } from './database.ts'
import { type Columns, columnsAndRows, unnested } from './rows.ts'
import type { LedgerAccountsTable, LedgerJournalsTable } from './schema.ts'

export type AccountPurpose = LedgerAccountsTable['purpose']
export type JournalKind = LedgerJournalsTable['kind']

/** An account by its meaning; partner accounts name their partner. */
export interface AccountRef {
  purpose: AccountPurpose
  partnerId?: string
}

export interface Posting {
  debit: AccountRef
  credit: AccountRef
  currency: string
  amount: bigint
}

export interface Journal {
  kind: JournalKind
  sourceType: string
  sourceId: string
  period: string
  effectiveAt: Date
  postings: Posting[]
}

const chart: Record<AccountPurpose, { normalSide: 'debit' | 'credit'; allowContra: boolean }> = {
  stripe_clearing: { normalSide: 'debit', allowContra: true },
  stripe_balance: { normalSide: 'debit', allowContra: true },
  stripe_fees: { normalSide: 'debit', allowContra: true },
  platform_revenue: { normalSide: 'credit', allowContra: false },
  platform_fees: { normalSide: 'credit', allowContra: false },
  tax_payable: { normalSide: 'credit', allowContra: true },
  input_tax: { normalSide: 'debit', allowContra: true },
  tax_withheld: { normalSide: 'credit', allowContra: true },
  refunds: { normalSide: 'debit', allowContra: true },
  write_offs: { normalSide: 'debit', allowContra: true },
  commission_expense: { normalSide: 'debit', allowContra: true },
  partner_accrued: { normalSide: 'credit', allowContra: true },
  partner_payable: { normalSide: 'credit', allowContra: true },
  partner_vat: { normalSide: 'credit', allowContra: true },
  payout_in_transit: { normalSide: 'credit', allowContra: false },
  fx_clearing: { normalSide: 'credit', allowContra: true },
  fx_rounding: { normalSide: 'credit', allowContra: false },
}

/** A negative amount is the same posting the other way round. */
export function signedPosting(posting: Posting): Posting {
  if (posting.amount >= 0n) return posting
  const { debit, credit, amount } = posting
  return { ...posting, debit: credit, credit: debit, amount: -amount }
}

const keyOf = (account: AccountRef, currency: string) =>
  `${account.purpose}/${account.partnerId ?? ''}/${currency}`

const journalKey = (journal: { kind: string; sourceType: string; sourceId: string }) =>
  `${journal.kind}/${journal.sourceType}/${journal.sourceId}`

/** What a journal says, as bytes: two requests with one key must say the same. */
function requestHash(journal: Journal): Buffer {
  const legs = journal.postings.map(
    ({ debit, credit, currency, amount }) =>
      `${keyOf(debit, currency)}>${keyOf(credit, currency)}=${amount}`,
  )
  return createHash('sha256').update(legs.join('\n')).digest()
}

/**
 * Posts journals, each at most once by (kind, source type, source id). Postings of nothing are
 * left out, and a journal without postings is none.
 * @throws DomainError `idempotency_mismatch` when a journal of the same key says something else.
 */
export async function recordJournals(trx: Trx, journals: Journal[]): Promise<void> {
  const meant = journals
    .map((journal) => ({ ...journal, postings: journal.postings.filter((leg) => leg.amount > 0n) }))
    .filter((journal) => journal.postings.length > 0)
  if (meant.length === 0) return
  const hashes = new Map(meant.map((journal) => [journalKey(journal), requestHash(journal)]))
  const inserted = await insertJournals(trx, meant, hashes)
  if (inserted.size < meant.length) await refuseMismatches(trx, meant, hashes)
  await insertPostings(trx, meant, inserted)
}

type NewJournal = Omit<Journal, 'postings'> & { requestHash: Buffer }

const journalColumns: Columns<NewJournal> = {
  kind: 'text',
  sourceType: 'text',
  sourceId: 'uuid',
  period: 'text',
  effectiveAt: 'timestamptz',
  requestHash: 'bytea',
}

async function insertJournals(trx: Trx, journals: Journal[], hashes: Map<string, Buffer>) {
  const rows = journals.map((journal) => ({
    ...journal,
    requestHash: hashes.get(journalKey(journal)) ?? Buffer.alloc(0),
  }))
  const inserted = await sql<{ id: bigint; kind: string; sourceType: string; sourceId: string }>`
    insert into ledger_journals ${columnsAndRows(journalColumns, rows)}
    on conflict (kind, source_type, source_id) do nothing
    returning id, kind, source_type, source_id`.execute(trx)
  return new Map(inserted.rows.map((row) => [journalKey(row), row.id]))
}

type JournalKey = Pick<Journal, 'kind' | 'sourceType' | 'sourceId'>

const keyColumns: Columns<JournalKey> = { kind: 'text', sourceType: 'text', sourceId: 'uuid' }

async function refuseMismatches(trx: Trx, journals: Journal[], hashes: Map<string, Buffer>) {
  const { rows } = await sql<JournalKey & { requestHash: Buffer }>`
    select stored.kind, stored.source_type, stored.source_id, stored.request_hash
    from ${unnested(keyColumns, journals)} as wanted (kind, source_type, source_id)
    join ledger_journals stored using (kind, source_type, source_id)`.execute(trx)
  const other = rows.find((row) => !hashes.get(journalKey(row))?.equals(row.requestHash))
  if (other) {
    throw new DomainError(
      'idempotency_mismatch',
      `the ${other.kind} journal of ${other.sourceType} ${other.sourceId} says something else`,
    )
  }
}

interface NewPosting {
  journalId: bigint
  debitAccountId: bigint
  creditAccountId: bigint
  currency: string
  amountMinor: bigint
}

const postingColumns: Columns<NewPosting> = {
  journalId: 'bigint',
  debitAccountId: 'bigint',
  creditAccountId: 'bigint',
  currency: 'text',
  amountMinor: 'bigint',
}

async function insertPostings(trx: Trx, journals: Journal[], inserted: Map<string, bigint>) {
  const fresh = journals.filter((journal) => inserted.has(journalKey(journal)))
  if (fresh.length === 0) return
  const accountId = await openAccounts(
    trx,
    fresh.flatMap(({ postings }) =>
      postings.flatMap(({ debit, credit, currency }) => [
        { account: debit, currency },
        { account: credit, currency },
      ]),
    ),
  )
  const rows = fresh.flatMap((journal) =>
    journal.postings.map(
      ({ debit, credit, currency, amount }): NewPosting => ({
        journalId: inserted.get(journalKey(journal)) ?? 0n,
        debitAccountId: accountId(debit, currency),
        creditAccountId: accountId(credit, currency),
        currency,
        amountMinor: amount,
      }),
    ),
  )
  await sql`insert into ledger_postings ${columnsAndRows(postingColumns, rows)}`.execute(trx)
}

interface AccountIn {
  account: AccountRef
  currency: string
}

/** The id of an account that was opened. */
export type AccountIds = (account: AccountRef, currency: string) => bigint

/** Finds or opens accounts. */
export async function openAccounts(trx: Trx, accounts: AccountIn[]): Promise<AccountIds> {
  const ids = await ensureAccounts(trx, accounts)
  return (account, currency) => {
    const id = ids.get(keyOf(account, currency))
    if (id === undefined) throw new Error(`no account ${keyOf(account, currency)}`)
    return id
  }
}

/** Sorted, so that two writers never deadlock. @returns ids by meaning. */
async function ensureAccounts(trx: Trx, accounts: AccountIn[]): Promise<Map<string, bigint>> {
  const wanted = new Map(accounts.map((one) => [keyOf(one.account, one.currency), one]))
  const found = await findAccounts(trx, [...wanted.values()])
  const missing = [...wanted.keys()].filter((key) => !found.has(key)).sort()
  if (missing.length === 0) return found
  const rows = missing.map((key) => {
    const { account, currency } = wanted.get(key) as AccountIn
    return {
      purpose: account.purpose,
      partnerId: account.partnerId ?? null,
      currency,
      ...chart[account.purpose],
    }
  })
  await trx
    .insertInto('ledgerAccounts')
    .values(rows)
    .onConflict((conflict) => conflict.columns(['purpose', 'partnerId', 'currency']).doNothing())
    .execute()
  return findAccounts(trx, [...wanted.values()])
}

type AccountKey = { purpose: string; partnerId: string | null; currency: string }

const accountColumns: Columns<AccountKey> = {
  purpose: 'text',
  partnerId: 'uuid',
  currency: 'text',
}

async function findAccounts(trx: Trx, wanted: AccountIn[]) {
  const keys = wanted.map(({ account, currency }) => ({
    purpose: account.purpose,
    partnerId: account.partnerId ?? null,
    currency,
  }))
  const platform = keys.filter(({ partnerId }) => partnerId === null)
  const { rows } = await sql<{
    id: bigint
    purpose: AccountPurpose
    partnerId: string | null
    currency: string
  }>`
    select account.id, wanted.*
    from ${unnested(accountColumns, keys)} wanted (purpose, partner_id, currency)
    cross join lateral (
      select id from ledger_accounts
      where purpose = wanted.purpose and currency = wanted.currency
        and partner_id = wanted.partner_id offset 0) account
    union all
    select account.id, wanted.*
    from ${unnested(accountColumns, platform)} wanted (purpose, partner_id, currency)
    join ledger_accounts account using (purpose, currency)
    where account.partner_id is null`.execute(trx)
  return new Map(
    rows.map((row) => {
      const account: AccountRef = { purpose: row.purpose }
      if (row.partnerId) account.partnerId = row.partnerId
      return [keyOf(account, row.currency), row.id]
    }),
  )
}

export interface Reversal {
  journalId: bigint
  period: string
  effectiveAt: Date
  reason?: string
}

function reversalHash({ journalId, period, effectiveAt, reason }: Reversal): Buffer {
  const said = [journalId.toString(), period, effectiveAt.toISOString(), reason ?? null]
  return createHash('sha256').update(JSON.stringify(said)).digest()
}

/**
 * Takes a journal back by its mirror: the same accounts and amounts with sides exchanged. It
 * happens once to a journal; asking again the same way changes nothing.
 * @returns the id of the reversing journal.
 * @throws DomainError `not_found`; `idempotency_mismatch` when the journal was reversed in another
 *   period, for another time or for another reason.
 */
export async function recordReversal(trx: Trx, reversal: Reversal): Promise<bigint> {
  const { journalId, period, effectiveAt, reason = null } = reversal
  const reversed = await lockJournal(trx, journalId)
  const requestHash = reversalHash(reversal)
  const before = await trx
    .selectFrom('ledgerJournals')
    .select(['id', 'requestHash'])
    .where('reversesId', '=', journalId)
    .executeTakeFirst()
  if (before && !requestHash.equals(before.requestHash)) {
    throw new DomainError(
      'idempotency_mismatch',
      `journal ${journalId} was reversed in other words`,
    )
  }
  if (before) return before.id
  const { id } = await trx
    .insertInto('ledgerJournals')
    .values({
      kind: 'reversal',
      sourceType: `${reversed.kind}/${reversed.sourceType}`,
      sourceId: reversed.sourceId,
      period,
      effectiveAt,
      requestHash,
      reversesId: journalId,
      reason,
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  await sql`
    insert into ledger_postings
      (journal_id, debit_account_id, credit_account_id, currency, amount_minor)
    select ${id}::bigint, credit_account_id, debit_account_id, currency, amount_minor
    from ledger_postings where journal_id = ${journalId} order by id`.execute(trx)
  return id
}

/** Lets one at a time reverse a journal. */
async function lockJournal(trx: Trx, id: bigint) {
  await lockName(trx, `reversal:${id}`)
  const journal = await trx
    .selectFrom('ledgerJournals')
    .select(['kind', 'sourceType', 'sourceId'])
    .where('id', '=', id)
    .executeTakeFirst()
  if (!journal) throw new DomainError('not_found', `there is no journal ${id}`)
  return journal
}

/** Credits less debits of a partner's account, from the projection. */
export async function partnerBalance(
  db: Db,
  account: { purpose: 'partner_accrued' | 'partner_payable'; partnerId: string; currency: string },
): Promise<bigint> {
  const row = await db
    .selectFrom('ledgerBalances')
    .innerJoin('ledgerAccounts', 'ledgerAccounts.id', 'ledgerBalances.accountId')
    .select(['creditsMinor', 'debitsMinor'])
    .where('purpose', '=', account.purpose)
    .where('partnerId', '=', account.partnerId)
    .where('currency', '=', account.currency)
    .executeTakeFirst()
  return row ? row.creditsMinor - row.debitsMinor : 0n
}
