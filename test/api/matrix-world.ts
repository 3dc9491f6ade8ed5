/**
 * The world of the matrix: who looks, and what there is. What each may see is worked out here
 * from who stands above whom, never from the policies that are tested.
 */
import { createHash, randomUUIDv7 } from 'node:crypto'
import { type RawBuilder, sql } from 'kysely'
import { generateKey } from '../../api/keys.ts'
import {
  listPlatformMembers,
  recordApiKey,
  recordInvitation,
  recordMember,
} from '../../db/access.ts'
import { recordDecision, recordProposal } from '../../db/approvals.ts'
import { listFeaturePackages } from '../../db/catalog.ts'
import { type Db, inTransaction } from '../../db/database.ts'
import { recordMemberInvitation } from '../../db/people/members.ts'
import { recordCustomer, recordSubscription } from '../../db/subscriptions.ts'
import { type IdKind, outwardId } from '../../domain/ids.ts'
import type { MemberRole } from '../../domain/members.ts'
import type { ActorLevel } from '../../domain/partners.ts'
import { makeApplicationInvitation } from '../support/application-invitations.ts'
import {
  makeApplication,
  makeLink,
  makeSignedTerms,
  makeTerritory,
  unique,
} from '../support/factories.ts'
import { makeScreening } from '../support/screenings.ts'
import { makeClaims } from './matrix-earnings.ts'
import { makeBreaks } from './matrix-finance.ts'
import { makeTenantsLeave } from './matrix-lifecycle.ts'
import { makeDocuments } from './matrix-self-billing.ts'
import { makeLearners } from './matrix-training.ts'
import {
  fillWorld,
  issueStatements,
  makeWorld,
  type PlaceName,
  placeNames,
  sees,
  type World,
} from './world.ts'

export interface Viewer {
  name: string
  key: string
  level: ActorLevel
  role: MemberRole
  scopes: readonly string[]
  /** Null for the platform owner. */
  place: PlaceName | null
  customer: string | null
}

const everyScope = ['read', 'write', 'approvals:write'] as const

/** A key for somebody of a place, of a customer of it, or of the platform. */
export async function keyFor(
  db: Db,
  who: {
    partnerId: string | null
    customerId?: string
    role?: MemberRole
    scopes?: readonly string[]
  },
): Promise<string> {
  const { secret, ...stored } = generateKey('test')
  const { partnerId, customerId = null, role = 'owner', scopes = everyScope } = who
  await inTransaction(db, async (trx) => {
    const memberId = await recordMember(trx, {
      ...{ id: randomUUIDv7(), partnerId, customerId, role, name: unique('Member') },
      email: `${unique('member')}@people.example`,
    })
    await recordApiKey(trx, {
      ...stored,
      id: randomUUIDv7(),
      memberId,
      label: unique('label'),
      scopes: [...scopes],
      expiresAt: new Date(Date.now() + 3_600_000),
    })
  })
  return secret
}

export interface MatrixWorld extends World {
  viewers: Viewer[]
  planted: Planted[]
}

const parents = { shop: 'north', market: 'north', corner: 'shop', pier: 'south' } as const

/** Who stands right above a place: the only one above that a partner is told of. */
export const parentOf = (place: PlaceName | null): PlaceName | null =>
  place !== null && place in parents ? parents[place as keyof typeof parents] : null

export type Relation = 'own' | 'child' | 'parent' | 'sibling' | 'cousin' | 'other master'

/** What the owner of a thing is to the one who looks. */
export function relationOf(viewer: PlaceName, place: PlaceName): Relation {
  if (viewer === place) return 'own'
  if (sees[viewer].includes(place)) return 'child'
  if (sees[place].includes(viewer)) return 'parent'
  if (parentOf(viewer) !== null && parentOf(viewer) === parentOf(place)) return 'sibling'
  const master = (name: PlaceName) => (sees.north.includes(name) ? 'north' : 'south')
  return master(viewer) === master(place) ? 'cousin' : 'other master'
}

/** A name or an address that was made for one owner, and is known again wherever it shows. */
export interface Planted {
  text: string
  place: PlaceName | null
  customer: string | null
  /** Seen by those above too. */
  inTree: boolean
}

