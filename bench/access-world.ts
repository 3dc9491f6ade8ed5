/**
 * The world that `bench access` looks at: four levels, with a reseller below a reseller here and
 * there, and customers by the million, which the database makes itself because they are many.
 */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import type { Db, Trx } from '../db/database.ts'
import { type NewPartner, recordPartner } from '../db/partners.ts'
import { getProgramme, recordProgramme } from '../db/programmes.ts'
import type { ContextLevel, TenantContext } from '../db/tenancy.ts'
import { demoProgramme } from '../scripts/stack/programme.ts'
import { sealedText } from './accruals-world.ts'

const masters = 10
const resellersOfMaster = 20
/** One reseller of ten has another below it. */
const chainsOf = 10
const started = new Date('2020-01-01T00:00:00Z')

/** Somebody who looks at the list, and the condition that says the same by hand. */
export interface Viewer {
  context: TenantContext
  /** In the words of `customers`; null where everything is seen. */
  where: { column: 'master_id' | 'reseller_id' | 'partner_id' | 'id'; value: string } | null
}

export const viewerNames = ['super_admin', 'master', 'reseller', 'subreseller', 'customer'] as const
export type ViewerName = (typeof viewerNames)[number]
export type Viewers = Record<ViewerName, Viewer>

interface Seller {
  id: string
  resellerId: string
  masterId: string
}

/** @returns who looks at the list, by name. */
export async function makeAccessWorld(db: Db, rows: number): Promise<Viewers> {
  const sellers = await db.transaction().execute(async (trx) => {
    await recordProgramme(trx, { ...demoProgramme, rules: [] })
    const made = await makeSellers(trx)
    await makeCustomers(trx, { sellers: made, rows })
    return made
  })
  await sql`vacuum (analyze)`.execute(db)
  const [direct] = sellers
  const chained = sellers.find(({ id, resellerId }) => id !== resellerId)
  if (!direct || !chained) throw new Error('the world has both kinds of resellers')
  const { rows: some } = await sql<{ id: string; partnerId: string }>`
    select id, partner_id from customers where partner_id = ${direct.id} limit 1`.execute(db)
  const [customer] = some
  if (!customer) throw new Error('the world has customers')
  return {
    super_admin: viewer('super_admin', null, null),
    master: viewer('master_reseller', direct.masterId, 'master_id'),
    reseller: viewer('reseller', direct.id, 'reseller_id'),
    subreseller: viewer('subreseller', chained.id, 'partner_id'),
    customer: {
      context: { ...contextOf('customer', customer.partnerId), customerId: customer.id },
      where: { column: 'id', value: customer.id },
    },
  }
}

function contextOf(level: ContextLevel, partnerId: string | null): TenantContext {
  return {
    level,
    partnerId,
    customerId: null,
    actor: `key:${randomUUIDv7()}`,
    onBehalfOf: `member:${randomUUIDv7()}`,
    requestId: `req_${randomUUIDv7()}`,
    action: 'GET /v1/customers',
  }
}

function viewer(
  level: ContextLevel,
  partnerId: string | null,
  column: 'master_id' | 'reseller_id' | 'partner_id' | null,
): Viewer {
  const where = column && partnerId ? { column, value: partnerId } : null
  return { context: contextOf(level, partnerId), where }
}

/** @returns everybody who sells: the resellers, and those below one. */
async function makeSellers(trx: Trx): Promise<Seller[]> {
  const { id: programmeId } = await getProgramme(trx)
  const partner = async (level: NewPartner['level'], parentId: string | null) => {
    const id = randomUUIDv7()
    await recordPartner(trx, {
      id,
      programmeId,
      name: `Partner ${id.slice(-6)}`,
      level,
      type: 'white_label',
      country: 'US',
      website: 'https://partner.example',
      contactName: 'Contact',
      contactEmail: 'partner@partner.example',
      parentId,
      tier: 'bronze',
      effectiveFrom: started,
    })
    return id
  }
  const sellers: Seller[] = []
  for (let master = 0; master < masters; master += 1) {
    const masterId = await partner('master_reseller', null)
    for (let no = 0; no < resellersOfMaster; no += 1) {
      const resellerId = await partner('reseller', masterId)
      sellers.push({ id: resellerId, resellerId, masterId })
      if (no % chainsOf !== 0) continue
      sellers.push({ id: await partner('reseller', resellerId), resellerId, masterId })
    }
  }
  return sellers
}

/** Sellers take turns in no order, so that the newest rows of one lie between those of all. */
async function makeCustomers(
  trx: Trx,
  { sellers, rows }: { sellers: Seller[]; rows: number },
): Promise<void> {
  const columns = (pick: (seller: Seller) => string) => sellers.map(pick)
  await sql`alter table customers disable trigger user`.execute(trx)
  await sql`
    with seller as materialized (
      select row_number() over () - 1 as no, * from unnest(
        ${columns(({ id }) => id)}::uuid[], ${columns(({ resellerId }) => resellerId)}::uuid[],
        ${columns(({ masterId }) => masterId)}::uuid[]) of (id, reseller_id, master_id))
    insert into customers (partner_id, reseller_id, master_id, name_sealed, email_sealed)
    select seller.id, seller.reseller_id, seller.master_id, ${sql.lit(sealedText)}::bytea,
      ${sql.lit(sealedText)}::bytea
    from generate_series(1, ${rows}::integer) customer (no)
    join seller on seller.no = (hashint8(customer.no)::bigint & 2147483647) % ${sellers.length}
    order by customer.no`.execute(trx)
  await sql`alter table customers enable trigger user`.execute(trx)
}
