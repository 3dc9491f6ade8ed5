/** What belongs to a tenant that leaves, in files of so many lines, sealed like all of it. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import type { Db, Trx } from '../database.ts'
import { findDocument, recordDocument } from '../onboarding/documents.ts'
import { openedFields, type PersonalTableName, personalTables } from '../personal-fields.ts'

interface Section {
  table: string
  /** The column that names the partner. */
  owner: string
  personal?: PersonalTableName
  /** What is no data of the tenant: secrets by their hashes, and what only we look things up by. */
  without?: string[]
  /** What a row must have: drafts of a review are nobody's yet. */
  once?: string
}

const stamps = ['reseller_id', 'master_id', 'email_index', 'contact_email_index', 'domain_index']

/** In the order of the files. */
export const exportSections: Section[] = [
  { table: 'partners', owner: 'id', personal: 'partners' },
  { table: 'tenants', owner: 'partner_id' },
  {
    table: 'applications',
    owner: 'id',
    personal: 'applications',
    // What is said of an applicant between those who decide is not told to it later either.
    without: ['screening', 'pre_screen', 'pre_screen_reason'],
  },
  { table: 'members', owner: 'partner_id', personal: 'members' },
  { table: 'api_keys', owner: 'partner_id', without: ['secret_hash'] },
  { table: 'customers', owner: 'partner_id', personal: 'customers' },
  { table: 'partner_links', owner: 'partner_id' },
  { table: 'subscriptions', owner: 'partner_id' },
  { table: 'payments', owner: 'partner_id' },
  { table: 'line_payments', owner: 'partner_id' },
  { table: 'accruals', owner: 'partner_id' },
  { table: 'clawbacks', owner: 'partner_id' },
  { table: 'closing_accruals', owner: 'partner_id' },
  { table: 'closing_clawbacks', owner: 'partner_id' },
  { table: 'accrual_cancellations', owner: 'partner_id' },
  { table: 'adjustments', owner: 'partner_id' },
  { table: 'statements', owner: 'partner_id', once: 'issued_at' },
  { table: 'payouts', owner: 'partner_id' },
  { table: 'partner_tiers', owner: 'partner_id' },
  { table: 'agreements', owner: 'holder_id' },
  { table: 'audit_events', owner: 'partner_id' },
  { table: 'application_contacts', owner: 'application_id', personal: 'applicationContacts' },
  { table: 'application_answers', owner: 'application_id', personal: 'applicationAnswers' },
  {
    table: 'information_requests',
    owner: 'application_id',
    personal: 'informationRequests',
    once: 'asked_at',
  },
  { table: 'information_answers', owner: 'application_id', personal: 'informationAnswers' },
  { table: 'tax_forms', owner: 'partner_id', personal: 'taxForms' },
  { table: 'self_billing_profiles', owner: 'partner_id', personal: 'selfBillingProfiles' },
  { table: 'enrolments', owner: 'partner_id' },
  { table: 'certificates', owner: 'partner_id' },
  { table: 'tenant_domains', owner: 'partner_id', without: ['token'] },
]

const linesPerFile = 1_000

/** After the rows come the documents of the partner, each a file as it is. */
const documentSection = 'documents'

interface Place {
  number: number
  section: string
  lastKey: string | null
}

async function lastFile(trx: Trx, offboardingId: string) {
  return trx
    .selectFrom('offboardingExports')
    .select(['number', 'section', 'lastKey', 'lines'])
    .where('offboardingId', '=', offboardingId)
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirst()
}

/**
 * Writes the next file, after the last one that is there: a crash in between loses nothing.
 * @returns false when all are written.
 */
export async function recordNextExport(
  trx: Trx,
  { id, partnerId }: { id: string; partnerId: string },
): Promise<boolean> {
  const last = await lastFile(trx, id)
  const names = exportSections.map(({ table }) => table)
  const begun = last ? names.indexOf(last.section) : 0
  if (last?.section === documentSection) {
    return recordDocumentFile(trx, { id, partnerId }, { ...last, number: last.number + 1 })
  }
  for (const [index, section] of exportSections.entries()) {
    if (index < begun) continue
    const after = last && index === begun ? last.lastKey : null
    const page = await readPage(trx, section, { partnerId, after })
    if (page.length === 0) continue
    const number = (last?.number ?? 0) + 1
    const place = { number, section: section.table, lastKey: page.at(-1)?.key ?? null }
    const text = page.map(({ row }) => `${JSON.stringify(row)}\n`).join('')
    const file = { name: `${section.table}-${String(number).padStart(5, '0')}.jsonl` }
    const content = Buffer.from(text)
    await recordFile(trx, { id, partnerId, place, ...file, content, lines: page.length })
    return true
  }
  const number = (last?.number ?? 0) + 1
  return recordDocumentFile(trx, { id, partnerId }, { number, lastKey: null })
}