/** Every partner with customers, a link, a tenant, earnings, statements, keys and members. */
export async function makeMatrixWorld(db: Db): Promise<MatrixWorld> {
  const world = await makeWorld(db)
  await fillWorld(db, world)
  const planted: Planted[] = []
  for (const place of placeNames) {
    const { id } = world[place]
    planted.push(...(await sell(db, { place, partnerId: id })))
    planted.push(...(await invite(db, { place, partnerId: id })))
    const companyName = unique('Company')
    const applicationId = await makeApplication(db, { parentId: id, companyName })
    await makeScreening(db, { applicationId }, { entryName: companyName })
    await makeSignedTerms(db, id)
    await makeTerritories(db, id)
  }
  const ofNobody = await makeApplication(db, { companyName: unique('Company') })
  await makeScreening(db, { applicationId: ofNobody }, { entryName: unique('Company') })
  for (const place of ['north', 'south', null] as const) {
    await makeApplicationInvitation(db, place && world[place].id)
  }
  await makeLearners(db, world)
  await issueStatements(db)
  await makeClaims(db)
  for (const place of placeNames) await adjust(db, { place, partnerId: world[place].id })
  await sql`update partners set name = 'Partner ' || id`.execute(db)
  await sql`update tenants set name = 'Tenant ' || id`.execute(db)
  const viewers = await viewersOf(db, world)
  await makeTenantsLeave(db)
  await makeBreaks(db)
  await makeDocuments(db)
  return { ...world, planted, viewers }
}

interface At {
  place: PlaceName
  partnerId: string
}

/** A customer that came through a link, with a name of its own. */
async function sell(db: Db, { place, partnerId }: At): Promise<Planted[]> {
  const linkId = await makeLink(db, partnerId)
  const person = { name: unique('Shopper'), email: `${unique('shopper')}@customer.example` }
  const id = randomUUIDv7()
  await inTransaction(db, async (trx) => {
    await recordCustomer(trx, { ...person, id, partnerId, linkId })
    const { rows } = await listFeaturePackages(trx, { limit: 1, after: undefined })
    const featurePackageId = rows[0]?.id ?? ''
    const subscription = { id: randomUUIDv7(), customerId: id, partnerId, featurePackageId }
    await recordSubscription(trx, subscription)
  })
  return Object.values(person).map((text) => ({ text, place, customer: id, inTree: true }))
}

/** Another member, one who is invited to be one, and the first administrator to be. */
async function invite(db: Db, { place, partnerId }: At): Promise<Planted[]> {
  const person = () => ({ name: unique('Invited'), email: `${unique('guest')}@people.example` })
  const [member, guest, first] = [person(), person(), person()]
  await inTransaction(db, async (trx) => {
    const [id, invitationId] = [randomUUIDv7(), randomUUIDv7()]
    await recordMember(trx, { ...member, id, partnerId, role: 'finance' })
    await recordMemberInvitation(trx, {
      ...{ ...guest, id: invitationId, partnerId, customerId: null, role: 'viewer' },
      tokenHash: tokenHash(guest.name),
      invitedBy: id,
      lifeSeconds: 600,
    })
    const expiresAt = new Date(Date.now() + 600_000)
    const invitation = { ...first, id: randomUUIDv7(), partnerId, expiresAt }
    await recordInvitation(trx, { ...invitation, tokenHash: tokenHash(first.name) })
  })
  const texts = [member, guest, first].flatMap((one) => Object.values(one))
  return texts.map((text) => ({ text, place, customer: null, inTree: false }))
}

/** An entry that two persons have made, and one that waits for the second. */
async function adjust(db: Db, { partnerId }: At): Promise<void> {
  const [first, second] = await listPlatformMembers(db)
  if (!first || !second) throw new Error('an entry takes two persons')
  const entry = {
    kind: 'manual_entry' as const,
    concernedId: partnerId,
    amountMinor: 100n,
    currency: 'USD',
    reason: 'for the matrix',
    happenedAt: new Date(),
    proposedBy: first.id,
  }
  await inTransaction(db, async (trx) => {
    await recordProposal(trx, { ...entry, id: randomUUIDv7() })
    const { id, payloadHash } = await recordProposal(trx, { ...entry, id: randomUUIDv7() })
    await recordDecision(trx, { id, memberId: second.id, verdict: 'approved', payloadHash })
  })
}

