/**
 * What would give away that something of somebody else exists: ids, names and addresses of every
 * row with an owner, read as the owner of the tables; and whether a request has changed any row.
 */
import { sql } from 'kysely'
import type { Db } from '../../db/database.ts'
import { outwardId } from '../../domain/ids.ts'
import { type MatrixWorld, parentOf, type Viewer } from './matrix-world.ts'
import { type PlaceName, placeNames, sees } from './world.ts'

/** A text, and those of whom it speaks. */
export interface Trace {
  text: string
  table: string
  owners: Owner[]
}

interface Owner {
  /** Null for the platform's own. */
  place: PlaceName | null
  customer: string | null
  /** Seen by those above too. */
  inTree: boolean
  /** Of an application, which its master reseller decides on. */
  ofApplicant: boolean
}

interface Column {
  table: string
  column: string
}

/** Tables of owners, with the columns by which one recognises a row. */
async function tellingColumns(db: Db): Promise<Column[]> {
  const { rows } = await sql<Column>`
    select class.relname as table, attribute.attname as column
    from pg_class class join pg_attribute attribute on attribute.attrelid = class.oid
    where class.relnamespace = 'public'::regnamespace and class.relkind = 'r'
      and attribute.attnum > 0 and not attribute.attisdropped
      and class.relname not like 'audit\\_%' and class.relname <> 'idempotency_keys'
      and (attribute.attname = 'id' and attribute.atttypid = 'uuid'::regtype
        or attribute.atttypid = 'text'::regtype
          and attribute.attname ~ '(name|email|website|code|label|_id|number|recipient)$')
    `.execute(db)
  return rows
}

async function columnsOf(db: Db, table: string): Promise<Set<string>> {
  const { rows } = await sql<{ name: string }>`
    select attname as name from pg_attribute
    where attrelid = ${`public.${table}`}::regclass and attnum > 0`.execute(db)
  return new Set(rows.map(({ name }) => name))
}

interface Found {
  text: string
  partner: string | null
  customer: string | null
}

/** Who owns the rows of a table, as SQL; undefined where nobody in particular does. */
function ownership(table: string, columns: Set<string>) {
  // An area, and terms that were signed later, belong to the partner that the application became.
  const isBoth = table === 'territory_assignments' || table === 'agreements'
  const ofApplicant = (columns.has('application_id') && !isBoth) || table === 'applications'
  const partner = table === 'partners' ? 'id' : ofApplicant ? 'master_id' : 'partner_id'
  if (!columns.has(partner)) return undefined
  const customer = table === 'customers' ? 'id' : columns.has('customer_id') ? 'customer_id' : null
  return { partner, customer, inTree: columns.has('master_id') && !ofApplicant, ofApplicant }
}

/** Everything that tells of somebody, and what it tells. */
export async function tracesOf(db: Db, world: MatrixWorld): Promise<Trace[]> {
  const traces = new Map<string, Trace>()
  const placeOf = new Map(placeNames.map((name) => [world[name].id, name]))
  const byTable = Map.groupBy(await tellingColumns(db), ({ table }) => table)
  for (const [table, found] of byTable) {
    const owned = ownership(table, await columnsOf(db, table))
    if (!owned) continue
    for (const { column } of found) {
      const { rows } = await sql<Found>`
        select ${sql.ref(column)}::text as text, ${sql.ref(owned.partner)} as partner,
          ${owned.customer ? sql.ref(owned.customer) : sql`null::uuid`} as customer
        from ${sql.table(table)} where length(${sql.ref(column)}::text) >= 8`.execute(db)
      for (const { text, partner, customer } of rows) {
        const owner = { ...owned, place: placeOf.get(partner ?? '') ?? null, customer }
        for (const shown of column === 'id' ? [text, outwardBody(text)] : [text]) {
          const trace = traces.get(shown) ?? { text: shown, table, owners: [] }
          trace.owners.push(owner)
          traces.set(shown, trace)
        }
      }
    }
  }
  // Personal texts may be sealed where they are stored.
  for (const { text, ...owner } of world.planted) {
    traces.set(text, { text, table: 'planted', owners: [{ ...owner, ofApplicant: false }] })
  }
  return [...traces.values()]
}

