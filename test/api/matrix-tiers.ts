/** What is shown and decided about tiers, as lines of the matrix. */
import type { Line } from './matrix-routes.ts'

const about = 'partner'
const reason = 'for the matrix'
const partner = '/v1/partners/:id'
const body = () => ({ reason })

export const ofTiers: Record<string, Line> = {
  'GET /v1/tiers': { without: 'the tiers of the programme are everybody’s' },
  'GET /v1/tiers/changes': { list: 'tierChange' },
  'GET /v1/tiers/reviews': { list: 'tierReview' },
  [`GET ${partner}/tier`]: { about },
  [`POST ${partner}/tier-override`]: { about, body: () => ({ tier: 'gold', reason }) },
  [`POST ${partner}/tier-grace/waive`]: { about, body },
  [`POST ${partner}/tier-grace/apply`]: { about, body },
  [`POST ${partner}/tier-lock`]: { about, body },
  [`POST ${partner}/tier-lock/release`]: { about },
  [`POST ${partner}/tier-promotion`]: { about, body: () => ({ decision: 'decline', reason }) },
}