const tokenHash = (text: string) => createHash('sha256').update(text).digest()

async function viewersOf(db: Db, world: World): Promise<Viewer[]> {
  const customerOf = async (place: PlaceName) => {
    const { id } = world[place]
    const { rows } = await sql<{ id: string }>`
      select id from customers where partner_id = ${id} order by id limit 1`.execute(db)
    return rows[0]?.id ?? ''
  }
  const asOwner = { role: 'owner', scopes: everyScope } as const
  const at = (place: PlaceName): Viewer => ({
    ...{ ...asOwner, name: place, key: world[place].key, place, customer: null },
    level: parentOf(place) === null ? 'master_reseller' : 'reseller',
  })
  const buyer = async (place: PlaceName): Promise<Viewer> => {
    const customer = await customerOf(place)
    const key = await keyFor(db, { partnerId: world[place].id, customerId: customer })
    return { ...asOwner, name: `customer of ${place}`, key, level: 'customer', place, customer }
  }
  const platform = { ...asOwner, name: 'platform', level: 'super_admin', place: null } as const
  return [
    { ...platform, key: world.owner.key, customer: null },
    ...placeNames.map(at),
    await buyer('shop'),
    await buyer('corner'),
  ]
}

/**
 * How a kind of thing is seen.
 * - `tree`: by its partner and those above it, and by the customer that it is about.
 * - `own`: by the organisation whose it is; `private`: by that and by the platform owner.
 * - `decider`: by the master reseller that decides on it.
 * - `platform`: by the platform owner, who sees all the others but what is `own`.
 */
type Seen = 'private' | 'party' | 'tree' | 'own' | 'decider' | 'platform' | 'everyone'

interface Kind {
  seen: Seen
  /** Selects `id`, `partner` and `customer`. */
  rows: RawBuilder<unknown>
}

const ofTree = (table: string, more = 'true'): Kind => ({
  seen: 'tree',
  rows: sql.raw(`select id, partner_id as partner, null::uuid as customer from ${table}
    where ${more}`),
})
const ofOrganisation = (table: string): Kind => ({
  seen: 'own',
  rows: sql.raw(`select id, partner_id as partner, customer_id as customer from ${table}`),
})
const ofDecider = (table: string): Kind => ({
  seen: 'decider',
  rows: sql.raw(`select id, master_id as partner, null::uuid as customer from ${table}`),
})
const ofNobody = (table: string, seen: Seen): Kind => ({
  seen,
  rows: sql.raw(`select id, null::uuid as partner, null::uuid as customer from ${table}`),
})