/** What all outward ids of a row have in common, whatever kind they call it. */
const outwardBody = (uuid: string) => outwardId('partner', uuid).slice('prt_'.length)

function mayKnow(viewer: Viewer, { place, customer, inTree, ofApplicant }: Owner): boolean {
  if (viewer.level === 'super_admin') return true
  if (place === null || viewer.place === null) return false
  if (viewer.level === 'customer') return customer !== null && customer === viewer.customer
  if (ofApplicant) return viewer.level === 'master_reseller' && viewer.place === place
  return inTree ? sees[viewer.place].includes(place) : viewer.place === place && customer === null
}

/** What one must never be shown; ids are looked up, and texts looked for. */
export interface Hidden {
  ids: Map<string, Trace>
  texts: Trace[]
}

const isId = /^([0-9a-hjkmnp-tv-z]{26}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/
const idsIn = /[0-9a-hjkmnp-tv-z]{26}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g

export function hiddenFrom(viewer: Viewer, traces: Trace[], world: MatrixWorld): Hidden {
  const parent = parentOf(viewer.place)
  const told = new Set<string>()
  // A partner knows right above whom it stands, a customer from whom it buys.
  if (parent !== null) told.add(outwardBody(world[parent].id))
  if (viewer.level === 'customer' && viewer.place !== null) {
    const { id } = world[viewer.place]
    told.add(outwardBody(id)).add(id).add(`Partner ${id}`)
  }
  const hidden = traces.filter(
    ({ text, owners }) => !told.has(text) && !owners.some((owner) => mayKnow(viewer, owner)),
  )
  return {
    ids: new Map(hidden.filter(({ text }) => isId.test(text)).map((trace) => [trace.text, trace])),
    texts: hidden.filter(({ text }) => !isId.test(text)),
  }
}

/** All that is hidden and shows in a text. */
export function leaksIn(text: string, { ids, texts }: Hidden): Trace[] {
  const named = [...new Set(text.match(idsIn))].flatMap((id) => ids.get(id) ?? [])
  return [...named, ...texts.filter((trace) => text.includes(trace.text))]
}

const whoActs = ['api_keys', 'members', 'sessions', 'member_invitations', 'invitations']
const whatIsActedOn = ['tenant_domains', 'tenant_images', 'offboardings']

/** The trail says to those above who below them has done something to what, by id alone. */
export function isActorBelow(viewer: Viewer, { table, owners }: Trace): boolean {
  const { place } = viewer
  const below = (owner: Owner) =>
    place !== null && owner.place !== null && sees[place].includes(owner.place)
  return (
    [...whoActs, ...whatIsActedOn].includes(table) &&
    viewer.level !== 'customer' &&
    owners.some(below)
  )
}

/** What a refused request may leave behind: the trail of it, limits, and that a key was used. */
const unwatched = /^(audit_.*|idempotency_keys|rate_limits|sign_in_limits|kysely_.*)$/

/** A print of every table; two of them differ by the names of the tables that changed. */
export async function printOfRows(db: Db): Promise<Map<string, string>> {
  const tables = await sql<{ name: string }>`
    select relname as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1`.execute(db)
  const watched = tables.rows.map(({ name }) => name).filter((name) => !unwatched.test(name))
  const parts = watched.map(
    (name) => sql`select ${name} as name, md5(coalesce(string_agg(whole, '' order by whole), ''))
      as print from (select md5((to_jsonb(own) - 'last_used_at' - 'last_used_ip'
          - 'last_seen_at')::text) as whole
        from ${sql.table(name)} own) rows`,
  )
  const { rows } = await sql<{ name: string; print: string }>`
    ${sql.join(parts, sql` union all `)}`.execute(db)
  return new Map(rows.map(({ name, print }) => [name, print]))
}

export function changedTables(before: Map<string, string>, after: Map<string, string>): string[] {
  return [...after].filter(([name, print]) => before.get(name) !== print).map(([name]) => name)
}
