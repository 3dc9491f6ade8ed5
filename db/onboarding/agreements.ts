/** Agreements: what was sent for signature, and the signed document. */
import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import type { AgreementStatus } from '../../domain/onboarding.ts'
import type { Db, Trx } from '../database.ts'

/** The live or last agreement of an application. */
export async function findAgreement(db: Db, applicationId: string) {
  return db
    .selectFrom('agreements')
    .selectAll()
    .where('applicationId', '=', applicationId)
    .orderBy('attempt', 'desc')
    .limit(1)
    .executeTakeFirst()
}

export async function findAgreementByEnvelope(db: Db, envelopeId: string) {
  return db
    .selectFrom('agreements')
    .selectAll()
    .where('envelopeId', '=', envelopeId)
    .executeTakeFirst()
}

/** The row of one sending, made before anything is sent; its transaction id finds the envelope. */
export async function recordAgreement(
  trx: Trx,
  agreement: { applicationId: string; attempt: number; termsVersion: string },
) {
  await trx
    .insertInto('agreements')
    .values(agreement)
    .onConflict((conflict) => conflict.columns(['applicationId', 'attempt']).doNothing())
    .execute()
  return trx
    .selectFrom('agreements')
    .selectAll()
    .where('applicationId', '=', agreement.applicationId)
    .where('attempt', '=', agreement.attempt)
    .executeTakeFirstOrThrow()
}

export async function markAgreementSent(db: Db, id: string, envelopeId: string): Promise<void> {
  await db
    .updateTable('agreements')
    .set({ status: 'sent', envelopeId, sentAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('status', '=', 'draft')
    .execute()
}

/** Ends an agreement without a signature. */
export async function markAgreementEnded(
  db: Db,
  id: string,
  status: Extract<AgreementStatus, 'declined' | 'voided' | 'expired'>,
): Promise<void> {
  await db
    .updateTable('agreements')
    .set({ status })
    .where('id', '=', id)
    .where('status', 'in', ['draft', 'sent'])
    .execute()
}

/** Keeps the signed document with its hash; the agreement is complete with it and not before. */
export async function recordSignedAgreement(
  trx: Trx,
  signed: { agreementId: string; content: Buffer },
): Promise<void> {
  const { status } = await trx
    .selectFrom('agreements')
    .select('status')
    .where('id', '=', signed.agreementId)
    .forUpdate()
    .executeTakeFirstOrThrow()
  if (status === 'completed') return
  const { id: documentId } = await trx
    .insertInto('documents')
    .values({
      kind: 'signed_agreement',
      mediaType: 'application/pdf',
      sha256: createHash('sha256').update(signed.content).digest(),
      content: signed.content,
    })
    .returning('id')
    .executeTakeFirstOrThrow()
  await trx
    .updateTable('agreements')
    .set({ status: 'completed', completedAt: sql<Date>`clock_timestamp()`, documentId })
    .where('id', '=', signed.agreementId)
    .execute()
}
