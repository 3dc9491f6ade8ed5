/**
 * Seals over the ledger: blocks of journals, each hashed with the block before it, so that a change
 * past every guard is found. Which journals a block holds, and why no journal is ever missed, is
 * said with the table in `db/migrations/0012-sealing.sql`.
 */
import { sql } from 'kysely'
import { type Db, inTransaction, type Trx } from './database.ts'

export interface Seal {
  number: bigint
  /** In hexadecimal digits, as people keep it. */
  hash: string
  journals: bigint
  sealedAt: Date
}

export interface BrokenSeal {
  number: bigint
  /** Whether it follows on the block before, without a gap. */
  chained: boolean
  /** Whether its rows and what it says of itself still have its hash. */
  intact: boolean
  journals: bigint
  found: bigint
}

/**
 * Everything that a journal says, with its postings and what their accounts mean. Times are written
 * as numbers and bytes as digits, so that no setting of a session has a part in it. A column that
 * is added to these tables is not sealed by itself: blocks that exist keep this form for ever.
 */
const journalDigest = `sha256(convert_to(json_build_array(
  j.xid::text, j.id, j.kind, j.source_type, j.source_id, j.period,
  extract(epoch from j.effective_at), extract(epoch from j.posted_at),
  encode(j.request_hash, 'hex'), j.reverses_id, j.reason,
  (select json_agg(json_build_array(
      p.id, p.currency, p.amount_minor,
      d.id, d.purpose, d.partner_id, c.id, c.purpose, c.partner_id) order by p.id)
    from ledger_postings p
    join ledger_accounts d on d.id = p.debit_account_id
    join ledger_accounts c on c.id = p.credit_account_id
    where p.journal_id = j.id))::text, 'UTF8'))`

/** What lies in the range of transactions of a row `block`. */
const blockContent = `(
  select count(*) as journals, min(j.id) as first_journal_id, max(j.id) as last_journal_id,
    coalesce(string_agg(${journalDigest}, ''::bytea order by j.xid, j.id), '') as digests
  from ledger_journals j
  where j.xid >= block.from_xid and j.xid < block.to_xid)`

const blockHash = `sha256(block.previous_hash || sha256(convert_to(json_build_array(
    block.number, block.from_xid::text, block.to_xid::text,
    extract(epoch from block.sealed_at))::text, 'UTF8')) || content.digests)`

/** Rows of seals whose block is not what was sealed, or that do not follow on each other. */
export const brokenSeals = `
  select number, chained, intact, journals, found from (
    select block.number, block.chained, block.journals, content.journals as found,
      block.hash = ${blockHash} and block.journals = content.journals
        and block.first_journal_id is not distinct from content.first_journal_id
        and block.last_journal_id is not distinct from content.last_journal_id as intact
    from (
      select *, number = lag(number, 1, 0::bigint) over chain + 1
        and from_xid = lag(to_xid, 1, '0'::xid8) over chain
        and previous_hash = lag(hash, 1, ''::bytea) over chain as chained
      from ledger_seals window chain as (order by number)) block
    cross join lateral ${blockContent} content) checked
  where not (chained and intact)`

const defaultBlock = 10_000

/** More than this waits for the next call, which a sweep makes within a minute. */
const blocksAtOnce = 20

/**
 * Seals what is committed and can get no company any more, in blocks of about this many journals;
 * the journals of one transaction are never parted. Any number of callers may do so at once.
 */
export async function sealJournals(
  db: Db,
  { journalsPerBlock = defaultBlock }: { journalsPerBlock?: number } = {},
): Promise<{ sealed: number }> {
  let sealed = 0
  for (let block = 0; block < blocksAtOnce && (await hasUnsealed(db)); block += 1) {
    sealed += await inTransaction(db, (trx) => recordSeal(trx, journalsPerBlock))
  }
  return { sealed }
}

async function hasUnsealed(db: Db): Promise<boolean> {
  const { rows } = await sql<{ waiting: boolean }>`
    select exists (
      select from ledger_journals
      where xid < pg_snapshot_xmin(pg_current_snapshot())
        and xid >= coalesce(
          (select to_xid from ledger_seals order by number desc limit 1), '0')) as waiting`.execute(
    db,
  )
  return rows[0]?.waiting ?? false
}

/**
 * One block by one statement, so that the horizon and the rows below it are of one snapshot; the
 * lock comes first, so that this snapshot has the seal of whoever held it before.
 */
async function recordSeal(trx: Trx, journalsPerBlock: number): Promise<number> {
  await sql`select pg_advisory_xact_lock(hashtextextended('ledger_seals', 0))`.execute(trx)
  const { rows } = await sql<{ journals: bigint }>`
    with chain as (
      select number, to_xid, hash from ledger_seals order by number desc limit 1
    ), start as materialized (
      select coalesce((select number from chain), 0) + 1 as number,
        coalesce((select to_xid from chain), '0') as from_xid,
        coalesce((select hash from chain), '') as previous_hash,
        pg_snapshot_xmin(pg_current_snapshot()) as horizon,
        clock_timestamp() as sealed_at
    ), block as (
      select number, from_xid, previous_hash, sealed_at, coalesce(
        (select case when beyond.xid > first.xid then beyond.xid else (
            -- One transaction fills the block: it ends where the next one begins.
            select xid from ledger_journals
            where xid > first.xid and xid < horizon order by xid limit 1) end
          from (select xid from ledger_journals
              where xid >= from_xid and xid < horizon order by xid limit 1) first,
            (select xid from ledger_journals
              where xid >= from_xid and xid < horizon
              order by xid, id offset ${journalsPerBlock} limit 1) beyond),
        horizon) as to_xid
      from start
    )
    insert into ledger_seals (number, from_xid, to_xid, journals, first_journal_id,
      last_journal_id, previous_hash, hash, sealed_at)
    select number, from_xid, to_xid, journals, first_journal_id, last_journal_id,
      previous_hash, ${sql.raw(blockHash)}, sealed_at
    from block cross join lateral ${sql.raw(blockContent)} content
    where journals > 0
    returning journals`.execute(trx)
  return Number(rows[0]?.journals ?? 0n)
}

/** The seals that are broken; the same query is invariant I19. */
export async function verifySeals(db: Db): Promise<BrokenSeal[]> {
  const { rows } = await sql.raw<BrokenSeal>(brokenSeals).execute(db)
  return rows
}

/** The newest seal: what a copy outside of this database is to be made of. */
export async function findLastSeal(db: Db): Promise<Seal | undefined> {
  const { rows } = await sql<Seal>`
    select number, encode(hash, 'hex') as hash, journals, sealed_at
    from ledger_seals order by number desc limit 1`.execute(db)
  return rows[0]
}

/** Whether the chain still has this seal, of which somebody outside kept a copy. */
export async function hasSeal(db: Db, kept: Pick<Seal, 'number' | 'hash'>): Promise<boolean> {
  const found = await db
    .selectFrom('ledgerSeals')
    .select('number')
    .where('number', '=', kept.number)
    .where('hash', '=', Buffer.from(kept.hash, 'hex'))
    .executeTakeFirst()
  return found !== undefined
}
