/** Forms by which partners say who they are for tax. */
import { z } from 'zod'
import { databaseNow, inTransaction, type Trx } from '../db/database.ts'
import { findPartner } from '../db/partners.ts'
import { getProgramme } from '../db/programmes.ts'
import {
  type Declaration,
  findTaxForm,
  listTaxForms,
  recordTaxForm,
  recordTaxFormDecision,
  recordTaxFormRequest,
  type TaxFormRow,
} from '../db/tax/forms.ts'
import { placeTaxHolds, releaseTaxHolds } from '../db/tax/holds.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { dayOf } from '../domain/period.ts'
import {
  expiryOf,
  formProblems,
  taxClassifications,
  taxFormKinds,
  taxFormStates,
  tinKinds,
} from '../domain/tax.ts'
import { type Call, type Route, route } from './route.ts'
import { found, idAnswer, instantAnswer, pathId, text } from './validate.ts'

const lastFour = z.string().regex(/^[0-9A-Z]{4}$/, 'expected the last four characters')
const lastDigits = z.string().regex(/^[0-9]{4}$/, 'expected the last four digits')
const foreignTin = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.enum(['ssn', 'itin', 'ein']), last_four: lastDigits }),
  z.strictObject({ kind: z.literal('foreign'), last_four: lastFour }),
])
const signed = {
  legal_name: text(200),
  signed_on: z.iso.date(),
  /** Under penalties of perjury, as the form says it. */
  certified: z.literal(true),
}
const foreignForm = {
  ...signed,
  country: z.string().regex(/^[A-Z]{2}$/, 'expected a country like DE'),
  tin: foreignTin.optional(),
}
const declarationForm = z.discriminatedUnion('kind', [
  z.strictObject({
    ...signed,
    kind: z.literal('w9'),
    classification: z.enum(taxClassifications),
    tin: z.strictObject({ kind: z.enum(['ssn', 'itin', 'ein']), last_four: lastDigits }),
    subject_to_backup_withholding: z.boolean().default(false),
  }),
  z.strictObject({ ...foreignForm, kind: z.literal('w8ben') }),
  z.strictObject({ ...foreignForm, kind: z.literal('w8bene') }),
])
const decisionForm = z.discriminatedUnion('decision', [
  z.strictObject({ decision: z.literal('accept') }),
  z.strictObject({ decision: z.literal('reject'), reason: text(500) }),
])

const formAnswer = z.object({
  id: idAnswer('taxForm'),
  partner: idAnswer('partner'),
  state: z.enum(taxFormStates),
  kind: z.enum(taxFormKinds).nullable(),
  legal_name: z.string().nullable(),
  tin: z.object({ kind: z.enum(tinKinds), last_four: z.string() }).nullable(),
  classification: z.enum(taxClassifications).nullable(),
  subject_to_backup_withholding: z.boolean(),
  country: z.string().nullable(),
  signed_on: z.string().nullable(),
  expires_on: z.string().nullable(),
  reason: z.string().nullable(),
  next_actor: z.enum(['partner', 'platform']).nullable(),
  requested_at: instantAnswer.nullable(),
  received_at: instantAnswer.nullable(),
  decided_at: instantAnswer.nullable(),
  ended_at: instantAnswer.nullable(),
})

const listed = z.object({
  /** Whether payouts wait until there is a valid form. */
  required: z.boolean(),
  data: z.array(formAnswer),
})

const notFound = 'there is no such tax form'
const noPartner = 'there is no such partner'
const tag = 'Tax'

export function taxFormRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/partners/:id/tax-forms',
      tag,
      summary: 'List the tax forms of a partner',
      description: 'For the partner itself and the platform owner; not for those above it.',
      access: 'tax.read',
      answers: { 200: { description: 'The newest first', schema: listed } },
      refusals: ['not_found'],
      handle: list,
    }),
    route({
      method: 'POST',
      path: '/v1/partners/:id/tax-form',
      tag,
      summary: 'Declare a tax form',
      description:
        'What a partner declares is looked at by the platform; what the platform enters is valid ' +
        'at once. Of the number only the last four characters are taken: the whole of it is ' +
        'never sent here.',
      access: 'tax.declare',
      effect: 'transaction',
      idempotencyKey: 'required',
      body: declarationForm,
      answers: { 201: { description: 'Taken in', schema: formAnswer } },
      refusals: ['not_found', 'invalid_request', 'conflict'],
      handle: declare,
    }),
    route({
      method: 'POST',
      path: '/v1/partners/:id/tax-form/request',
      tag,
      summary: 'Ask a partner for a tax form',
      description: 'It is told by mail and reminded. Repeating it changes nothing.',
      access: 'tax.decide',
      effect: 'transaction',
      answers: { 200: { description: 'It is asked for', schema: formAnswer } },
      refusals: ['not_found'],
      handle: request,
    }),
    route({
      method: 'POST',
      path: '/v1/tax-forms/:id/decision',
      tag,
      summary: 'Accept or reject a tax form',
      description: 'One that is accepted takes the place of the one before.',
      access: 'tax.decide',
      effect: 'transaction',
      body: decisionForm,
      answers: { 200: { description: 'Decided', schema: formAnswer } },
      refusals: ['not_found', 'already_decided'],
      handle: decide,
    }),
  ]
}

