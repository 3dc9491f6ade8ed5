/**
 * What is erased of a partner: every sealed column is emptied, what names a mailbox is made
 * meaningless, and at last its keys are destroyed, with which whatever was missed is gone as well.
 * The books name no person and stay.
 */
import { createHash } from 'node:crypto'
import { type RawBuilder, sql } from 'kysely'
import { markDataKeysDestroyed } from '../data-keys.ts'
import type { Db, Trx } from '../database.ts'
import { documentPlace, findDocument } from '../onboarding/documents.ts'
import { type PersonalTable, personalTables } from '../personal-fields.ts'
import { sealed } from '../sealed-fields.ts'

interface ErasedTable {
  table: string
  owner: string
  columns: readonly string[]
}

/** Sealed columns of partners that have no names among the personal fields. */
const otherTables: ErasedTable[] = [
  {
    table: 'agreements',
    owner: 'holder_id',
    columns: ['signer_name_sealed', 'signer_email_sealed', 'declined_reason_sealed'],
  },
]

export const erasedTables: ErasedTable[] = [
  ...Object.values<PersonalTable>(personalTables).flatMap(({ table, organisation, columns }) =>
    organisation === null ? [] : [{ table, owner: organisation, columns: Object.values(columns) }],
  ),
  ...otherTables,
]

const none = sql.lit('\\x')

/** Empties the sealed columns of a table, the rows of one partner. @returns how many. */
export async function eraseTable(
  trx: Trx,
  { table, owner, columns }: ErasedTable,
  partnerId: string,
): Promise<number> {
  const isKept = sql.join(
    columns.map((column) => sql`octet_length(${sql.ref(column)}) > 0`),
    sql` or `,
  )
  const emptied = columns.map(
    (column) => sql`${sql.ref(column)} = case
    when ${sql.ref(column)} is not null then ${none}::bytea end`,
  )
  const { numAffectedRows } = await sql`
    update ${sql.table(table)} set ${sql.join(emptied)}
    where ${sql.ref(owner)} = ${partnerId} and (${isKept})`.execute(trx)
  return Number(numAffectedRows ?? 0n)
}

/** Who is a member, or was invited, nowhere else: their ways in are theirs no more. */
async function strangersOf(trx: Trx, partnerId: string): Promise<Buffer[]> {
  const { rows } = await sql<{ emailIndex: Buffer }>`
    select distinct email_index from (
      select email_index from members where partner_id = ${partnerId}
      union select email_index from member_invitations where partner_id = ${partnerId}) own
    where not exists (select from members other where other.email_index = own.email_index
      and other.partner_id is distinct from ${partnerId})`.execute(trx)
  return rows.map(({ emailIndex }) => emailIndex)
}

const among = (column: string, values: unknown[], type: 'bytea' | 'uuid') =>
  values.length === 0
    ? sql<boolean>`false`
    : sql<boolean>`${sql.ref(column)} in (${sql.join(
        values.map((value) => sql`${value}::${sql.raw(type)}`),
      )})`

async function erasePeople(trx: Trx, mailboxes: Buffer[]): Promise<number> {
  const { rows } = await sql<{ id: string }>`
    select id from people where ${among('email_index', mailboxes, 'bytea')} for update`.execute(trx)
  const ids = rows.map(({ id }) => id)
  for (const table of ['passkeys', 'recovery_codes', 'password_resets'] as const) {
    await sql`delete from ${sql.table(table)} where ${among('person_id', ids, 'uuid')}`.execute(trx)
  }
  await sql`delete from passkey_challenges where session_id in
    (select id from sessions where ${among('person_id', ids, 'uuid')})`.execute(trx)
  await sql`delete from sessions where ${among('person_id', ids, 'uuid')}`.execute(trx)
  await sql`update people set email_sealed = ${none}::bytea, email_index = uuid_send(id),
      password_hash = null, password_set_at = null, totp_secret = null, totp_confirmed_at = null,
      oidc_issuer = null, oidc_subject = null
    where ${among('id', ids, 'uuid')}`.execute(trx)
  await sql`update access_mails set recipient_sealed = ${none}::bytea, name_sealed = ${none}::bytea
    where partner_id is null and ${among('subject_id', ids, 'uuid')}`.execute(trx)
  return ids.length
}

/** Whatever a notice of the partner may be about. */
const subjects = (partnerId: string): RawBuilder<unknown> => sql`
  select id from tenants where partner_id = ${partnerId}
  union all select id from customers where partner_id = ${partnerId}
  union all select id from members where partner_id = ${partnerId}
  union all select id from member_invitations where partner_id = ${partnerId}
  union all select id from api_keys where partner_id = ${partnerId}
  union all select id from payouts where partner_id = ${partnerId}
  union all select id from statements where partner_id = ${partnerId} and issued_at is not null
  union all select id from partner_tiers where partner_id = ${partnerId}
  union all select id from access_mails where partner_id = ${partnerId}
  union all select id from offboardings where partner_id = ${partnerId}
  union all select ${partnerId}::uuid`

/** Mails to these mailboxes, and whatever was sent about the partner but to the platform itself. */
async function eraseNotices(trx: Trx, partnerId: string, mailboxes: Buffer[]): Promise<number> {
  const { numAffectedRows } = await sql`
    update notices set recipient_sealed = ${none}::bytea, recipient_index = null
    where octet_length(recipient_sealed) > 0
      and (${among('recipient_index', mailboxes, 'bytea')} or (
        subject_id in (${subjects(partnerId)})
        and not exists (select from members
          where partner_id is null and email_index = recipient_index)))`.execute(trx)
  return Number(numAffectedRows ?? 0n)
}

