/** Agreements: each attempt to have terms signed, and what is kept of it. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import type { AgreementStatus } from '../../domain/onboarding.ts'
import type { Db, Trx } from '../database.ts'
import { keptQuery } from '../kept-query.ts'
import { type Page, type PageRequest, pageOf } from '../paging.ts'
import { opened, sealed } from '../sealed-fields.ts'
import { recordDocument } from './documents.ts'

export interface Signer {
  name: string
  email: string
}

const field = (column: string) =>
  opened({ table: 'agreements', column, organisation: 'agreements.holder_id' })

function agreementQuery(db: Db) {
  return db
    .selectFrom('agreements')
    .selectAll()
    .select([
      sql<string | null>`${field('signer_name_sealed')}`.as('signerName'),
      sql<string | null>`${field('signer_email_sealed')}`.as('signerEmail'),
      sql<string | null>`${field('declined_reason_sealed')}`.as('declinedReason'),
      // How long the vendor finds an envelope by its transaction.
      sql<boolean>`requested_at < clock_timestamp() - interval '7 days'`.as('forgotten'),
    ])
}

export type AgreementRow = NonNullable<Awaited<ReturnType<typeof findAgreement>>>

const newestAgreement = keptQuery((db, applicationId) =>
  agreementQuery(db).where('applicationId', '=', applicationId).orderBy('attempt', 'desc').limit(1),
)

/** The live or last agreement of an application. */
export async function findAgreement(db: Db, applicationId: string) {
  const [row] = await newestAgreement(db, applicationId)
  return row
}

/** The live or last agreement of a partner to terms that were changed. */
export async function findPartnerAgreement(
  db: Db,
  { partnerId, termsId }: { partnerId: string; termsId: string },
): Promise<AgreementRow | undefined> {
  return agreementQuery(db)
    .where('partnerId', '=', partnerId)
    .where('termsId', '=', termsId)
    .orderBy('attempt', 'desc')
    .limit(1)
    .executeTakeFirst()
}

export async function findAgreementById(db: Db, id: string): Promise<AgreementRow | undefined> {
  return agreementQuery(db).where('id', '=', id).executeTakeFirst()
}

/** What waits for the partner's signature under other versions than this one. */
export async function listLiveOfOtherTerms(
  db: Db,
  { partnerId, termsId }: { partnerId: string; termsId: string },
): Promise<AgreementRow[]> {
  return agreementQuery(db)
    .where('partnerId', '=', partnerId)
    .where('termsId', '<>', termsId)
    .where('status', 'in', live)
    .execute()
}

/** Those of these envelopes whose end we have not heard of. */
export async function listSentAmong(db: Db, envelopeIds: string[]): Promise<string[]> {
  if (envelopeIds.length === 0) return []
  const rows = await db
    .selectFrom('agreements')
    .select('envelopeId')
    .where('envelopeId', 'in', envelopeIds)
    .where('status', '=', 'sent')
    .execute()
  return rows.flatMap(({ envelopeId }) => envelopeId ?? [])
}

/**
 * Since when the vendor has to be asked which envelopes moved; null where that was done within the
 * last `everySeconds`, or nothing waits for a signature.
 */
export async function findLookDue(db: Db, everySeconds: number): Promise<Date | null> {
  const { rows } = await sql<{ since: Date }>`
    select coalesce((select looked_at from agreement_looks), min(sent_at)) as since
    from agreements where status = 'sent'
    having count(*) > 0 and not exists (select from agreement_looks
      where looked_at > clock_timestamp() - make_interval(secs => ${everySeconds}))`.execute(db)
  return rows[0]?.since ?? null
}

export async function markLooked(db: Db, at: Date): Promise<void> {
  await sql`insert into agreement_looks (looked_at) values (${at})
    on conflict (id) do update set looked_at = excluded.looked_at`.execute(db)
}

/** Every attempt of an application, the first one first. */
export async function listAttempts(db: Db, applicationId: string): Promise<AgreementRow[]> {
  return agreementQuery(db).where('applicationId', '=', applicationId).orderBy('attempt').execute()
}

/** What partners have signed. */
export async function listSignedAgreements(db: Db, page: PageRequest): Promise<Page<AgreementRow>> {
  let query = agreementQuery(db)
    .where('status', '=', 'completed')
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('id', '<', page.after)
  return pageOf(await query.execute(), page.limit)
}

export async function findAgreementByEnvelope(db: Db, envelopeId: string) {
  return db
    .selectFrom('agreements')
    .selectAll()
    .where('envelopeId', '=', envelopeId)
    .executeTakeFirst()
}

export interface NewAttempt {
  /** One of the two: the application, or the partner that accepts later terms. */
  applicationId: string | null
  partnerId: string | null
  attempt: number
  terms: { id: string; version: string }
  embedded: boolean
  signer: Signer
}

const place = (column: string, row: { id: string; holderId: string }) => ({
  organisation: row.holderId,
  table: 'agreements',
  column,
  row: row.id,
})

/**
 * The row of one sending, made before anything is sent; its transaction id finds the envelope.
 * @throws DomainError `conflict` while an earlier attempt is live.
 */
