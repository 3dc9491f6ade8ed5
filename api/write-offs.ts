/** Balances that are given up: which may be, and the proposal of the first of two persons. */
import { z } from 'zod'
import { findApproval, recordProposal } from '../db/approvals.ts'
import { databaseNow, inTransaction } from '../db/database.ts'
import { findPartner } from '../db/partners.ts'
import {
  findWriteOffCandidate,
  listWriteOffCandidates,
  type WriteOffCandidate,
} from '../db/write-offs.ts'
import { currencyCodes } from '../domain/currencies.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import { approvalAnswer, presentApproval } from './approvals.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Call, type Route, route } from './route.ts'
import {
  currencyAnswer,
  found,
  idAnswer,
  idField,
  instantAnswer,
  minorAmount,
  text,
} from './validate.ts'

const tag = 'Write-offs'

const candidateAnswer = z.object({
  partner: idAnswer('partner'),
  currency: currencyAnswer,
  kind: z.enum(['negative', 'dust']),
  balance: minorAmount,
  since: instantAnswer,
})

const writeOffForm = z.strictObject({
  partner: idField('partner'),
  currency: z.enum(currencyCodes),
  reason: text(500),
})

export function writeOffRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/write-off-candidates',
      tag,
      summary: 'List balances that may be written off',
      description:
        'For twelve months at the end of every month, and still now: `negative` is owed by the ' +
        'partner, `dust` is less than one whole unit of its currency and was never paid. ' +
        '`since` is when it began.',
      access: 'ledger.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'The balances', schema: listAnswer(candidateAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const page = await listWriteOffCandidates(db, pageRequest(query))
        return { status: 200, body: presentPage(page, presentCandidate) }
      },
    }),
    route({
      method: 'POST',
      path: '/v1/write-offs',
      tag,
      summary: 'Propose to write a balance off',
      description:
        'All of it, as it is now. Nothing is booked until another person approves; if the ' +
        'balance is another one by then, the approval is refused. The next statement shows it ' +
        'as an adjustment with this reason.',
      access: 'adjustments.propose',
      effect: 'transaction',
      idempotencyKey: 'required',
      body: writeOffForm,
      answers: { 202: { description: 'It waits for another person', schema: approvalAnswer } },
      refusals: ['invalid_request', 'conflict'],
      handle: propose,
    }),
  ]
}

async function propose(call: Call<unknown, z.output<typeof writeOffForm>>) {
  const { db, principal, body, operationId: id } = call
  const { partner: partnerId, currency, reason } = body
  if (!(await findPartner(db, partnerId))) {
    const detail = 'there is no such partner'
    throw new DomainError('invalid_request', `body: ${detail}`, {
      fields: [{ pointer: '/partner', code: 'invalid', detail }],
    })
  }
  const row = await inTransaction(db, async (trx) => {
    // A request that is repeated finds what it proposed, whatever the balance is by now.
    const before = await findApproval(trx, id)
    if (before) return before
    const candidate = await findWriteOffCandidate(trx, { partnerId, currency })
    if (!candidate) {
      const why = 'this balance has not been negative, or dust, for twelve months'
      throw new DomainError('conflict', `${why}; read GET /v1/write-off-candidates`)
    }
    return recordProposal(trx, {
      ...{ kind: 'write_off', id, concernedId: partnerId, currency, reason },
      amountMinor: -candidate.balance,
      happenedAt: await databaseNow(trx),
      proposedBy: principal.memberId,
    })
  })
  const answer = presentApproval(found(row, 'there is no such approval'))
  return { status: 202, body: answer, headers: { Location: `/v1/approvals/${answer.id}` } }
}

function presentCandidate({ partnerId, currency, kind, balance, since }: WriteOffCandidate) {
  return {
    partner: outwardId('partner', partnerId),
    ...{ currency, kind },
    balance: wireAmount(balance),
    since: since.toISOString(),
  }
}
