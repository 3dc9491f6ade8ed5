/** The agreement of an application: how it stands, where it is signed, what is kept of it. */
import { z } from 'zod'
import { type Db, inTransaction } from '../../db/database.ts'
import { recordResend } from '../../db/onboarding/agreement-resends.ts'
import {
  type AgreementRow,
  findAgreement,
  listAttempts,
  listHashes,
} from '../../db/onboarding/agreements.ts'
import { findApplication } from '../../db/onboarding/applications.ts'
import { DomainError } from '../../domain/errors.ts'
import { outwardId } from '../../domain/ids.ts'
import { agreementStatuses, mostAgreementAttempts } from '../../domain/onboarding.ts'
import { workflowIds } from '../../domain/process-names.ts'
import { openSigningPage, resendAgreement } from '../../workflows/contract.ts'
import { answerDocument } from '../agreements.ts'
import type { ApiDeps } from '../deps.ts'
import { updateProcess } from '../processes.ts'
import { type Call, openRoute, type Route, route } from '../route.ts'
import { emailAddress, found, idAnswer, instantAnswer, pathId, text } from '../validate.ts'
import { type LinkCall, linked, linkQuery, notFound, readable } from './applications.ts'

const attemptAnswer = z.object({
  id: idAnswer('agreement'),
  attempt: z.int(),
  status: z.enum(agreementStatuses),
  /** True while nobody can tell whether it was sent: have it sent again. */
  uncertain: z.boolean(),
  terms_version: z.string(),
  embedded: z.boolean(),
  sent_at: instantAnswer.nullable(),
  ended_at: instantAnswer.nullable(),
  declined_reason: z.string().nullable(),
  document_sha256: z.string().nullable(),
  certificate_sha256: z.string().nullable(),
  audit_events_sha256: z.string().nullable(),
})

const agreementAnswer = z.object({
  status: z.enum(agreementStatuses).nullable(),
  attempts: z.array(attemptAnswer),
})

const resendForm = z.strictObject({
  email: emailAddress.optional(),
  name: text().optional(),
})

const nothingWaits = () => new DomainError('not_ready', 'no agreement waits for a signature')
const linkRefusals = ['not_authenticated', 'not_found'] as const

export function applicationAgreementRoutes(deps: ApiDeps): Route[] {
  return [
    openRoute({
      method: 'GET',
      path: '/v1/applications/:id/agreement',
      tag: 'Onboarding',
      summary: 'Read the agreement of an application',
      description: 'Every attempt to have it signed, with the hashes of what is kept.',
      access: 'optional',
      query: linkQuery,
      answers: { 200: { description: 'How it stands', schema: agreementAnswer } },
      refusals: [...linkRefusals],
      handle: async (call) => {
        const { db, row } = await readable(deps, call)
        return { status: 200, body: await presentAttempts(db, row.id) }
      },
    }),
    openRoute({
      method: 'GET',
      path: '/v1/applications/:id/agreement/signing',
      tag: 'Onboarding',
      summary: 'Go to the page on which the agreement is signed',
      description:
        'By the applicant alone, with the token of its link. Leads to a fresh page each time; ' +
        'it opens once and lives for five minutes. Where the programme has agreements signed by ' +
        'mail there is none.',
      access: 'public',
      query: linkQuery,
      answers: { 303: { description: 'The page is in the Location header' } },
      refusals: [...linkRefusals, 'not_ready', 'temporarily_unavailable'],
      handle: (call) => toSigning(deps, call),
    }),
    openRoute({
      method: 'GET',
      path: '/v1/applications/:id/agreement/document',
      tag: 'Onboarding',
      summary: 'Read the signed agreement as PDF',
      access: 'optional',
      query: linkQuery,
      answers: { 200: { description: 'The document', mediaType: 'application/pdf' } },
      refusals: [...linkRefusals, 'not_ready'],
      handle: async (call) => {
        const { db, row } = await readable(deps, call)
        const agreement = await findAgreement(db, row.id)
        return answerDocument(db, agreement?.documentId ?? null, 'agreement')
      },
    }),
    ...approverRoutes(deps),
  ]
}

function approverRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/applications/:id/agreement/certificate',
      tag: 'Onboarding',
      summary: 'Read what the vendor certifies of the signature',
      access: 'applications.read',
      answers: { 200: { description: 'The certificate', mediaType: 'application/pdf' } },
      refusals: ['not_found', 'not_ready'],
      handle: async ({ db, params }) => {
        const id = pathId('application', params.id, notFound)
        found(await findApplication(db, id), notFound)
        const agreement = await findAgreement(db, id)
        return answerDocument(db, agreement?.certificateId ?? null, 'certificate')
      },
    }),
    route({
      method: 'POST',
      path: '/v1/applications/:id/agreement/resend',
      tag: 'Onboarding',
      summary: 'Send the agreement again',
      description:
        'Withdraws what is out and sends a new attempt, also to a corrected name or address: ' +
        `${mostAgreementAttempts} at most.`,
      access: 'applications.decide',
      idempotencyKey: 'required',
      body: resendForm,
      answers: {
        202: { description: 'The attempt that follows', schema: z.object({ attempt: z.int() }) },
      },
      refusals: ['not_found', 'not_ready', 'conflict', 'temporarily_unavailable'],
      handle: (call) => resend(deps, call),
    }),
  ]
}

async function toSigning(deps: ApiDeps, call: LinkCall & { operationId: string }) {
  const { db, row } = await linked(deps, call)
  await updateProcess(deps, {
    workflowId: workflowIds.onboarding(row.id),
    definition: openSigningPage,
    args: [],
    updateId: call.operationId,
    ended: nothingWaits(),
  })
  const agreement = await findAgreement(db, row.id)
  if (!agreement?.signingUrl) throw nothingWaits()
  return { status: 303, body: null, headers: { Location: agreement.signingUrl } }
}

type ResendCall = Call<unknown, z.output<typeof resendForm>>

async function resend(deps: ApiDeps, { db, principal, params, body, operationId }: ResendCall) {
  const id = pathId('application', params.id, notFound)
  const row = found(await findApplication(db, id), notFound)
  if (row.stage !== 'agreement') {
    throw new DomainError('not_ready', `the application is at the stage ${row.stage}`)
  }
  const attempts = await listAttempts(db, id)
  if (attempts.length >= mostAgreementAttempts) {
    throw new DomainError('conflict', `it was sent ${attempts.length} times, which is the most`)
  }
  const signer = {
    ...(body.name === undefined ? {} : { name: body.name }),
    ...(body.email === undefined ? {} : { email: body.email }),
  }
  await inTransaction(db, (trx) =>
    recordResend(trx, { id: operationId, applicationId: id, memberId: principal.memberId, signer }),
  )
  const answer = await updateProcess(deps, {
    workflowId: workflowIds.onboarding(id),
    definition: resendAgreement,
    args: [{ resendId: operationId }],
    updateId: operationId,
    ended: nothingWaits(),
  })
  return { status: 202, body: answer }
}

async function presentAttempts(db: Db, applicationId: string) {
  const attempts = await listAttempts(db, applicationId)
  const hashes = await listHashes(
    db,
    attempts.flatMap(({ documentId, certificateId, auditId }) => [
      documentId,
      certificateId,
      auditId,
    ]),
  )
  return {
    status: attempts.at(-1)?.status ?? null,
    attempts: attempts.map((row) => presentAttempt(row, hashes)),
  }
}

function presentAttempt(row: AgreementRow, hashes: Map<string, string>) {
  const hashOf = (id: string | null) => hashes.get(id ?? '') ?? null
  return {
    id: outwardId('agreement', row.id),
    attempt: row.attempt,
    status: row.status,
    uncertain: row.uncertainAt !== null && row.status === 'draft',
    terms_version: row.termsVersion,
    embedded: row.embedded,
    sent_at: row.sentAt?.toISOString() ?? null,
    ended_at: row.endedAt?.toISOString() ?? null,
    declined_reason: row.declinedReason,
    document_sha256: hashOf(row.documentId),
    certificate_sha256: hashOf(row.certificateId),
    audit_events_sha256: hashOf(row.auditId),
  }
}
