/** Entries in the books that persons made: each was approved by two. */
import { sql } from 'kysely'
import type { ApprovalStatus } from '../domain/approvals.ts'
import type { Db, Trx } from './database.ts'
import { recordJournals, signedPosting } from './ledger.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'
import { bookingPeriod } from './periods.ts'

export interface NewAdjustment {
  /** That of its approval. */
  id: string
  partnerId: string
  currency: string
  amountMinor: bigint
  reason: string
  happenedAt: Date
}

/**
 * Books an approved entry, once by its id: a negative amount takes from the partner. It lands in
 * the month that it happened in, or in the first open one after that.
 */
export async function recordAdjustment(
  trx: Trx,
  entry: NewAdjustment,
  against: 'commission_expense' | 'write_offs' = 'commission_expense',
): Promise<void> {
  const period = await bookingPeriod(trx, entry.happenedAt)
  const inserted = await trx
    .insertInto('adjustments')
    .values({ ...entry, period })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('id')
    .executeTakeFirst()
  if (!inserted) return
  await recordJournals(trx, [
    {
      kind: 'adjustment',
      sourceType: 'adjustment',
      sourceId: entry.id,
      period,
      effectiveAt: entry.happenedAt,
      postings: [
        signedPosting({
          debit: { purpose: against },
          credit: { purpose: 'partner_accrued', partnerId: entry.partnerId },
          currency: entry.currency,
          amount: entry.amountMinor,
        }),
      ],
    },
  ])
}

export async function findAdjustment(db: Db, id: string) {
  return db.selectFrom('adjustments').selectAll().where('id', '=', id).executeTakeFirst()
}

/** An entry as it is proposed, or as it stands in the books. */
export interface EntryRow {
  id: string
  partnerId: string
  amountMinor: bigint
  currency: string
  reason: string
  happenedAt: Date
  /** Null once it is booked; partners know of no other. */
  status: Exclude<ApprovalStatus, 'approved'> | null
  payloadHash: string | null
  period: string | null
  recordedAt: Date | null
}

export interface EntrySearch {
  id?: string
  /** Also what is not booked: for the platform owner only. */
  proposals: boolean
}

/** Entries that the caller may see, newest first. */
export async function listEntries(
  db: Db,
  search: EntrySearch,
  page: PageRequest,
): Promise<Page<EntryRow>> {
  const booked = sql`select id, partner_id, amount_minor, currency, reason, happened_at,
      null as status, null as payload_hash, period, recorded_at
    from adjustments`
  // Entries that are older than the rule of two persons have no approval.
  const all = sql`select coalesce(entry.id, proposal.id) as id,
      coalesce(entry.partner_id, proposal.concerned_id) as partner_id,
      coalesce(entry.amount_minor, proposal.amount_minor) as amount_minor,
      coalesce(entry.currency, proposal.currency) as currency,
      coalesce(entry.reason, proposal.reason) as reason,
      coalesce(entry.happened_at, proposal.happened_at) as happened_at,
      case when entry.id is not null then null
        when proposal.status = 'proposed' and proposal.lapses_at <= clock_timestamp()
        then 'expired' else proposal.status end as status,
      proposal.payload_hash, entry.period, entry.recorded_at
    from (select * from approvals where kind in ('manual_entry', 'write_off')) proposal
    full join adjustments entry using (id)`
  const { rows } = await sql<EntryRow>`
    select * from (${search.proposals ? all : booked}) entry
    where (${search.id ?? null}::uuid is null or id = ${search.id ?? null}::uuid)
      and (${page.after ?? null}::uuid is null or id < ${page.after ?? null}::uuid)
    order by id desc limit ${page.limit + 1}`.execute(db)
  return pageOf(rows, page.limit)
}

/** One of them. */
export async function findEntry(
  db: Db,
  search: EntrySearch & { id: string },
): Promise<EntryRow | undefined> {
  const { rows } = await listEntries(db, search, { limit: 1, after: undefined })
  return rows[0]
}