export const kinds = {
  accrual: ofTree('accruals'),
  adjustment: {
    seen: 'tree',
    // What is only proposed is the platform's to read.
    rows: sql`select id, case when status = 'approved' then concerned_id end as partner,
      null::uuid as customer from approvals where kind = 'manual_entry'`,
  },
  agreement: {
    seen: 'party',
    rows: sql`select id, holder_id as partner, null::uuid as customer from agreements
      where status = 'completed'`,
  },
  agreementTerms: ofNobody('agreement_terms', 'platform'),
  apiKey: ofOrganisation('api_keys'),
  application: ofDecider('applications'),
  applicationInvitation: {
    seen: 'decider',
    rows: sql`select id, partner_id as partner, null::uuid as customer
      from application_invitations`,
  },
  approval: ofNobody('approvals', 'platform'),
  screening: ofDecider('screenings'),
  auditEvent: ofTree('audit_events'),
  clawback: ofTree('clawbacks'),
  customer: {
    seen: 'tree',
    rows: sql`select id, partner_id as partner, id as customer from customers`,
  },
  featurePackage: ofNobody('feature_packages', 'everyone'),
  lineDispute: ofTree('line_disputes'),
  link: ofTree('partner_links'),
  manualTask: ofNobody('manual_tasks', 'platform'),
  member: ofOrganisation('members'),
  memberInvitation: ofOrganisation('member_invitations'),
  partner: {
    seen: 'tree',
    rows: sql`select id, id as partner, null::uuid as customer from partners`,
  },
  partnerReserve: ofTree('partner_reserves'),
  payout: ofTree('payouts'),
  reconBreak: ofNobody('recon_breaks', 'platform'),
  selfBillingDocument: { ...ofTree('self_billing_documents'), seen: 'private' },
  settlementRun: ofNobody('settlement_runs', 'platform'),
  statement: ofTree('statements', 'issued_at is not null'),
  subscription: {
    seen: 'tree',
    rows: sql`select id, partner_id as partner, customer_id as customer from subscriptions`,
  },
  taxForm: ofNobody('tax_forms', 'platform'),
  tenant: ofTree('tenants'),
  certificate: ofTree('certificates'),
  course: ofNobody('courses', 'everyone'),
  enrolment: ofTree('enrolments'),
  territory: ofTree('territory_assignments'),
  territoryConflict: ofTree('territory_assignments', `status = 'conflict'`),
  tierChange: ofTree('partner_tiers', 'previous_tier is not null'),
  tierReview: ofNobody('tier_reviews', 'platform'),
} satisfies Partial<Record<IdKind, Kind>>

export type ThingKind = keyof typeof kinds

export interface Thing {
  kind: ThingKind
  /** As it is outside. */
  id: string
  /** Null for the platform's own. */
  place: PlaceName | null
  customer: string | null
}

/** All things of a kind that there are, as the owner of the tables reads them. */
export async function thingsOf(db: Db, world: World, kind: ThingKind): Promise<Thing[]> {
  const found = await sql<{ id: string; partner: string | null; customer: string | null }>`
    ${kinds[kind].rows} order by id`.execute(db)
  return found.rows.map(({ id, partner, customer }) => ({
    kind,
    id: outwardId(kind, id),
    place: placeNames.find((name) => world[name].id === partner) ?? null,
    customer,
  }))
}

/** What of a kind stands for it in requests: one of each place, and of its customers two. */
export function samplesOf(things: Thing[]): Thing[] {
  const byPlace = Map.groupBy(things, ({ place }) => place)
  return [...byPlace.values()].flatMap((found) => found.slice(0, found[0]?.customer ? 2 : 1))
}

/** Whether a place is one's own or below it, whatever is seen of it. */
export function isBelow(viewer: Viewer, { place }: Pick<Thing, 'place'>): boolean {
  if (viewer.place === null) return true
  if (viewer.level === 'customer' || place === null) return false
  return sees[viewer.place].includes(place)
}

/** Whether somebody may know of a thing. */
export function maySee(viewer: Viewer, thing: Omit<Thing, 'id'>): boolean {
  const { kind, place, customer } = thing
  const { seen } = kinds[kind]
  if (seen === 'everyone') return true
  if (seen === 'own') return viewer.place === place && viewer.customer === customer
  if (viewer.level === 'super_admin') return true
  if (seen === 'platform' || viewer.place === null || place === null) return false
  if (seen === 'private') return viewer.level !== 'customer' && viewer.place === place
  if (seen === 'decider') return viewer.level === 'master_reseller' && viewer.place === place
  if (seen === 'party') {
    if (viewer.level === 'customer') return false
    return viewer.level === 'master_reseller'
      ? sees[viewer.place].includes(place)
      : viewer.place === place
  }
  if (viewer.level === 'customer') return customer !== null && customer === viewer.customer
  return sees[viewer.place].includes(place)
}

/** An area that it shares, and one that somebody alone has. */
async function makeTerritories(db: Db, partnerId: string): Promise<void> {
  const shared = await makeTerritory(db, { partnerId, code: 'DE', mode: 'shared' })
  await sql`insert into territory_assignments (programme_id, territory, mode, status, partner_id,
      blocked_by, blocked_territory, blocked_mode, blocked_since)
    select programme_id, 'DE-BY', 'exclusive', 'conflict', partner_id, id, territory, mode, since
    from territory_assignments where id = ${shared}`.execute(db)
}
