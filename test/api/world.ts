/** Six partners in two trees, each with a key and with one row of everything. */
import { randomUUIDv7 } from 'node:crypto'
import { bookInvoice } from '../../activities/commission/payments.ts'
import { bookRefund } from '../../activities/commission/reversals.ts'
import type { ActivityDeps } from '../../activities/deps.ts'
import { calculationActivities, draftRun } from '../../activities/settlement/calculation.ts'
import { releaseActivities } from '../../activities/settlement/release.ts'
import { listPlatformMembers } from '../../db/access.ts'
import { type Db, inTransaction } from '../../db/database.ts'
import { startClosing } from '../../db/periods.ts'
import { getProgramme } from '../../db/programmes.ts'
import { recordTenant, reserveSubdomain } from '../../db/provisioning.ts'
import { recordRun } from '../../db/settlement/runs.ts'
import { recordBranding } from '../../db/tenant-branding.ts'
import { recordDomain } from '../../db/tenant-domains.ts'
import { recordQuotas } from '../../db/tenant-quotas.ts'
import { recordTierReviews } from '../../db/tier-reviews.ts'
import { recordTierChange } from '../../db/tiers.ts'
import { outwardId } from '../../domain/ids.ts'
import { newestClosable, periodEnd } from '../../domain/period.ts'
import type { StripeBilling } from '../../integrations/stripe-billing.ts'
import { makeKey, makeOrder, makePartner, paidInvoice, unique } from '../support/factories.ts'

/** `north` and `south` are master resellers; `corner` is a reseller below a reseller. */
export const placeNames = ['north', 'shop', 'market', 'corner', 'south', 'pier'] as const
export type PlaceName = (typeof placeNames)[number]
export type ViewerName = PlaceName | 'owner'

export interface Place {
  id: string
  /** The same id as it is outside. */
  partner: string
  key: string
}

export type World = Record<PlaceName, Place> & { owner: { key: string } }

/** Whom each sees: itself and everyone below. */
export const sees: Record<ViewerName, readonly PlaceName[]> = {
  owner: placeNames,
  north: ['north', 'shop', 'market', 'corner'],
  shop: ['shop', 'corner'],
  market: ['market'],
  corner: ['corner'],
  south: ['south', 'pier'],
  pier: ['pier'],
}

export const viewerNames = Object.keys(sees) as ViewerName[]

/** Everyone who must not see what belongs to this place. */
export function strangersOf(place: PlaceName): PlaceName[] {
  return placeNames.filter((name) => !sees[name].includes(place))
}

export async function makeWorld(db: Db): Promise<World> {
  const place = async (parentId: string | null, level?: 'master_reseller'): Promise<Place> => {
    const id = await makePartner(db, { parentId, ...(level ? { level } : {}) })
    return { id, partner: outwardId('partner', id), key: await makeKey(db, id) }
  }
  const north = await place(null, 'master_reseller')
  const shop = await place(north.id)
  const market = await place(north.id)
  const corner = await place(shop.id)
  const south = await place(null, 'master_reseller')
  const pier = await place(south.id)
  const owner = { key: await makeKey(db, null) }
  return { north, shop, market, corner, south, pier, owner }
}

export const settledPeriod = newestClosable(new Date())

/** One sale for 99.99 with a refund of 33.33, one tenant and one tier change for each partner. */
export async function fillWorld(db: Db, world: World): Promise<void> {
  for (const name of placeNames) {
    const { id } = world[name]
    await sellAndRefund(db, id)
    await inTransaction(db, async (trx) => {
      const tenantId = await recordTenant(trx, { partnerId: id, name })
      await reserveSubdomain(trx, tenantId)
      const tenant = { id: tenantId, partnerId: id, name }
      await recordBranding(trx, tenant)
      await recordDomain(trx, {
        id: randomUUIDv7(),
        tenantId,
        partnerId: id,
        domain: `${name}.world.test`,
        token: 'a'.repeat(43),
        expirySeconds: 3_600,
      })
      await recordQuotas(trx, tenant, await getProgramme(trx))
      const review = { partnerId: id, period: settledPeriod, windowUntil: periodEnd(settledPeriod) }
      await recordTierReviews(trx, [
        {
          ...{ ...review, metricMinor: 50_000n, currency: 'USD', tier: 'bronze' },
          ...{ reached: 'silver', outcome: 'promoted', cause: 'reached', toTier: 'silver' },
        },
      ])
      await recordTierChange(trx, {
        partnerId: id,
        from: 'bronze',
        to: 'silver',
        reason: 'reached the threshold',
        reviewPeriod: settledPeriod,
      })
    })
  }
}

export async function sellAndRefund(db: Db, partnerId: string): Promise<void> {
  const order = await makeOrder(db, partnerId)
  const invoice = paidInvoice(order, { paidAt: `${settledPeriod}-05T10:00:00Z` })
  await bookInvoice({ db }, invoice)
  const refund = {
    refundId: unique('re'),
    chargeId: invoice.payments[0]?.chargeId ?? null,
    currency: 'USD',
    amount: 3_333n,
    createdAt: new Date(`${settledPeriod}-06T10:00:00Z`),
    failed: false,
  }
  const billing = { readRefund: async () => refund } as unknown as StripeBilling
  await bookRefund({ db, billing }, refund.refundId)
}

/** The close of the period by its steps alone: statements are issued, payouts wait to be sent. */
export async function issueStatements(db: Db): Promise<string> {
  const deps = { db } as ActivityDeps
  const steps = { ...calculationActivities(deps), ...releaseActivities(deps) }
  const { id: programmeId } = await getProgramme(db)
  const [first, second] = await listPlatformMembers(db)
  if (!first || !second) throw new Error('a release takes two persons')
  const period = settledPeriod
  const run = await inTransaction(db, async (trx) => {
    const mode = 'live' as const
    const made = { id: randomUUIDv7(), programmeId, period, mode, requestedBy: null }
    const recorded = await recordRun(trx, made)
    await startClosing(trx, period)
    return recorded
  })
  await draftRun(steps, run.id)
  const totalsHash = await steps.totalStatements({ runId: run.id })
  await steps.recordReview({ runId: run.id, memberId: first.id, totalsHash })
  await steps.recordRelease({ runId: run.id, memberId: second.id, totalsHash })
  while ((await steps.issueStatements({ runId: run.id })) > 0);
  return run.id
}
