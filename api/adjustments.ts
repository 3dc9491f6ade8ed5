/** Entries in the books that persons make: proposed by one, booked by the approval of another. */
import { z } from 'zod'
import { type EntryRow, findEntry, listEntries } from '../db/adjustments.ts'
import { recordProposal } from '../db/approvals.ts'
import { type Db, databaseNow, inTransaction } from '../db/database.ts'
import { findPartner } from '../db/partners.ts'
import { currencyCodes } from '../domain/currencies.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Call, type Route, route } from './route.ts'
import {
  currencyAnswer,
  found,
  idAnswer,
  idField,
  instantAnswer,
  instantField,
  minorAmount,
  pathId,
  text,
} from './validate.ts'

const entryForm = z.strictObject({
  partner: idField('partner'),
  amount: minorAmount.refine((amount) => amount !== 0, 'expected an amount other than 0'),
  currency: z.enum(currencyCodes),
  reason: text(500),
  happened_at: instantField.optional(),
})

const entryAnswer = z.object({
  id: idAnswer('adjustment'),
  status: z.enum(['proposed', 'booked', 'rejected', 'withdrawn', 'expired']),
  partner: idAnswer('partner'),
  amount: minorAmount,
  currency: currencyAnswer,
  reason: z.string(),
  happened_at: instantAnswer,
  period: z.string().nullable(),
  booked_at: instantAnswer.nullable(),
  approval: idAnswer('approval').nullable(),
  payload_hash: z.string().nullable(),
})

const notFound = 'there is no such adjustment'

export function adjustmentRoutes(): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/adjustments',
      tag: 'Adjustments',
      summary: 'Propose an entry in the books of a partner',
      description:
        'A negative amount takes from the partner. Nothing is booked until another person ' +
        'approves; then it lands in the month that it happened in, or the first open one after.',
      access: 'adjustments.propose',
      effect: 'transaction',
      idempotencyKey: 'required',
      body: entryForm,
      answers: { 202: { description: 'It waits for another person', schema: entryAnswer } },
      refusals: ['invalid_request'],
      handle: propose,
    }),
    route({
      method: 'GET',
      path: '/v1/adjustments',
      tag: 'Adjustments',
      summary: 'List adjustments',
      description: 'Partners see what is booked of themselves and of everyone below them.',
      access: 'adjustments.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(entryAnswer) } },
      refusals: [],
      handle: async ({ db, principal, query }) => {
        const search = { proposals: principal.level === 'super_admin' }
        const page = await listEntries(db, search, pageRequest(query))
        return { status: 200, body: presentPage(page, presentEntry) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/adjustments/:id',
      tag: 'Adjustments',
      summary: 'Read an adjustment',
      access: 'adjustments.read',
      answers: { 200: { description: 'The adjustment', schema: entryAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, principal, params }) => {
        const id = pathId('adjustment', params.id, notFound)
        const search = { id, proposals: principal.level === 'super_admin' }
        return { status: 200, body: presentEntry(found(await findEntry(db, search), notFound)) }
      },
    }),
  ]
}

async function propose(call: Call<unknown, z.output<typeof entryForm>>) {
  const { db, principal, body, operationId: id } = call
  const { happenedAt } = await checkedFacts(db, body)
  await inTransaction(db, (trx) =>
    recordProposal(trx, {
      kind: 'manual_entry',
      id,
      concernedId: body.partner,
      amountMinor: BigInt(body.amount),
      currency: body.currency,
      reason: body.reason,
      happenedAt,
      proposedBy: principal.memberId,
    }),
  )
  const entry = presentEntry(found(await findEntry(db, { id, proposals: true }), notFound))
  return { status: 202, body: entry, headers: { Location: `/v1/adjustments/${entry.id}` } }
}

/** @throws DomainError `invalid_request` for a partner that is not there or a time to come. */
async function checkedFacts(db: Db, body: z.output<typeof entryForm>) {
  const now = await databaseNow(db)
  const happenedAt = body.happened_at ?? now
  const fields = []
  if (!(await findPartner(db, body.partner))) {
    fields.push({ pointer: '/partner', code: 'invalid', detail: 'there is no such partner' })
  }
  if (happenedAt > now) {
    fields.push({
      pointer: '/happened_at',
      code: 'invalid',
      detail: 'expected a time that is over',
    })
  }
  if (fields.length > 0) {
    throw new DomainError('invalid_request', 'body: this cannot be entered', { fields })
  }
  return { happenedAt }
}

function presentEntry(row: EntryRow) {
  return {
    id: outwardId('adjustment', row.id),
    status: row.status ?? ('booked' as const),
    partner: outwardId('partner', row.partnerId),
    amount: wireAmount(row.amountMinor),
    currency: row.currency,
    reason: row.reason,
    happened_at: row.happenedAt.toISOString(),
    period: row.period,
    booked_at: row.recordedAt?.toISOString() ?? null,
    approval: row.payloadHash && outwardId('approval', row.id),
    payload_hash: row.payloadHash,
  }
}
