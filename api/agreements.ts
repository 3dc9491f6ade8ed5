/** What partners have signed, for themselves and for the platform. */
import { z } from 'zod'
import type { Db } from '../db/database.ts'
import {
  type AgreementRow,
  findAgreementById,
  listHashes,
  listSignedAgreements,
} from '../db/onboarding/agreements.ts'
import { findDocument } from '../db/onboarding/documents.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { download } from './downloads.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Call, type Route, route } from './route.ts'
import { found, idAnswer, instantAnswer, pathId } from './validate.ts'

const agreementAnswer = z.object({
  id: idAnswer('agreement'),
  partner: idAnswer('partner'),
  terms_version: z.string(),
  signed_at: instantAnswer.nullable(),
  document_sha256: z.string().nullable(),
})

const notFound = 'there is no such agreement'

export function agreementRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/agreements',
      tag: 'Agreements',
      summary: 'List signed agreements',
      description: 'Yours; a master reseller and the platform owner see those below them too.',
      access: 'agreements.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(agreementAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const page = await listSignedAgreements(db, pageRequest(query))
        const hashes = await listHashes(
          db,
          page.rows.map(({ documentId }) => documentId),
        )
        return { status: 200, body: presentPage(page, (row) => presentAgreement(row, hashes)) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/agreements/:id',
      tag: 'Agreements',
      summary: 'Read a signed agreement',
      access: 'agreements.read',
      answers: { 200: { description: 'The agreement', schema: agreementAnswer } },
      refusals: ['not_found'],
      handle: async (call) => {
        const row = await signedAgreement(call)
        const hashes = await listHashes(call.db, [row.documentId])
        return { status: 200, body: presentAgreement(row, hashes) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/agreements/:id/document',
      tag: 'Agreements',
      summary: 'Read a signed agreement as PDF',
      access: 'agreements.read',
      answers: { 200: { description: 'The document', mediaType: 'application/pdf' } },
      refusals: ['not_found', 'not_ready'],
      handle: async (call) => {
        const row = await signedAgreement(call)
        return answerDocument(call.db, row.documentId, `agreement-${row.termsVersion}`)
      },
    }),
  ]
}

/** A document that is kept, to download. @throws DomainError `not_ready` */
export async function answerDocument(db: Db, id: string | null, name: string) {
  const document = id === null ? undefined : await findDocument(db, id)
  if (!document) throw new DomainError('not_ready', 'nothing is signed yet: there is no document')
  const file = `${name}.${document.mediaType === 'application/pdf' ? 'pdf' : 'json'}`
  const headers = download(document.mediaType, file)
  return { status: 200, body: document.content, headers }
}

async function signedAgreement({ db, params }: Call): Promise<AgreementRow> {
  const id = pathId('agreement', params.id, notFound)
  const row = found(await findAgreementById(db, id), notFound)
  return found(row.status === 'completed' ? row : undefined, notFound)
}

function presentAgreement(row: AgreementRow, hashes: Map<string, string>) {
  return {
    id: outwardId('agreement', row.id),
    partner: outwardId('partner', row.holderId),
    terms_version: row.termsVersion,
    signed_at: row.completedAt?.toISOString() ?? null,
    document_sha256: hashes.get(row.documentId ?? '') ?? null,
  }
}
