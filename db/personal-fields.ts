/**
 * Which columns hold personal fields, and whose they are. Their names here are part of what each
 * sealed text is bound to: a table or column that is renamed has to be sealed anew.
 */
import type { AliasedExpression, RawBuilder } from 'kysely'
import { blindly, opened, sealed } from './sealed-fields.ts'

export interface PersonalTable {
  /** As the database names it. */
  table: string
  /** The column that names the partner whose rows they are; null where the platform keeps them. */
  organisation: string | null
  /** What queries and callers call them, with the columns that hold them. */
  columns: Record<string, string>
}

export const personalTables = {
  accessMails: {
    table: 'access_mails',
    organisation: 'partner_id',
    columns: { recipient: 'recipient_sealed', name: 'name_sealed' },
  },
  // Who applies is no partner yet, and has the id of the partner that it may become.
  applications: {
    table: 'applications',
    organisation: 'id',
    columns: { contactName: 'contact_name_sealed', contactEmail: 'contact_email_sealed' },
  },
  applicationAnswers: {
    table: 'application_answers',
    organisation: 'application_id',
    columns: { message: 'message_sealed', custom: 'custom_sealed' },
  },
  applicationContacts: {
    table: 'application_contacts',
    organisation: 'application_id',
    columns: { name: 'name_sealed', email: 'email_sealed' },
  },
  applicationInvitations: {
    table: 'application_invitations',
    organisation: 'partner_id',
    columns: { name: 'name_sealed', email: 'email_sealed', message: 'message_sealed' },
  },
  customers: {
    table: 'customers',
    organisation: 'partner_id',
    columns: { name: 'name_sealed', email: 'email_sealed' },
  },
  informationAnswers: {
    table: 'information_answers',
    organisation: 'application_id',
    columns: { answers: 'answers_sealed' },
  },
  informationRequests: {
    table: 'information_requests',
    organisation: 'application_id',
    columns: { questions: 'questions_sealed' },
  },
  invitations: {
    table: 'invitations',
    organisation: 'partner_id',
    columns: { name: 'name_sealed', email: 'email_sealed' },
  },
  memberInvitations: {
    table: 'member_invitations',
    organisation: 'partner_id',
    columns: { name: 'name_sealed', email: 'email_sealed' },
  },
  members: {
    table: 'members',
    organisation: 'partner_id',
    columns: { name: 'name_sealed', email: 'email_sealed' },
  },
  notices: {
    table: 'notices',
    organisation: null,
    columns: { recipient: 'recipient_sealed' },
  },
  partners: {
    table: 'partners',
    organisation: 'id',
    columns: { contactName: 'contact_name_sealed', contactEmail: 'contact_email_sealed' },
  },
  selfBillingProfiles: {
    table: 'self_billing_profiles',
    organisation: 'partner_id',
    columns: {
      legalName: 'legal_name_sealed',
      address: 'address_sealed',
      vatId: 'vat_id_sealed',
    },
  },
  taxForms: {
    table: 'tax_forms',
    organisation: 'partner_id',
    columns: { legalName: 'legal_name_sealed', tinLastFour: 'tin_last_four_sealed' },
  },
  people: { table: 'people', organisation: null, columns: { email: 'email_sealed' } },
} as const satisfies Record<string, PersonalTable>

type Tables = typeof personalTables
export type PersonalTableName = keyof Tables
type FieldOf<T extends PersonalTableName> = keyof Tables[T]['columns'] & string
type ColumnsOf<T extends PersonalTableName> = Tables[T]['columns'][FieldOf<T>] & string
type Camel<S extends string> = S extends `${infer A}_${infer B}` ? `${A}${Capitalize<Camel<B>>}` : S
type SealedColumns<T extends PersonalTableName> = Record<Camel<ColumnsOf<T>>, RawBuilder<Buffer>>

const camel = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())

/** The row to which texts belong. */
interface Row {
  id: string
  /** The partner; left out for tables of the platform. */
  organisation?: string | null
}

/** The values of a row's sealed columns. */
export function sealedFields<T extends PersonalTableName>(
  name: T,
  { id, organisation = null }: Row,
  texts: Record<FieldOf<T>, string>,
): SealedColumns<T> {
  const { table, columns }: PersonalTable = personalTables[name]
  const values = Object.entries<string>(columns).map(([field, column]) => {
    const place = { organisation, table, column, row: id }
    return [camel(column), sealed(place, texts[field as FieldOf<T>])]
  })
  return Object.fromEntries(values)
}

/**
 * A personal field, opened, as a query selects it.
 * @param as the name of the table in this query, where it is another one.
 */
export function openedField<T extends PersonalTableName, F extends FieldOf<T>>(
  name: T,
  field: F,
  as?: string,
): RawBuilder<string> {
  const { table, organisation, columns }: PersonalTable = personalTables[name]
  const own = as ?? table
  return opened({
    table,
    as: own,
    column: columns[field] ?? field,
    organisation: organisation && `${own}.${organisation}`,
  })
}

/** All personal fields of a table under their own names. */
export function openedFields<T extends PersonalTableName>(
  name: T,
): AliasedExpression<string, FieldOf<T>>[] {
  const fields = Object.keys(personalTables[name].columns) as FieldOf<T>[]
  return fields.map((field) => openedField(name, field).as(field))
}

export const mailboxPurpose = 'mailbox'
const domainPurpose = 'mail domain'

/** By what a mailbox is found: the same for the same address in letters of any case. */
export function mailboxIndex(email: string): RawBuilder<Buffer> {
  return blindly(mailboxPurpose, mailboxOf(email))
}

/** By what mailboxes at one domain are found. */
export function domainIndex(domain: string): RawBuilder<Buffer> {
  return blindly(domainPurpose, domain.toLowerCase())
}

/** How the address of a person is written. */
export const mailboxOf = (email: string) => email.toLowerCase()
