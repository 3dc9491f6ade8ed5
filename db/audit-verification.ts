/**
 * Whether the audit trail is what was recorded. Everything is computed with what PostgreSQL has by
 * itself: functions of the schema could have been changed with the events.
 */
import { sql } from 'kysely'
import { publishedLine, type SignedHead } from '../domain/audit.ts'
import { listDailyHeads, rootOfDay } from './audit.ts'
import type { Db } from './database.ts'

export interface AuditBreak {
  /** The organisation whose chain it is, zeros for the platform; null for a day. */
  tenant: string | null
  seq: number | null
  what: string
}

/** More than these are not told one by one. */
const shownBreaks = 1_000

/** The hash of an event, as chain_events() makes it. */
const eventHash = `sha256(lag(hash, 1, ''::bytea) over chain || sha256(convert_to(json_build_array(
    tenant, seq, id, reseller_id, master_id, at at time zone 'UTC', actor, on_behalf_of,
    request_id, action, kind, subject, verb, code, changed, encode(before_hash, 'hex'),
    encode(after_hash, 'hex'))::text, 'UTF8')))`

interface Found {
  tenant: string
  seq: bigint
  what: string
}

/** All events in their order, once. */
async function checkEvents(db: Db): Promise<{ checked: number; broken: Found[] }> {
  const { rows } = await sql<{ checked: bigint; broken: [string, string, boolean][] | null }>`
    select count(*) as checked,
      (array_agg(json_build_array(tenant, seq::text, follows))
        filter (where not (follows and intact)))[1:${sql.lit(shownBreaks)}] as broken
    from (
      select tenant, seq, seq = lag(seq, 1, 0::bigint) over chain + 1 as follows,
        hash = ${sql.raw(eventHash)} as intact
      from audit_events window chain as (partition by tenant order by seq)) checked`.execute(db)
  const { checked = 0n, broken = null } = rows[0] ?? {}
  return {
    checked: Number(checked),
    broken: (broken ?? []).map(([tenant, seq, follows]) => ({
      tenant,
      seq: BigInt(seq),
      what: follows ? 'the event is not what was recorded' : 'events before this one are missing',
    })),
  }
}

/** The end of each chain is where its writers left it. */
const endBreaks = `
  select head.tenant, head.seq, case
      when last.seq is null then 'all events of the chain are missing'
      when last.seq < head.seq then 'the end of the chain is missing'
      when last.seq > head.seq then 'the chain goes on behind its end'
      else 'the end of the chain is another event' end as what
    from audit_heads head
    left join lateral (select seq, hash from audit_events event
      where event.tenant = head.tenant order by seq desc limit 1) last on true
    where (last.seq, last.hash) is distinct from (head.seq, head.hash)
  union all
  select tenant, max(seq), 'the chain has no end' from audit_events event
    where not exists (select from audit_heads head where head.tenant = event.tenant)
    group by tenant`

/** What was signed is still there. */
const signedBreaks = `
  select own.tenant, own.seq, 'not the event that was signed on ' || own.day as what
    from audit_daily_chains own
    left join audit_events event on event.tenant = own.tenant and event.seq = own.seq
    where event.hash is distinct from own.hash`

/** What is committed and in no chain: whoever wrote it went past the triggers. */
const pendingBreaks = `
  select coalesce(partner_id, '00000000-0000-0000-0000-000000000000') as tenant, 0::bigint as seq,
    'an event is in no chain' as what
  from audit_pending`

async function rowsOf(db: Db, query: string): Promise<Found[]> {
  const { rows } = await sql.raw<Found>(`${query} limit ${shownBreaks}`).execute(db)
  return rows
}

/** Days whose root is not that of their chains, or that do not follow on each other. */
async function listBrokenDays(db: Db): Promise<Set<string>> {
  const { rows } = await sql
    .raw<{ day: string }>(`
    select day from (
      select head.day, head.root = ${rootOfDay}
        and head.previous_root = lag(head.root, 1, ''::bytea) over (order by head.day)
        and head.chains = (select count(*) from audit_daily_chains own where own.day = head.day)
          as intact
      from audit_daily_heads head) checked
    where not intact
    union
    select day from audit_daily_chains own
    where not exists (select from audit_daily_heads head where head.day = own.day)`)
    .execute(db)
  return new Set(rows.map(({ day }) => day))
}

interface Witnesses {
  /** Whether the signature of a day is one of the product's. */
  isSigned(head: SignedHead): boolean
  /** The lines that were published outside of the database; null where there is no such list. */
  published: string[] | null
}

async function checkDays(db: Db, { isSigned, published }: Witnesses): Promise<string[]> {
  const heads = await listDailyHeads(db, null)
  const brokenDays = await listBrokenDays(db)
  const lines = new Set(heads.map(publishedLine))
  return [
    ...[...brokenDays].map((day) => `the head of ${day} is not that of its chains`),
    ...heads.filter((head) => !isSigned(head)).map(({ day }) => `the head of ${day} is forged`),
    ...(published ?? [])
      .filter((line) => !lines.has(line))
      .map((line) => `a published head is not in the database: ${line.slice(0, 200)}`),
  ]
}

/**
 * Checks every event, the ends of all chains, and every signed day, on one snapshot.
 * @returns how many events were checked, and what is broken: nothing where all is well.
 */
export async function verifyAuditTrail(
  db: Db,
  witnesses: Witnesses,
): Promise<{ checked: number; days: number; broken: AuditBreak[] }> {
  const check = async (trx: Db) => {
    const { checked, broken } = await checkEvents(trx)
    const found = [...broken]
    for (const query of [endBreaks, signedBreaks, pendingBreaks]) {
      found.push(...(await rowsOf(trx, query)))
    }
    const days = await checkDays(trx, witnesses)
    const { rows } = await sql<{ days: bigint }>`
      select count(*) as days from audit_daily_heads`.execute(trx)
    return {
      checked,
      days: Number(rows[0]?.days ?? 0n),
      broken: [
        ...found.map(({ tenant, seq, what }) => ({ tenant, seq: Number(seq), what })),
        ...days.map((what) => ({ tenant: null, seq: null, what })),
      ],
    }
  }
  if (db.isTransaction) return check(db)
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(check)
}
