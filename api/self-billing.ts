/** Self-billing of a partner: who it is on invoices, and that the platform may write them. */
import { z } from 'zod'
import { databaseNow, inTransaction } from '../db/database.ts'
import { findPartner } from '../db/partners.ts'
import type { SelfBillingSettings } from '../db/programme-settings.ts'
import { getProgramme } from '../db/programmes.ts'
import { listSelfBillingStandings } from '../db/tax/self-billing.ts'
import {
  findProfile,
  listAgreements,
  markProfileVerified,
  recordAgreement,
  recordProfile,
  recordWithdrawal,
  type SelfBillingAgreement,
  type SelfBillingProfile,
} from '../db/tax/self-billing-consent.ts'
import { listVatRates, recordVatRate, type VatRate } from '../db/tax/vat-rates.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { dayOf } from '../domain/period.ts'
import {
  agreementEnds,
  isVatId,
  plainVatId,
  rateTreatments,
  selfBillingSkips,
  vatTermsOf,
  vatTreatments,
} from '../domain/self-billing.ts'
import { type Call, type Route, route } from './route.ts'
import { found, idAnswer, instantAnswer, pathId, text } from './validate.ts'

const countryField = z.string().regex(/^[A-Z]{2}$/, 'expected a country like DE')

const profileForm = z.strictObject({
  legal_name: text(200),
  address: text(500),
  country: countryField,
  registered: z.boolean(),
  vat_id: text(30).optional(),
})
const verificationForm = z.strictObject({
  /** The number that was looked at. */
  vat_id: text(30),
})
const agreementForm = z.strictObject({
  /** Of the terms that were read; another one is in force where it is not taken. */
  version: text(40),
  accepted: z.literal(true),
})
const rateFields = {
  country: countryField,
  valid_from: z.iso.date(),
  treatment: z.enum(rateTreatments),
  bps: z.int().min(0).max(10_000),
}
const rateForm = z.strictObject({ ...rateFields, source: text(200) })
const rateAnswer = z.object({ ...rateFields, source: z.string() })

const agreementAnswer = z.object({
  id: idAnswer('selfBillingAgreement'),
  version: z.string(),
  accepted_by: idAnswer('member'),
  accepted_at: instantAnswer,
  /** The last day on which it holds. */
  valid_until: z.iso.date(),
  ended_at: instantAnswer.nullable(),
  end_cause: z.enum(agreementEnds).nullable(),
})

export const profileFields = {
  legal_name: z.string(),
  address: z.string(),
  country: z.string(),
  vat_id: z.string().nullable(),
}

const standingAnswer = z.object({
  partner: idAnswer('partner'),
  /** What is accepted today; null where the programme does not write invoices. */
  terms: z.object({ version: z.string(), text: z.string(), days: z.int() }).nullable(),
  /** How a document of today would be taxed; null where there would be none. */
  treatment: z.enum(vatTreatments).nullable(),
  bps: z.int().nullable(),
  /** Why there would be none. */
  skip: z.enum(selfBillingSkips).nullable(),
  profile: z
    .object({
      ...profileFields,
      registered: z.boolean(),
      /** When somebody of the platform found its number right. */
      verified_at: instantAnswer.nullable(),
    })
    .nullable(),
  /** The newest first. */
  agreements: z.array(agreementAnswer),
})

const noPartner = 'there is no such partner'
const tag = 'Self-billing'
const path = '/v1/partners/:id/self-billing'
const answers = { 200: { description: 'How the partner stands', schema: standingAnswer } }

