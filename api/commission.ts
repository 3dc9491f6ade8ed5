/** What partners earned, what was taken back, and why. */
import { z } from 'zod'
import { type AccrualRow, findAccrual, listAccruals } from '../db/commission/accruals.ts'
import { type Earning, listEarningFacts } from '../db/commission/earning-facts.ts'
import { type ClawbackRow, listClawbacks } from '../db/commission/reversals.ts'
import { cadenceOf, monthsOf, quarterPattern, weekPattern } from '../domain/cadence.ts'
import { earningStatus, earningStatuses } from '../domain/earnings.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import { periodPattern } from '../domain/period.ts'
import { explain } from './accrual-reasons.ts'
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
} from './validate.ts'

export const periodField = z.string().regex(periodPattern, 'expected a period like 2026-10')

/** Months, or quarters of them. */
export const settledField = z
  .string()
  .regex(
    new RegExp(`${periodPattern.source}|${quarterPattern.source}`),
    'expected a period like 2026-10 or 2026-Q4',
  )

/** What runs, statements and payouts are about: also a week. */
export const runField = z
  .string()
  .regex(
    new RegExp(`${periodPattern.source}|${quarterPattern.source}|${weekPattern.source}`),
    'expected a period like 2026-10, 2026-Q4 or 2026-W47',
  )
  .refine((name) => !weekPattern.test(name) || cadenceOf(name) !== null, {
    error: 'this year has 52 weeks',
  })

export const earningsQuery = z.strictObject({
  ...pageQuery,
  partner: idField('partner').optional(),
  period: settledField.optional(),
})

/** The same of what is settled: by the week, too. */
export const settledQuery = earningsQuery.extend({ period: runField.optional() })

export function earningsFilter({ partner, period, ...page }: z.output<typeof earningsQuery>) {
  const months = period === undefined ? undefined : monthsOf(period)
  return { ...pageRequest(page), partnerId: partner, months }
}

/** A month or a quarter finds all that is about one of its months, a week what is about itself. */
export function settledFilter(query: z.output<typeof settledQuery>) {
  const { period } = query
  const week = period !== undefined && cadenceOf(period) === 'weekly' ? period : undefined
  return { ...earningsFilter(query), week }
}

const accrualAnswer = z.object({
  id: idAnswer('accrual'),
  partner: idAnswer('partner'),
  customer: idAnswer('customer').nullable(),
  depth: z.int(),
  amount: minorAmount,
  currency: currencyAnswer,
  period: z.string(),
  payment: idAnswer('payment'),
  paid_at: instantAnswer,
  matures_at: instantAnswer,
  became: z
    .object({
      status: z.enum(earningStatuses),
      /** Of the amount, by refunds, disputes and the end of a partnership. */
      taken_back: minorAmount,
      /** The statement that it is a line of. */
      statement: idAnswer('statement').nullable(),
    })
    .nullable()
    .meta({
      description:
        'How it stands now, for the partner that earned it and the platform: `pending` waits for ' +
        'a statement; `held` waits until `matures_at`, for a dispute or for a person; `due` is ' +
        'on a statement, and its money is on its way or carried; `paid`; `reversed` is taken ' +
        'back wholly.',
    }),
})

const clawbackAnswer = z.object({
  id: idAnswer('clawback'),
  accrual: idAnswer('accrual'),
  partner: idAnswer('partner'),
  amount: minorAmount,
  currency: currencyAnswer,
  period: z.string(),
  payment: idAnswer('payment'),
  cause: z.string(),
  source: z.string(),
  happened_at: instantAnswer,
})

const whyAnswer = z.object({ sentence: z.string(), data: z.record(z.string(), z.unknown()) })

const notFound = 'there is no such accrual'

export function commissionRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/accruals',
      tag: 'Commission',
      summary: 'List accruals',
      access: 'accruals.read',
      query: earningsQuery,
      answers: { 200: { description: 'Newest first', schema: listAnswer(accrualAnswer) } },
      refusals: [],
      handle: async ({ db, principal, query }) => {
        const page = await listAccruals(db, earningsFilter(query))
        const own = page.rows.filter(
          ({ partnerId }) => principal.level === 'super_admin' || partnerId === principal.partnerId,
        )
        const facts = await listEarningFacts(
          db,
          own.map(({ id }) => id),
        )
        const present = (row: AccrualRow) => presentAccrual(row, facts.get(row.id))
        return { status: 200, body: presentPage(page, present) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/accruals/:id/why',
      tag: 'Commission',
      summary: 'Explain an accrual',
      description: 'Which payment, base, rule, rate and rounding made it, and what came back.',
      access: 'accruals.read',
      answers: { 200: { description: 'A sentence and its data', schema: whyAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, principal, params }) => {
        const id = pathId('accrual', params.id, notFound)
        found(await findAccrual(db, id), notFound)
        return { status: 200, body: await explain(db, principal, id) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/clawbacks',
      tag: 'Commission',
      summary: 'List clawbacks',
      description: 'Positive amounts were taken back, negative ones given again.',
      access: 'accruals.read',
      query: earningsQuery,
      answers: { 200: { description: 'Newest first', schema: listAnswer(clawbackAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const page = await listClawbacks(db, earningsFilter(query))
        return { status: 200, body: presentPage(page, presentClawback) }
      },
    }),
  ]
}

function presentAccrual(row: AccrualRow, earning: Earning | undefined) {
  return {
    id: outwardId('accrual', row.id),
    partner: outwardId('partner', row.partnerId),
    customer: row.customerId && outwardId('customer', row.customerId),
    depth: row.depth,
    amount: wireAmount(row.amountMinor),
    currency: row.currency,
    period: row.period,
    payment: outwardId('payment', row.paymentId),
    paid_at: row.paidAt.toISOString(),
    matures_at: row.maturesAt.toISOString(),
    became: earning
      ? {
          status: earningStatus(earning),
          taken_back: wireAmount(earning.takenBack),
          statement: earning.statementId && outwardId('statement', earning.statementId),
        }
      : null,
  }
}

function presentClawback(row: ClawbackRow) {
  return {
    id: outwardId('clawback', row.id),
    accrual: outwardId('accrual', row.accrualId),
    partner: outwardId('partner', row.partnerId),
    amount: wireAmount(row.amountMinor),
    currency: row.currency,
    period: row.period,
    payment: outwardId('payment', row.paymentId),
    cause: row.cause,
    source: row.vendorSourceId,
    happened_at: row.happenedAt.toISOString(),
  }
}
