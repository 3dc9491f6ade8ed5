/** Tiers of the programme and the moves of partners between them. */
import { z } from 'zod'
import { getProgramme, listTierThresholds } from '../db/programmes.ts'
import { listTierChanges, type TierChangeRow } from '../db/tiers.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import { tierNames } from '../domain/tiers.ts'
import type { ApiDeps } from './deps.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Route, route } from './route.ts'
import { currencyAnswer, idAnswer, instantAnswer, minorAmount } from './validate.ts'

const tierAnswer = z.object({
  tier: z.enum(tierNames),
  threshold: z.object({ amount: minorAmount, currency: currencyAnswer }),
  window_months: z.int(),
})

const changeAnswer = z.object({
  id: idAnswer('tierChange'),
  partner: idAnswer('partner'),
  from: z.enum(tierNames),
  to: z.enum(tierNames),
  reason: z.string(),
  period: z.string().nullable(),
  decided_at: instantAnswer,
})

export function tierRoutes({ db }: ApiDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/tiers',
      tag: 'Tiers',
      summary: 'List the tiers of the programme',
      description: 'A tier is reached by net paid revenue within the window of months.',
      access: 'tiers.read',
      answers: { 200: { description: 'Lowest first', schema: listAnswer(tierAnswer) } },
      refusals: [],
      handle: async () => {
        const programme = await getProgramme(db)
        const thresholds = await listTierThresholds(db, programme.id)
        const data = thresholds.map(({ tier, threshold }) => ({
          tier,
          threshold: { amount: wireAmount(threshold), currency: programme.currency },
          window_months: programme.tierWindowMonths,
        }))
        return { status: 200, body: { data, next_cursor: null } }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/tiers/changes',
      tag: 'Tiers',
      summary: 'List tier changes',
      access: 'tiers.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(changeAnswer) } },
      refusals: [],
      handle: async ({ principal, query }) => {
        const page = await listTierChanges(db, principal, pageRequest(query))
        return { status: 200, body: presentPage(page, presentChange) }
      },
    }),
  ]
}

function presentChange(row: TierChangeRow) {
  return {
    id: outwardId('tierChange', row.id),
    partner: outwardId('partner', row.partnerId),
    from: row.previousTier,
    to: row.tier,
    reason: row.reason,
    period: row.reviewPeriod,
    decided_at: row.decidedAt.toISOString(),
  }
}