type JsonRow = Record<string, unknown>

async function readPage(
  trx: Trx,
  { table, owner, personal, without = [], once = owner }: Section,
  page: { partnerId: string; after: string | null },
): Promise<{ key: string; row: JsonRow }[]> {
  const sealedColumns = personal ? Object.values<string>(personalTables[personal].columns) : []
  const left = [...sealedColumns, ...stamps, ...without]
  const fields = personal ? openedFields(personal) : []
  const { rows } = await sql<JsonRow & { exportKey: string; exportRow: JsonRow }>`
    select ${sql.ref(`${table}.id`)}::text as export_key,
      to_jsonb(${sql.ref(table)}) - ${left}::text[] as export_row
      ${fields.length > 0 ? sql`, ${sql.join(fields)}` : sql``}
    from ${sql.table(table)}
    where ${sql.ref(`${table}.${owner}`)} = ${page.partnerId}
      and ${sql.ref(`${table}.${once}`)} is not null
      and (${page.after}::uuid is null or ${sql.ref(`${table}.id`)} > ${page.after}::uuid)
    order by ${sql.ref(`${table}.id`)} limit ${linesPerFile}`.execute(trx)
  return rows.map(({ exportKey, exportRow, ...opened }) => ({
    key: exportKey,
    row: withoutSealed({ ...exportRow, ...opened }),
  }))
}

/** What is sealed and has no name among the personal fields tells nobody anything. */
function withoutSealed(row: JsonRow): JsonRow {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !name.endsWith('_sealed')))
}

async function recordDocumentFile(
  trx: Trx,
  { id, partnerId }: { id: string; partnerId: string },
  { number, lastKey }: Omit<Place, 'section'>,
): Promise<boolean> {
  let query = trx
    .selectFrom('documents')
    .select(['id', 'kind', 'mediaType'])
    .where('holderId', '=', partnerId)
    .where('kind', '<>', 'tenant_export')
    .orderBy('id')
    .limit(1)
  if (lastKey) query = query.where('id', '>', lastKey)
  const next = await query.executeTakeFirst()
  const kept = next && (await findDocument(trx, next.id))
  if (!next || !kept) return false
  const ending = next.mediaType === 'application/pdf' ? 'pdf' : 'json'
  const name = `documents/${next.kind}-${String(number).padStart(5, '0')}.${ending}`
  const place = { number, section: documentSection, lastKey: next.id }
  await recordFile(trx, { id, partnerId, place, name, content: kept.content, lines: 1 })
  return true
}

interface ExportFile {
  id: string
  partnerId: string
  place: Place
  name: string
  content: Buffer
  lines: number
}

async function recordFile(trx: Trx, file: ExportFile): Promise<void> {
  const documentId = randomUUIDv7()
  await recordDocument(trx, {
    id: documentId,
    kind: 'tenant_export',
    mediaType: 'application/octet-stream',
    holderId: file.partnerId,
    content: file.content,
  })
  const { id: offboardingId, place, name, lines } = file
  await trx
    .insertInto('offboardingExports')
    .values({ offboardingId, ...place, name, lines, documentId })
    .execute()
}

/** The files of an export, in their order. */
export async function listExportFiles(db: Db, offboardingId: string) {
  return db
    .selectFrom('offboardingExports')
    .select(['number', 'name', 'documentId', 'lines'])
    .where('offboardingId', '=', offboardingId)
    .orderBy('number')
    .execute()
}

/** @returns how many files were removed. */
export async function removeExport(trx: Trx, offboardingId: string): Promise<number> {
  const { rows } = await sql<{ documentId: string }>`
    delete from offboarding_exports where offboarding_id = ${offboardingId}
    returning document_id`.execute(trx)
  const ids = rows.map(({ documentId }) => documentId)
  await sql`delete from documents where id = any(${ids}::uuid[])
    and kind = 'tenant_export'`.execute(trx)
  return ids.length
}
