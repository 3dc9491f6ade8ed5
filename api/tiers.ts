/** Tiers of the programme and the moves of partners between them. */
import { z } from 'zod'
import { recordProposal } from '../db/approvals.ts'
import { databaseNow, inTransaction } from '../db/database.ts'
import { findPartner } from '../db/partners.ts'
import { getProgramme, listTierThresholds } from '../db/programmes.ts'
import { listTierChanges, type TierChangeRow } from '../db/tiers.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import { tierNames } from '../domain/tiers.ts'
import { approvalAnswer, presentApproval } from './approvals.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Call, type Route, route } from './route.ts'
import {
  currencyAnswer,
  found,
  idAnswer,
  instantAnswer,
  instantField,
  minorAmount,
  pathId,
  text,
} from './validate.ts'

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
  effective_from: instantAnswer,
})

const overrideForm = z.strictObject({
  tier: z.enum(tierNames),
  reason: text(500),
  until: instantField.optional(),
})

const noPartner = 'there is no such partner'

export function tierRoutes(): Route[] {
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
      handle: async ({ db }) => {
        const programme = await getProgramme(db)
        const thresholds = await listTierThresholds(db, programme.id)
        const data = thresholds.map(({ tier, threshold }) => ({
          tier,
          threshold: { amount: wireAmount(threshold), currency: programme.currency },
          window_months: programme.tierWindowMonths,
        }))
        return { status: 200, body: { data, has_more: false, next_cursor: null } }
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
      handle: async ({ db, query }) => {
        const page = await listTierChanges(db, pageRequest(query))
        return { status: 200, body: presentPage(page, presentChange) }
      },
    }),
    route({
      method: 'POST',
      path: '/v1/partners/:id/tier-override',
      tag: 'Tiers',
      summary: 'Propose another tier for a partner than its revenue gives it',
      description:
        'It holds from the approval of another person on, `until` then or for good; afterwards ' +
        'the tier holds that the partner has without it. Reviews may raise it, but leave a tier ' +
        'alone that was lowered.',
      access: 'tiers.override',
      effect: 'transaction',
      idempotencyKey: 'required',
      body: overrideForm,
      answers: { 202: { description: 'It waits for another person', schema: approvalAnswer } },
      refusals: ['not_found', 'invalid_request', 'conflict'],
      handle: proposeOverride,
    }),
  ]
}

async function proposeOverride(call: Call<unknown, z.output<typeof overrideForm>>) {
  const { db, params, principal, body, operationId: id } = call
  const { tier, reason, until = null } = body
  const partner = found(await findPartner(db, pathId('partner', params.id, noPartner)), noPartner)
  if (until && until <= (await databaseNow(db))) {
    throw new DomainError('invalid_request', 'body: the override is over already', {
      fields: [{ pointer: '/until', code: 'invalid', detail: 'expected a time to come' }],
    })
  }
  if (partner.tier === tier) {
    throw new DomainError('conflict', 'the partner holds this tier already')
  }
  const row = await inTransaction(db, (trx) =>
    recordProposal(trx, {
      kind: 'tier_override',
      id,
      concernedId: partner.id,
      tier,
      until,
      reason,
      proposedBy: principal.memberId,
    }),
  )
  const answer = presentApproval(row)
  return { status: 202, body: answer, headers: { Location: `/v1/approvals/${answer.id}` } }
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
    effective_from: row.effectiveFrom.toISOString(),
  }
}
