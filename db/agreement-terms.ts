/** Versions of the terms that partners agree to. */
import { sql } from 'kysely'
import { termsText } from '../domain/agreement-text.ts'
import { DomainError } from '../domain/errors.ts'
import type { Db, Trx } from './database.ts'
import { hashOf } from './onboarding/documents.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'

function termsQuery(db: Db) {
  return db
    .selectFrom('agreementTerms as terms')
    .selectAll('terms')
    .select(
      sql<boolean>`terms.status = 'published' and not exists (select from agreement_terms later
        where later.programme_id = terms.programme_id and later.status = 'published'
          and later.effective_from <= clock_timestamp()
          and (later.effective_from, later.id) > (terms.effective_from, terms.id))
        and terms.effective_from <= clock_timestamp()`.as('inForce'),
    )
}

export type TermsRow = NonNullable<Awaited<ReturnType<typeof findTerms>>>

export async function findTerms(db: Db, id: string) {
  return termsQuery(db).where('terms.id', '=', id).executeTakeFirst()
}

/** @throws DomainError `not_found` */
export async function getTerms(db: Db, id: string): Promise<TermsRow> {
  const row = await findTerms(db, id)
  if (!row) throw new DomainError('not_found', 'there are no such terms')
  return row
}

export async function listTerms(db: Db, page: PageRequest): Promise<Page<TermsRow>> {
  let query = termsQuery(db)
    .orderBy('terms.id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('terms.id', '<', page.after)
  return pageOf(await query.execute(), page.limit)
}

/** What an agreement that is made now is made of. @throws DomainError `not_ready` */
export async function getTermsInForce(db: Db, programmeId: string): Promise<TermsRow> {
  const row = await termsQuery(db)
    .where('terms.programmeId', '=', programmeId)
    .where('terms.status', '=', 'published')
    .where('terms.effectiveFrom', '<=', sql<Date>`clock_timestamp()`)
    .orderBy('terms.effectiveFrom', 'desc')
    .orderBy('terms.id', 'desc')
    .limit(1)
    .executeTakeFirst()
  if (!row) throw new DomainError('not_ready', 'no terms are in force: publish a version')
  return row
}

export interface NewTerms {
  id: string
  programmeId: string
  version: string
  title: string
  body: string
  docusignTemplateId: string | null
  createdBy: string
}

/**
 * Inserts a draft; a repeated request finds its own.
 * @throws DomainError `conflict` where the version is taken.
 */
export async function recordTerms(trx: Trx, terms: NewTerms): Promise<TermsRow> {
  await trx
    .insertInto('agreementTerms')
    .values({ ...terms, sha256: hashOf(Buffer.from(termsText(terms))) })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const row = await findTerms(trx, terms.id)
  if (row) return row
  throw new DomainError(
    'conflict',
    `version ${terms.version} is there already: published words do not change, name another one`,
  )
}

/**
 * Publishes a draft; published again as it is, it stays. Whatever it replaces at once is retired.
 * @param noticeSeconds how long partners have to accept it; null where nobody is asked to.
 * @throws DomainError `not_found`, `conflict` where it is published otherwise.
 */
export async function markTermsPublished(
  trx: Trx,
  publication: { id: string; effectiveFrom: Date; noticeSeconds: number | null },
): Promise<TermsRow> {
  const { id, effectiveFrom, noticeSeconds } = publication
  const found = await trx
    .selectFrom('agreementTerms')
    .select(['status', 'effectiveFrom', 'noticeSeconds', 'programmeId'])
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst()
  if (!found) throw new DomainError('not_found', 'there are no such terms')
  if (found.status !== 'draft') {
    const same =
      found.effectiveFrom?.getTime() === effectiveFrom.getTime() &&
      found.noticeSeconds === noticeSeconds
    if (same) return getTerms(trx, id)
    throw new DomainError('conflict', 'these terms are published: a change is a new version')
  }
  const later = await trx
    .selectFrom('agreementTerms')
    .select('version')
    .where('programmeId', '=', found.programmeId)
    .where('status', '=', 'published')
    .where('effectiveFrom', '>=', effectiveFrom)
    .executeTakeFirst()
  if (later) {
    const words = `version ${later.version} holds from that time or later: it would come first`
    throw new DomainError('conflict', words)
  }
  await trx
    .updateTable('agreementTerms')
    .set({
      status: 'published',
      effectiveFrom,
      noticeSeconds,
      publishedAt: sql<Date>`clock_timestamp()`,
    })
    .where('id', '=', id)
    .execute()
  await retireReplaced(trx, found.programmeId)
  return getTerms(trx, id)
}

/** Versions that a later one has replaced come back no more. */
export async function retireReplaced(db: Db, programmeId: string): Promise<void> {
  await sql`
    update agreement_terms earlier set status = 'retired'
    where programme_id = ${programmeId} and status = 'published' and exists (
      select from agreement_terms later
      where later.programme_id = earlier.programme_id and later.status = 'published'
        and later.effective_from <= clock_timestamp()
        and (later.effective_from, later.id) > (earlier.effective_from, earlier.id))`.execute(db)
}
