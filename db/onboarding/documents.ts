/** Documents that are kept: sealed for their holder, and known by their hash. */
import { createHash } from 'node:crypto'
import type { Db, Trx } from '../database.ts'
import { opened, sealed } from '../sealed-fields.ts'

export const documentKinds = [
  'signed_agreement',
  'certificate',
  'audit_events',
  'tenant_export',
] as const
export type DocumentKind = (typeof documentKinds)[number]

export interface NewDocument {
  id: string
  kind: DocumentKind
  mediaType: string
  /** The applicant, or the partner that it became: both have one id. */
  holderId: string
  content: Buffer
}

/** Where the content of a document is sealed; what is sealed is its base64 text. */
export const documentPlace = (row: { id: string; holderId: string | null }) => ({
  organisation: row.holderId,
  table: 'documents',
  column: 'content_sealed',
  row: row.id,
})

export const hashOf = (content: Uint8Array) => createHash('sha256').update(content).digest()

export async function recordDocument(trx: Trx, document: NewDocument): Promise<void> {
  const { content, ...columns } = document
  await trx
    .insertInto('documents')
    .values({
      ...columns,
      sha256: hashOf(content),
      contentSealed: sealed(documentPlace(document), content.toString('base64')),
    })
    .execute()
}

export interface KeptDocument {
  mediaType: string
  content: Buffer
}

/** A document as it was kept. @throws Error where it is not what its hash says. */
export async function findDocument(db: Db, id: string): Promise<KeptDocument | undefined> {
  const row = await db
    .selectFrom('documents')
    .select(['mediaType', 'sha256'])
    .select(
      opened({
        table: 'documents',
        column: 'content_sealed',
        organisation: 'documents.holder_id',
      }).as('base64'),
    )
    .where('id', '=', id)
    .executeTakeFirst()
  if (!row) return undefined
  const content = Buffer.from(row.base64, 'base64')
  if (!hashOf(content).equals(row.sha256)) throw new Error('a document is not what its hash says')
  return { mediaType: row.mediaType, content }
}