export function selfBillingRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path,
      tag,
      summary: 'Read how a partner stands for self-billing',
      description: 'For the partner itself and the platform owner; not for those above it.',
      access: 'tax.read',
      answers,
      refusals: ['not_found'],
      handle: async (call) => standing(call, await concerned(call)),
    }),
    route({
      method: 'PUT',
      path: `${path}/profile`,
      tag,
      summary: 'Say who a partner is on invoices',
      description:
        'The number for value added tax is checked for its form, and not looked up. An agreement ' +
        'ends with the number, or the country, that it was accepted for.',
      access: 'tax.declare',
      effect: 'transaction',
      body: profileForm,
      answers,
      refusals: ['not_found', 'invalid_request'],
      handle: setProfile,
    }),
    route({
      method: 'POST',
      path: `${path}/agreement`,
      tag,
      summary: 'Accept that the platform writes a partner’s invoices',
      description: 'For the partner alone. It takes the place of one that holds.',
      access: 'tax.declare',
      effect: 'transaction',
      idempotencyKey: 'required',
      body: agreementForm,
      answers,
      refusals: ['not_found', 'not_ready', 'conflict'],
      handle: accept,
    }),
    route({
      method: 'DELETE',
      path: `${path}/agreement`,
      tag,
      summary: 'Withdraw that the platform writes a partner’s invoices',
      description: 'What is written already stays.',
      access: 'tax.declare',
      effect: 'transaction',
      answers,
      refusals: ['not_found'],
      handle: withdraw,
    }),
    verificationRoute(),
    ...rateRoutes(),
  ]
}

function verificationRoute(): Route {
  return route({
    method: 'POST',
    path: `${path}/profile/verification`,
    tag,
    summary: 'Find the number of a partner’s profile right',
    description:
      'Before it, no document with tax or by reverse charge is written. What the platform enters ' +
      'itself is right at once; a profile that changes is looked at again.',
    access: 'tax.decide',
    effect: 'transaction',
    body: verificationForm,
    answers,
    refusals: ['not_found', 'conflict'],
    handle: verify,
  })
}

function rateRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/tax/vat-rates',
      tag,
      summary: 'List the value added tax on commission',
      access: 'tax.read',
      answers: {
        200: {
          description: 'By country of the seller, the newest first',
          schema: z.object({ data: z.array(rateAnswer) }),
        },
      },
      refusals: [],
      handle: async ({ db }) => ({
        status: 200,
        body: { data: (await listVatRates(db)).map(presentRate) },
      }),
    }),
    route({
      method: 'PUT',
      path: '/v1/tax/vat-rates',
      tag,
      summary: 'Set the value added tax of a country from a day on',
      description: 'The same day is set anew; documents that are written stay as they are.',
      access: 'tax.decide',
      effect: 'transaction',
      body: rateForm,
      answers: { 200: { description: 'Set', schema: rateAnswer } },
      refusals: ['invalid_request'],
      handle: setRate,
    }),
  ]
}

/**
 * The partner, where the caller is that or the platform.
 * @throws DomainError `not_found`, and `forbidden` for a partner below: what it is for tax is its
 * own.
 */
async function concerned({ db, principal, params }: Pick<Call, 'db' | 'principal' | 'params'>) {
  const id = pathId('partner', params.id, noPartner)
  found(await findPartner(db, id), noPartner)
  if (principal.level === 'super_admin' || principal.partnerId === id) return id
  throw new DomainError('forbidden', 'self-billing is for the partner itself and the platform')
}

async function standing({ db }: Pick<Call, 'db'>, partnerId: string) {
  const { selfBilling } = (await getProgramme(db)).onboarding
  const today = dayOf(await databaseNow(db))
  const known = await listSelfBillingStandings(db, { partnerIds: [partnerId], day: today })
  const none = { profile: null, agreement: null, rate: null }
  const terms = vatTermsOf(known.get(partnerId) ?? none, today)
  const taxed = 'skip' in terms ? null : terms
  const profile = await findProfile(db, partnerId)
  const agreements = await listAgreements(db, partnerId)
  return {
    status: 200,
    body: {
      partner: outwardId('partner', partnerId),
      terms: selfBilling && presentTerms(selfBilling),
      treatment: taxed?.treatment ?? null,
      bps: taxed?.bps ?? null,
      skip: 'skip' in terms ? terms.skip : null,
      profile: profile
        ? {
            ...presentProfile(profile),
            registered: profile.registered,
            verified_at: profile.verifiedAt?.toISOString() ?? null,
          }
        : null,
      agreements: agreements.map(presentAgreement),
    },
  }
}

type ProfileForm = z.output<typeof profileForm>