/**
 * The partner, where the caller is that or the platform.
 * @throws DomainError `not_found`, and `forbidden` for a partner below: its forms are its own.
 */
async function concerned({ db, principal, params }: Pick<Call, 'db' | 'principal' | 'params'>) {
  const id = pathId('partner', params.id, noPartner)
  const partner = found(await findPartner(db, id), noPartner)
  if (principal.level === 'super_admin' || principal.partnerId === id) return partner
  throw new DomainError('forbidden', 'tax forms are for the partner itself and the platform owner')
}

async function list(call: Call) {
  const { id, country } = await concerned(call)
  const { onboarding } = await getProgramme(call.db)
  const mode = onboarding.taxFormRequired
  const forms = await listTaxForms(call.db, id)
  return {
    status: 200,
    body: {
      required: mode === 'all' || (mode === 'us' && country === 'US'),
      data: forms.map(presentForm),
    },
  }
}

type Form = z.output<typeof declarationForm>

async function declare(call: Call<unknown, Form>) {
  const { db, principal, body, operationId } = call
  const partner = await concerned(call)
  const byPlatform = principal.level === 'super_admin'
  const said = {
    id: operationId,
    partnerId: partner.id,
    decidedBy: byPlatform ? principal.memberId : null,
    ...(await checkedFacts(call)),
    legalName: body.legal_name,
    classification: body.kind === 'w9' ? body.classification : null,
    subjectToWithholding: body.kind === 'w9' && body.subject_to_backup_withholding,
  }
  const id = await inTransaction(db, async (trx) => {
    const made = await recordTaxForm(trx, said)
    if (byPlatform) await renewHolds(trx, partner.id)
    return made
  })
  const form = presentForm(found(await findTaxForm(db, id), notFound))
  return { status: 201, body: form }
}

type Facts = Pick<
  Declaration,
  'kind' | 'country' | 'signedOn' | 'expiresOn' | 'tinKind' | 'tinLastFour'
>

/** @throws DomainError `invalid_request` for a form that is not good, or not any more. */
async function checkedFacts({
  db,
  body,
}: Pick<Call<unknown, Form>, 'db' | 'body'>): Promise<Facts> {
  const { kind, signed_on: signedOn, tin } = body
  const country = kind === 'w9' ? 'US' : body.country
  const today = dayOf(await databaseNow(db))
  const fields = formProblems({ kind, country, signedOn }, today).map(({ field, why }) => ({
    pointer: `/${field}`,
    code: 'invalid',
    detail: why,
  }))
  if (fields.length > 0) {
    throw new DomainError('invalid_request', 'body: this form is not good', { fields })
  }
  return {
    ...{ kind, country, signedOn },
    expiresOn: expiryOf(kind, signedOn),
    tinKind: tin?.kind ?? 'none',
    tinLastFour: tin?.last_four ?? '',
  }
}

async function request(call: Call) {
  const { db, operationId } = call
  const partner = await concerned(call)
  const asked = { id: operationId, partnerId: partner.id }
  const id = await inTransaction(db, (trx) => recordTaxFormRequest(trx, asked))
  return { status: 200, body: presentForm(found(await findTaxForm(db, id), notFound)) }
}

async function decide(call: Call<unknown, z.output<typeof decisionForm>>) {
  const { db, principal, body, params } = call
  const id = pathId('taxForm', params.id, notFound)
  const { partnerId } = found(await findTaxForm(db, id), notFound)
  await inTransaction(db, async (trx) => {
    await recordTaxFormDecision(trx, {
      id,
      memberId: principal.memberId,
      accept: body.decision === 'accept',
      reason: body.decision === 'reject' ? body.reason : null,
    })
    await renewHolds(trx, partnerId)
  })
  return { status: 200, body: presentForm(found(await findTaxForm(db, id), notFound)) }
}

async function renewHolds(trx: Trx, partnerId: string): Promise<void> {
  const { onboarding } = await getProgramme(trx)
  const gate = { mode: onboarding.taxFormRequired, partnerIds: [partnerId] }
  await placeTaxHolds(trx, gate)
  await releaseTaxHolds(trx, gate)
}

const nextActors = { requested: 'partner', received: 'platform' } as const

function presentForm(row: TaxFormRow) {
  return {
    id: outwardId('taxForm', row.id),
    partner: outwardId('partner', row.partnerId),
    state: row.state,
    kind: row.kind,
    legal_name: row.legalName,
    tin: row.tinKind && { kind: row.tinKind, last_four: row.tinLastFour ?? '' },
    classification: row.classification,
    subject_to_backup_withholding: row.subjectToWithholding,
    country: row.country,
    signed_on: row.signedOn,
    expires_on: row.expiresOn,
    reason: row.reason,
    next_actor:
      row.state === 'requested' || row.state === 'received' ? nextActors[row.state] : null,
    requested_at: row.requestedAt?.toISOString() ?? null,
    received_at: row.receivedAt?.toISOString() ?? null,
    decided_at: row.decidedAt?.toISOString() ?? null,
    ended_at: row.endedAt?.toISOString() ?? null,
  }
}
