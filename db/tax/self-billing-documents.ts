/** Self-billed documents as they are read: one by one, listed, and for a statement. */
import { z } from 'zod'
import type { Months } from '../../domain/cadence.ts'
import type { Db } from '../database.ts'
import { type Page, type PageRequest, pageOf } from '../paging.ts'
import { nameOrFormer } from '../partner-places.ts'
import { openedField } from '../personal-fields.ts'
import { tellsOf } from '../settlement/statements.ts'

const issuerSchema = z.strictObject({
  legalName: z.string(),
  address: z.string(),
  country: z.string(),
  vatId: z.string(),
})

function documents(db: Db) {
  return db
    .selectFrom('selfBillingDocuments as document')
    .innerJoin('statements', 'statements.id', 'document.statementId')
    .leftJoin('partners', 'partners.id', 'document.partnerId')
    .leftJoin('selfBillingDocuments as corrected', 'corrected.id', 'document.correctsId')
    .selectAll('document')
    .select(['statements.documentNumber as statementNumber', 'statements.sincePeriod'])
    .select('statements.periodName')
    .select('corrected.documentNumber as correctsNumber')
    .select(nameOrFormer.as('partnerName'))
}

type RawRow = Awaited<ReturnType<ReturnType<typeof documents>['executeTakeFirstOrThrow']>>

const parsed = (row: RawRow) => ({ ...row, issuer: issuerSchema.parse(row.issuer) })

export type SelfBillingRow = ReturnType<typeof parsed>

export async function findSelfBilling(db: Db, id: string): Promise<SelfBillingRow | undefined> {
  const row = await documents(db).where('document.id', '=', id).executeTakeFirst()
  return row && parsed(row)
}

export interface SelfBillingFilter {
  partnerId?: string | undefined
  months?: Months | undefined
  week?: string | undefined
}

function filtered(db: Db, { partnerId, months, week }: SelfBillingFilter) {
  let query = documents(db)
  if (partnerId) query = query.where('document.partnerId', '=', partnerId)
  if (months) query = query.where(tellsOf(months, week))
  return query
}

/** The newest first. */
export async function listSelfBilling(
  db: Db,
  filter: SelfBillingFilter & PageRequest,
): Promise<Page<SelfBillingRow>> {
  let query = filtered(db, filter)
    .orderBy('document.id', 'desc')
    .limit(filter.limit + 1)
  if (filter.after) query = query.where('document.id', '<', filter.after)
  const page = pageOf(await query.execute(), filter.limit)
  return { ...page, rows: page.rows.map(parsed) }
}

/**
 * All documents of some months with who supplies, by partner and number. One that is about several
 * months counts to the last of them, so that no two exports have it.
 */
export async function listSelfBillingOf(db: Db, { since, period }: Months) {
  const rows = await documents(db)
    .where('document.period', '>=', since)
    .where('document.period', '<=', period)
    .innerJoin('selfBillingProfiles as profile', 'profile.id', 'document.profileId')
    .select('profile.country as supplierCountry')
    .select(openedField('selfBillingProfiles', 'legalName', 'profile').as('supplierName'))
    .select(openedField('selfBillingProfiles', 'vatId', 'profile').as('supplierVatId'))
    .orderBy('document.partnerId')
    .orderBy('document.number')
    .execute()
  return rows.map((row) => ({ ...row, ...parsed(row) }))
}

export type SuppliedRow = Awaited<ReturnType<typeof listSelfBillingOf>>[number]

/** What was written about a statement, what was left out and why, and what tax was paid with it. */
export async function findStatementSelfBilling(db: Db, statementId: string) {
  const written = await db
    .selectFrom('selfBillingDocuments')
    .select(['id', 'kind', 'documentNumber', 'baseMinor', 'vatMinor', 'totalMinor'])
    .where('statementId', '=', statementId)
    .orderBy('number')
    .execute()
  const skip = await db
    .selectFrom('selfBillingSkips')
    .select(['reason', 'baseMinor'])
    .where('statementId', '=', statementId)
    .executeTakeFirst()
  return { documents: written, skip: skip ?? null }
}
