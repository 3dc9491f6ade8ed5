/** What agrees and what differs between the books and Stripe, and who looks after it. */
import { z } from 'zod'
import { type Db, inTransaction } from '../db/database.ts'
import {
  type BreakRow,
  findBreak,
  isPlatformMember,
  listBreaks,
  markBreakAssigned,
  markBreakResolved,
} from '../db/recon-breaks.ts'
import { type ReconciliationSummary, summarizeReconciliation } from '../db/reconciliation.ts'
import { stretchOf } from '../domain/cadence.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import { ageInDays, breakKinds, breakResolutions } from '../domain/reconciliation.ts'
import { runField } from './commission.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Route, route } from './route.ts'
import {
  currencyAnswer,
  found,
  idAnswer,
  idField,
  instantAnswer,
  minorAmount,
  pathId,
  text,
} from './validate.ts'

const tag = 'Reconciliation'
const notFound = 'there is no such break'

const breakAnswer = z.object({
  id: idAnswer('reconBreak'),
  kind: z.enum(breakKinds),
  payout: idAnswer('payout').nullable(),
  reference: z.string().nullable(),
  currency: currencyAnswer.nullable(),
  expected: minorAmount.nullable(),
  found_currency: currencyAnswer.nullable(),
  found: minorAmount.nullable(),
  happened_at: instantAnswer,
  first_seen_at: instantAnswer,
  age_days: z.int(),
  owner: idAnswer('member').nullable(),
  assigned_at: instantAnswer.nullable(),
  resolved_at: instantAnswer.nullable(),
  resolution: z.enum(breakResolutions).nullable(),
  resolved_by: idAnswer('member').nullable(),
  note: z.string().nullable(),
})

const sums = { currency: currencyAnswer, count: z.int(), amount: minorAmount }
const summaryAnswer = z.object({
  period: z.string(),
  matched: z.int(),
  amounts: z.array(z.object(sums)),
  pending: z.int(),
  outside: z.array(z.object({ type: z.string(), ...sums })),
  mirrored_at: instantAnswer.nullable(),
})

export function reconciliationRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/reconciliation',
      tag,
      summary: 'Read what agrees with Stripe in a month, a quarter or a week',
      description:
        '`matched` counts transfers, and what came back of them, that Stripe shows as the books ' +
        'do; `pending` those that are less than a day old there. `outside` is what moved the ' +
        "balance and is none of the books' concern. What differs is in the list of breaks.",
      access: 'reconciliation.read',
      query: z.strictObject({ period: runField }),
      answers: { 200: { description: 'The month', schema: summaryAnswer } },
      refusals: [],
      handle: async ({ db, query }) => {
        const summary = await summarizeReconciliation(db, stretchOf(query.period))
        return { status: 200, body: { period: query.period, ...presentSummary(summary) } }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/reconciliation/breaks',
      tag,
      summary: 'List what differs between the books and Stripe',
      description:
        '`expected` is what the books say that the balance moved by, `found` what Stripe does. ' +
        'A break that is not found any more is resolved as `gone`.',
      access: 'reconciliation.read',
      query: z.strictObject({
        ...pageQuery,
        status: z.enum(['open', 'resolved']).optional(),
        kind: z.enum(breakKinds).optional(),
        owner: idField('member').optional(),
        period: runField.optional(),
      }),
      answers: { 200: { description: 'Newest first', schema: listAnswer(breakAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const { status, kind, owner: ownerId } = query
        const page = await listBreaks(db, {
          ...pageRequest(query),
          ...{ kind, ownerId },
          open: status && status === 'open',
          range: query.period === undefined ? undefined : stretchOf(query.period),
        })
        return { status: 200, body: presentPage(page, presentBreak) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/reconciliation/breaks/:id',
      tag,
      summary: 'Read a break',
      access: 'reconciliation.read',
      answers: { 200: { description: 'The break', schema: breakAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, params }) => {
        const id = pathId('reconBreak', params.id, notFound)
        return { status: 200, body: presentBreak(found(await findBreak(db, id), notFound)) }
      },
    }),
    ...decisionRoutes(),
  ]
}

function decisionRoutes(): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/reconciliation/breaks/:id/assign',
      tag,
      summary: 'Say who looks after a break',
      access: 'reconciliation.write',
      effect: 'transaction',
      body: z.strictObject({ member: idField('member') }),
      answers: { 200: { description: 'Assigned', schema: breakAnswer } },
      refusals: ['invalid_request', 'not_found', 'conflict'],
      handle: async ({ db, params, body }) => {
        const id = pathId('reconBreak', params.id, notFound)
        found(await findBreak(db, id), notFound)
        await refuseStrangers(db, body.member)
        const row = await inTransaction(db, (trx) => markBreakAssigned(trx, id, body.member))
        return { status: 200, body: presentBreak(row) }
      },
    }),
    route({
      method: 'POST',
      path: '/v1/reconciliation/breaks/:id/resolve',
      tag,
      summary: 'Say what a break was, and that it is done with',
      description: 'It comes back only with other figures. Nothing is booked by this.',
      access: 'reconciliation.write',
      effect: 'transaction',
      body: z.strictObject({ note: text(2_000) }),
      answers: { 200: { description: 'Resolved', schema: breakAnswer } },
      refusals: ['not_found', 'conflict'],
      handle: async ({ db, params, body, principal }) => {
        const id = pathId('reconBreak', params.id, notFound)
        const { memberId } = principal
        const row = await inTransaction(db, (trx) =>
          markBreakResolved(trx, id, { memberId, note: body.note }),
        )
        return { status: 200, body: presentBreak(row) }
      },
    }),
  ]
}

/** @throws DomainError `invalid_request` for somebody who is no active person of the platform. */
async function refuseStrangers(db: Db, memberId: string): Promise<void> {
  if (await isPlatformMember(db, memberId)) return
  const detail = 'expected an active member of the platform'
  throw new DomainError('invalid_request', `body: ${detail}`, {
    fields: [{ pointer: '/member', code: 'invalid', detail }],
  })
}

export function presentSummary({ matched, pending, outside, mirroredAt }: ReconciliationSummary) {
  return {
    matched: matched.reduce((all, { count }) => all + count, 0),
    amounts: matched.map((one) => ({ ...one, amount: wireAmount(one.amount) })),
    pending,
    outside: outside.map((one) => ({ ...one, amount: wireAmount(one.amount) })),
    mirrored_at: mirroredAt?.toISOString() ?? null,
  }
}

export function presentBreak(row: BreakRow) {
  return {
    id: outwardId('reconBreak', row.id),
    kind: row.kind,
    payout: row.payoutId && outwardId('payout', row.payoutId),
    reference: row.vendorId,
    currency: row.currency,
    expected: row.expectedMinor === null ? null : wireAmount(row.expectedMinor),
    found_currency: row.foundCurrency,
    found: row.foundMinor === null ? null : wireAmount(row.foundMinor),
    happened_at: row.happenedAt.toISOString(),
    first_seen_at: row.firstSeenAt.toISOString(),
    age_days: ageInDays(row.firstSeenAt, row.resolvedAt ?? row.now),
    owner: row.ownerId && outwardId('member', row.ownerId),
    assigned_at: row.assignedAt?.toISOString() ?? null,
    resolved_at: row.resolvedAt?.toISOString() ?? null,
    resolution: row.resolution,
    resolved_by: row.resolvedBy && outwardId('member', row.resolvedBy),
    note: row.note,
  }
}
