/** Whose names are screened: applicants, and the partners that they become. */
import { sql } from 'kysely'
import type { ScreenedName } from '../domain/screening.ts'
import type { Db } from './database.ts'
import { openedField, openedFields } from './personal-fields.ts'
import type { ScreeningSubject } from './screenings.ts'

export interface SubjectNames {
  subject: ScreeningSubject
  names: ScreenedName[]
}

/** The names that an application brings: of the company, and of everybody whom it names. */
export async function listNamesOfApplicant(
  db: Db,
  row: ApplicantNames & { contactName: string },
): Promise<ScreenedName[]> {
  const own = namesOf({ ...row, company: row.companyName })
  const people = await listPeople(db, [row.id])
  return [...own, ...legalNameOf(row), ...people.map(({ name }) => name)]
}

interface ApplicantNames {
  id: string
  companyName: string
  legalName: string | null
  country: string
}

function namesOf(row: { company: string; contactName: string; country: string }): ScreenedName[] {
  const { country } = row
  return [
    { kind: 'company', role: 'company', name: row.company, country },
    { kind: 'person', role: 'contact', name: row.contactName, country },
  ]
}

/** Legal names and further people, as applications told them; a partner has the id of its own. */
async function listMoreNames(db: Db, ids: string[]): Promise<Map<string, ScreenedName[]>> {
  const companies = await db
    .selectFrom('applications')
    .select(['id', 'country', 'companyName', 'legalName'])
    .where('id', 'in', ids)
    .execute()
  const people = await listPeople(db, ids)
  const names = new Map<string, ScreenedName[]>(ids.map((id) => [id, []]))
  for (const company of companies) names.get(company.id)?.push(...legalNameOf(company))
  for (const { applicationId, name } of people) names.get(applicationId)?.push(name)
  return names
}

/** The legal name is looked up where it is another one. */
function legalNameOf({ companyName, legalName, country }: ApplicantNames): ScreenedName[] {
  if (!legalName || legalName === companyName) return []
  return [{ kind: 'company', role: 'legal_name', name: legalName, country }]
}

async function listPeople(db: Db, ids: string[]) {
  const people = await db
    .selectFrom('applicationContacts')
    .innerJoin('applications', 'applications.id', 'applicationContacts.applicationId')
    .select(['applicationContacts.id', 'applicationId', 'country'])
    .select(openedField('applicationContacts', 'name').as('name'))
    .where('applicationId', 'in', ids)
    .orderBy('applicationContacts.id')
    .execute()
  return people.map(({ id, applicationId, country, name }) => ({
    applicationId,
    name: { kind: 'person', role: `contact:${id}`, name, country } satisfies ScreenedName,
  }))
}

/**
 * The next applicants that are still on their way and partners that are not terminated, by id: who
 * has become a partner is there once, as one.
 */
export async function listSubjectPage(
  db: Db,
  page: { after: string | null; size: number },
): Promise<{ last: string | null; subjects: SubjectNames[] }> {
  const { rows } = await sql<{ id: string; isPartner: boolean }>`
    select id, is_partner from (
      select id, true as is_partner from partners where status <> 'terminated'
      union all
      select id, false from applications
      where closed_at is null and not exists (
        select from partners where partners.id = applications.id)) subject
    where id > coalesce(${page.after}::uuid, '00000000-0000-0000-0000-000000000000')
    order by id limit ${page.size}`.execute(db)
  const idsOf = (partners: boolean) =>
    rows.filter(({ isPartner }) => isPartner === partners).map(({ id }) => id)
  const found = [
    ...(await listPartners(db, idsOf(true))),
    ...(await listApplicants(db, idsOf(false))),
  ]
  return { last: rows.length < page.size ? null : (rows.at(-1)?.id ?? null), subjects: found }
}

async function listPartners(db: Db, ids: string[]): Promise<SubjectNames[]> {
  if (ids.length === 0) return []
  const rows = await db
    .selectFrom('partners')
    .select(['id', 'name', 'country'])
    .select(openedFields('partners'))
    .where('id', 'in', ids)
    .orderBy('id')
    .execute()
  const more = await listMoreNames(db, ids)
  return rows.map(({ id, name, country, contactName }) => ({
    subject: { partnerId: id },
    names: [...namesOf({ company: name, contactName, country }), ...(more.get(id) ?? [])],
  }))
}

async function listApplicants(db: Db, ids: string[]): Promise<SubjectNames[]> {
  if (ids.length === 0) return []
  const rows = await db
    .selectFrom('applications')
    .select(['id', 'companyName', 'country'])
    .select(openedFields('applications'))
    .where('id', 'in', ids)
    .orderBy('id')
    .execute()
  const more = await listMoreNames(db, ids)
  return rows.map((row) => ({
    subject: { applicationId: row.id },
    names: [...namesOf({ ...row, company: row.companyName }), ...(more.get(row.id) ?? [])],
  }))
}