/** Empties everything that tells of persons, table by table. @returns counts for the evidence. */
export async function erasePersons(trx: Trx, partnerId: string): Promise<Record<string, number>> {
  const mailboxes = await strangersOf(trx, partnerId)
  const applications = await listApplicationsOf(trx, partnerId)
  const contact = await contactsOf(trx, applications)
  const counts: Record<string, number> = {}
  counts.notices = await eraseNotices(trx, partnerId, [...mailboxes, ...contact])
  counts.people = await erasePeople(trx, mailboxes)
  for (const one of erasedTables) {
    let emptied = 0
    for (const id of applications) emptied += await eraseTable(trx, one, id)
    counts[one.table] = emptied
  }
  counts.application_invitations =
    (counts.application_invitations ?? 0) + (await eraseInvitations(trx, partnerId, applications))
  await sql`delete from sessions where member_id in
    (select id from members where partner_id = ${partnerId})`.execute(trx)
  await sql`update members set email_index = uuid_send(id), status = 'disabled',
      disabled_at = coalesce(disabled_at, clock_timestamp())
    where partner_id = ${partnerId}`.execute(trx)
  await sql`update member_invitations set email_index = uuid_send(id)
    where partner_id = ${partnerId}`.execute(trx)
  await sql`update api_keys set label = 'erased', last_used_ip = null, allowed_ips = null,
      revoked_at = coalesce(revoked_at, clock_timestamp())
    where partner_id = ${partnerId}`.execute(trx)
  await sql`delete from idempotency_keys where partner_id = ${partnerId}`.execute(trx)
  return counts
}

/** The one that became the partner, which has its id, and those that were turned away before. */
async function listApplicationsOf(trx: Trx, partnerId: string): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    with recursive own as (
      select ${partnerId}::uuid as id
      union
      select reapplies_id from applications join own using (id) where reapplies_id is not null)
    select id from own`.execute(trx)
  return rows.map(({ id }) => id)
}

/**
 * By whom it was invited keeps that it did, and whom it has invited itself is found by no mailbox
 * any more. @returns how many rows of others were emptied.
 */
async function eraseInvitations(
  trx: Trx,
  partnerId: string,
  applications: string[],
): Promise<number> {
  await sql`update application_invitations set email_index = uuid_send(id)
    where partner_id = ${partnerId}`.execute(trx)
  const { numAffectedRows } = await sql`
    update application_invitations set email_index = uuid_send(id),
      name_sealed = ${none}::bytea, email_sealed = ${none}::bytea, message_sealed = ${none}::bytea
    where octet_length(email_sealed) > 0 and id in (select invitation_id from applications
      where ${among('id', applications, 'uuid')})`.execute(trx)
  return Number(numAffectedRows ?? 0n)
}

/** By which mailboxes notices to the contact of the application are found. */
async function contactsOf(trx: Trx, applications: string[]): Promise<Buffer[]> {
  const { rows } = await sql<{ index: Buffer | null }>`
    select contact_email_index as index from applications
    where ${among('id', applications, 'uuid')}`.execute(trx)
  return rows.flatMap(({ index }) => index ?? [])
}

/** What the company is called from now on: its books name it by its id. */
export async function eraseCompany(trx: Trx, partnerId: string, name: string): Promise<void> {
  const nowhere = 'https://erased.invalid'
  await sql`update partners set name = ${name}, website = ${nowhere}, status = 'terminated'
    where id = ${partnerId}`.execute(trx)
  const applications = await listApplicationsOf(trx, partnerId)
  await sql`update applications set company_name = ${name}, company_normalized = ${name},
      legal_name = null, registration_number = null, registration_normalized = null,
      website = ${nowhere}, contact_email_index = null, domain_index = null
    where ${among('id', applications, 'uuid')}`.execute(trx)
  await sql`update tenants set name = ${name}, subdomain = null, status = 'erased'
    where partner_id = ${partnerId}`.execute(trx)
}

/**
 * Agreements have to be kept for the legal term, longer than the keys of who signed: they are
 * sealed anew for the platform. @returns how many.
 */
export async function recordKeptDocuments(trx: Trx, partnerId: string): Promise<number> {
  const rows = await trx
    .selectFrom('documents')
    .select('id')
    .where('holderId', '=', partnerId)
    .where('kind', '<>', 'tenant_export')
    .execute()
  for (const { id } of rows) {
    const kept = await findDocument(trx, id)
    if (!kept) continue
    const place = documentPlace({ id, holderId: null })
    const content = sealed(place, kept.content.toString('base64'))
    await sql`update documents set holder_id = null, content_sealed = ${content}
      where id = ${id}`.execute(trx)
  }
  return rows.length
}

export async function shredKeys(trx: Trx, partnerId: string): Promise<number> {
  let destroyed = 0
  for (const id of await listApplicationsOf(trx, partnerId)) {
    destroyed += await markDataKeysDestroyed(trx, id)
  }
  return destroyed
}

export interface Evidence {
  offboardingId: string
  partnerId: string
  counts: Record<string, number>
  requestedBy: string
  confirmedBy: string
}

/** Keeps what was done, once. */
export async function recordErasureEvidence(trx: Trx, evidence: Evidence): Promise<void> {
  const { counts, ...said } = evidence
  const text = JSON.stringify([said, Object.entries(counts).sort()])
  await trx
    .insertInto('erasures')
    .values({
      ...said,
      counts: JSON.stringify(counts),
      hash: createHash('sha256').update(text).digest('hex'),
    })
    .onConflict((conflict) => conflict.column('offboardingId').doNothing())
    .execute()
}

export async function findErasure(db: Db, offboardingId: string) {
  return db
    .selectFrom('erasures')
    .selectAll()
    .where('offboardingId', '=', offboardingId)
    .executeTakeFirst()
}