export async function recordAgreement(trx: Trx, made: NewAttempt): Promise<AgreementRow> {
  const { terms, signer, applicationId, partnerId, attempt, embedded } = made
  const id = randomUUIDv7()
  const row = { id, holderId: applicationId ?? partnerId ?? '' }
  await trx
    .insertInto('agreements')
    .values({
      ...{ id, applicationId, partnerId, attempt, embedded },
      termsId: terms.id,
      termsVersion: terms.version,
      signerNameSealed: sealed(place('signer_name_sealed', row), signer.name),
      signerEmailSealed: sealed(place('signer_email_sealed', row), signer.email),
    })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const query = agreementQuery(trx).where('attempt', '=', attempt)
  const found = await (applicationId
    ? query.where('applicationId', '=', applicationId)
    : query.where('partnerId', '=', partnerId).where('termsId', '=', terms.id)
  ).executeTakeFirst()
  if (found) return found
  throw new DomainError('conflict', 'an earlier attempt is still open: it has to end first')
}

const live = ['draft', 'sent'] as const

export const isLive = ({ status }: { status: AgreementStatus }) =>
  status === 'draft' || status === 'sent'

/** Noted before the vendor is asked to send: from then on there may be an envelope. */
export async function markAgreementRequested(db: Db, id: string): Promise<void> {
  await db
    .updateTable('agreements')
    .set({ requestedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('status', '=', 'draft')
    .where('requestedAt', 'is', null)
    .execute()
}

/** Nobody can tell whether it was sent; a person has to decide. */
export async function markAgreementUncertain(db: Db, id: string): Promise<void> {
  await db
    .updateTable('agreements')
    .set({ uncertainAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('status', '=', 'draft')
    .where('uncertainAt', 'is', null)
    .execute()
}

export async function markAgreementSent(db: Db, id: string, envelopeId: string): Promise<void> {
  await db
    .updateTable('agreements')
    .set({
      status: 'sent',
      envelopeId,
      sentAt: sql<Date>`clock_timestamp()`,
      uncertainAt: null,
    })
    .where('id', '=', id)
    .where('status', '=', 'draft')
    .execute()
}

/** Ends an agreement without a signature. */
export async function markAgreementEnded(
  db: Db,
  row: { id: string; holderId: string },
  end: {
    status: Extract<AgreementStatus, 'declined' | 'voided' | 'expired'>
    /** What the signer wrote who declined. */
    reason?: string | null
  },
): Promise<void> {
  await db
    .updateTable('agreements')
    .set({
      status: end.status,
      endedAt: sql<Date>`clock_timestamp()`,
      signingUrl: null,
      ...(end.reason
        ? { declinedReasonSealed: sealed(place('declined_reason_sealed', row), end.reason) }
        : {}),
    })
    .where('id', '=', row.id)
    .where('status', 'in', live)
    .execute()
}

/** A page of the vendor on which the agreement is signed; it opens once. */
export async function markSigningPage(db: Db, id: string, url: string): Promise<void> {
  await db.updateTable('agreements').set({ signingUrl: url }).where('id', '=', id).execute()
}

export interface SignedEvidence {
  signed: Buffer
  certificate: Buffer
  /** What happened to the envelope, as JSON. */
  audit: Buffer
}

/** Keeps what proves a signature; the agreement is complete with it and not before. */
export async function recordSignedAgreement(
  trx: Trx,
  agreementId: string,
  evidence: SignedEvidence,
): Promise<void> {
  const { status, holderId } = await trx
    .selectFrom('agreements')
    .select(['status', 'holderId'])
    .where('id', '=', agreementId)
    .forUpdate()
    .executeTakeFirstOrThrow()
  if (status === 'completed') return
  const [documentId, certificateId, auditId] = [randomUUIDv7(), randomUUIDv7(), randomUUIDv7()]
  const pdf = { holderId, mediaType: 'application/pdf' }
  const json = { holderId, mediaType: 'application/json' }
  const { signed, certificate, audit } = evidence
  await recordDocument(trx, { ...pdf, id: documentId, kind: 'signed_agreement', content: signed })
  await recordDocument(trx, {
    ...pdf,
    id: certificateId,
    kind: 'certificate',
    content: certificate,
  })
  await recordDocument(trx, { ...json, id: auditId, kind: 'audit_events', content: audit })
  await trx
    .updateTable('agreements')
    .set({
      status: 'completed',
      completedAt: sql<Date>`clock_timestamp()`,
      endedAt: sql<Date>`clock_timestamp()`,
      signingUrl: null,
      ...{ documentId, certificateId, auditId },
    })
    .where('id', '=', agreementId)
    .execute()
}

/** The hashes of what is kept of agreements, by document. */
export async function listHashes(db: Db, ids: (string | null)[]): Promise<Map<string, string>> {
  const wanted = ids.filter((id) => id !== null)
  if (wanted.length === 0) return new Map()
  const rows = await db
    .selectFrom('documents')
    .select(['id', 'sha256'])
    .where('id', 'in', wanted)
    .execute()
  return new Map(rows.map(({ id, sha256 }) => [id, sha256.toString('hex')]))
}