async function setProfile(call: Call<unknown, ProfileForm>) {
  const { db, principal, operationId: id } = call
  const partnerId = await concerned(call)
  const verifiedBy = principal.level === 'super_admin' ? principal.memberId : null
  const profile = { id, partnerId, verifiedBy, ...checkedProfile(call.body) }
  await inTransaction(db, (trx) => recordProfile(trx, profile))
  return standing(call, partnerId)
}

async function verify(call: Call<unknown, z.output<typeof verificationForm>>) {
  const { db, principal, body } = call
  const partnerId = await concerned(call)
  const seen = { partnerId, vatId: plainVatId(body.vat_id), verifiedBy: principal.memberId }
  await inTransaction(db, (trx) => markProfileVerified(trx, seen))
  return standing(call, partnerId)
}

/** @throws DomainError `invalid_request` for a number that is none of the country. */
function checkedProfile(body: ProfileForm) {
  const { legal_name: legalName, address, country, registered } = body
  const vatId = plainVatId(body.vat_id ?? '')
  const why = vatIdProblem({ country, registered, vatId })
  if (why === null) return { legalName, address, country, registered, vatId }
  throw new DomainError('invalid_request', 'body: this profile is not good', {
    fields: [{ pointer: '/vat_id', code: 'invalid', detail: why }],
  })
}

function vatIdProblem(said: { country: string; registered: boolean; vatId: string }) {
  if (said.vatId === '') return null
  if (!said.registered) return 'expected none of who is not registered'
  return isVatId(said.country, said.vatId) ? null : `expected a number as ${said.country} gives it`
}

/**
 * @throws DomainError `forbidden` for anybody else than the partner, `not_ready` while it is off,
 * `conflict` for terms that are not those of today.
 */
async function accept(call: Call<unknown, z.output<typeof agreementForm>>) {
  const { db, principal, body, operationId: id } = call
  const partnerId = await concerned(call)
  if (principal.partnerId !== partnerId) {
    throw new DomainError('forbidden', 'the partner alone accepts that its invoices are written')
  }
  const { selfBilling } = (await getProgramme(db)).onboarding
  if (!selfBilling) {
    throw new DomainError('not_ready', 'this programme does not write the invoices of partners')
  }
  const { agreementVersion: version, agreementDays: days } = selfBilling
  if (body.version !== version) {
    throw new DomainError('conflict', `the terms are of version ${version}: read and accept them`)
  }
  const acceptedBy = principal.memberId
  await inTransaction(db, (trx) =>
    recordAgreement(trx, { id, partnerId, version, acceptedBy, days }),
  )
  return standing(call, partnerId)
}

async function withdraw(call: Call) {
  const partnerId = await concerned(call)
  await inTransaction(call.db, (trx) => recordWithdrawal(trx, partnerId))
  return standing(call, partnerId)
}

async function setRate({ db, body }: Call<unknown, z.output<typeof rateForm>>) {
  const { valid_from: validFrom, ...set } = body
  if (set.treatment !== 'standard' && set.bps !== 0) {
    throw new DomainError('invalid_request', 'body: only a standard rate has a percentage', {
      fields: [{ pointer: '/bps', code: 'invalid', detail: 'expected 0 for this treatment' }],
    })
  }
  await inTransaction(db, (trx) => recordVatRate(trx, { ...set, validFrom }))
  return { status: 200, body }
}

const presentTerms = (terms: SelfBillingSettings) => ({
  version: terms.agreementVersion,
  text: terms.agreementText,
  days: terms.agreementDays,
})

/** Who a partner is on a document; what the law took away is empty. */
export function presentProfile(profile: SelfBillingProfile) {
  return {
    legal_name: profile.legalName,
    address: profile.address,
    country: profile.country,
    vat_id: profile.vatId === '' ? null : profile.vatId,
  }
}

function presentAgreement(row: SelfBillingAgreement) {
  return {
    id: outwardId('selfBillingAgreement', row.id),
    version: row.version,
    accepted_by: outwardId('member', row.acceptedBy),
    accepted_at: row.acceptedAt.toISOString(),
    valid_until: row.validUntil,
    ended_at: row.endedAt?.toISOString() ?? null,
    end_cause: row.endCause,
  }
}

function presentRate({ validFrom, ...rate }: VatRate) {
  return { ...rate, valid_from: validFrom }
}
