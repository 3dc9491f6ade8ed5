/** Self-billed documents: what is known when they are written, their numbers, and what is owed. */
import { sql } from 'kysely'
import type {
  AgreementEnd,
  OpenInvoice,
  RateTreatment,
  SelfBillingSkip,
  SelfBillingStanding,
  VatTreatment,
} from '../../domain/self-billing.ts'
import type { Db, Trx } from '../database.ts'
import { type Columns, columnsAndRows, unnested } from '../rows.ts'
import type { SelfBillingDocumentsTable } from '../schema.ts'

/** How a partner stands, with the rows that its documents refer to. */
export interface KnownStanding extends SelfBillingStanding {
  profileId: string | null
  agreementId: string | null
}

interface StandingRow {
  partnerId: string
  profileId: string | null
  registered: boolean | null
  hasVatId: boolean | null
  verified: boolean | null
  agreementId: string | null
  validUntil: string | null
  endCause: AgreementEnd | null
  treatment: RateTreatment | null
  bps: number | null
}

/** How partners stand, with the rate of their country on a day. */
export async function listSelfBillingStandings(
  db: Db,
  { partnerIds, day }: { partnerIds: string[]; day: string },
): Promise<Map<string, KnownStanding>> {
  const { rows } = await sql<StandingRow>`
    select wanted.partner_id, profile.id as profile_id, profile.registered, profile.has_vat_id,
      profile.verified_at is not null as verified, agreement.id as agreement_id,
      agreement.valid_until, agreement.end_cause, rate.treatment, rate.bps
    from unnest(${partnerIds}::uuid[]) wanted (partner_id)
    left join self_billing_profiles profile
      on profile.partner_id = wanted.partner_id and profile.replaced_at is null
    left join lateral (select id, valid_until, end_cause from self_billing_agreements
      where partner_id = wanted.partner_id order by id desc limit 1) agreement on true
    left join lateral (select treatment, bps from vat_rates
      where country = profile.country and valid_from <= ${day}
      order by valid_from desc limit 1) rate on true`.execute(db)
  return new Map(rows.map((row) => [row.partnerId, standingOf(row)]))
}

function standingOf(row: StandingRow): KnownStanding {
  const { profileId, agreementId, validUntil, endCause, treatment, bps } = row
  return {
    profileId,
    agreementId,
    profile: profileId === null ? null : profileOf(row),
    agreement: validUntil === null ? null : { validUntil, endCause },
    rate: treatment === null || bps === null ? null : { treatment, bps },
  }
}

const profileOf = ({ registered, hasVatId, verified }: StandingRow) => ({
  registered: registered ?? false,
  hasVatId: hasVatId ?? false,
  verified: verified ?? false,
})

export interface CreditableInvoice extends OpenInvoice {
  partnerId: string
  currency: string
  number: string
  treatment: VatTreatment
  bps: number
}

/** Invoices of partners that are not wholly credited, the newest first. */
export async function listCreditableInvoices(
  db: Db,
  partnerIds: string[],
): Promise<CreditableInvoice[]> {
  if (partnerIds.length === 0) return []
  const { rows } = await sql<CreditableInvoice>`
    select invoice.id, invoice.partner_id, invoice.currency, invoice.document_number as number,
      invoice.treatment, invoice.rate_bps as bps, invoice.base_minor as base,
      invoice.vat_minor as vat, credited.base as credited_base, credited.vat as credited_vat
    from self_billing_documents invoice
    cross join lateral (
      select coalesce(-sum(base_minor), 0)::bigint as base,
        coalesce(-sum(vat_minor), 0)::bigint as vat
      from self_billing_documents where corrects_id = invoice.id) credited
    where invoice.partner_id = any(${partnerIds}::uuid[]) and invoice.kind = 'invoice'
      and credited.base < invoice.base_minor
    order by invoice.number desc`.execute(db)
  return rows
}

/** A partner's series, and how far its numbers run. */
export interface Series {
  series: number
  last: number
}

/** The series of partners, locked until the documents are written; made where there is none. */
export async function lockSeries(trx: Trx, partnerIds: string[]): Promise<Map<string, Series>> {
  await sql`
    insert into self_billing_series (partner_id)
    select distinct partner_id from unnest(${partnerIds}::uuid[]) wanted (partner_id)
    where not exists (select from self_billing_series own
      where own.partner_id = wanted.partner_id)
    order by partner_id`.execute(trx)
  const { rows } = await sql<Series & { partnerId: string }>`
    select partner_id, series, last_number as last from self_billing_series
    where partner_id = any(${partnerIds}::uuid[]) order by partner_id for update`.execute(trx)
  return new Map(rows.map(({ partnerId, ...series }) => [partnerId, series]))
}

export interface NewDocument {
  kind: SelfBillingDocumentsTable['kind']
  documentNumber: string
  /** In its series. */
  number: number
  statementId: string
  partnerId: string
  period: string
  correctsId: string | null
  profileId: string
  agreementId: string
  issuer: string
  treatment: VatTreatment
  rateBps: number
  currency: string
  baseMinor: bigint
  vatMinor: bigint
  totalMinor: bigint
  issuedAt: Date
  hash: Buffer
}

const documentColumns: Columns<NewDocument> = {
  kind: 'text',
  documentNumber: 'text',
  number: 'integer',
  statementId: 'uuid',
  partnerId: 'uuid',
  period: 'text',
  correctsId: 'uuid',
  profileId: 'uuid',
  agreementId: 'uuid',
  issuer: 'jsonb',
  treatment: 'text',
  rateBps: 'integer',
  currency: 'text',
  baseMinor: 'bigint',
  vatMinor: 'bigint',
  totalMinor: 'bigint',
  issuedAt: 'timestamptz',
  hash: 'bytea',
}

export interface WrittenDocument {
  id: string
  partnerId: string
  currency: string
  vatMinor: bigint
}

/** Writes documents and counts their series on, whose rows are locked. */
export async function recordSelfBilling(
  trx: Trx,
  documents: NewDocument[],
): Promise<WrittenDocument[]> {
  if (documents.length === 0) return []
  const last = new Map(documents.map(({ partnerId, number }) => [partnerId, number]))
  const counted = [...last].map(([partnerId, number]) => ({ partnerId, number }))
  await sql`
    update self_billing_series own set last_number = taken.number
    from ${unnested({ partnerId: 'uuid', number: 'integer' }, counted)} as taken
      (partner_id, number)
    where own.partner_id = taken.partner_id and own.last_number < taken.number`.execute(trx)
  const { rows } = await sql<WrittenDocument>`
    insert into self_billing_documents ${columnsAndRows(documentColumns, documents)}
    returning id, partner_id, currency, vat_minor`.execute(trx)
  return rows
}

export interface NewSkip {
  statementId: string
  partnerId: string
  reason: SelfBillingSkip
  baseMinor: bigint
}

/** Keeps why there is no document about what statements earned or took back. */
export async function recordSelfBillingSkips(trx: Trx, skips: NewSkip[]): Promise<void> {
  if (skips.length === 0) return
  const columns: Columns<NewSkip> = {
    statementId: 'uuid',
    partnerId: 'uuid',
    reason: 'text',
    baseMinor: 'bigint',
  }
  await sql`insert into self_billing_skips ${columnsAndRows(columns, skips)}`.execute(trx)
}

/** The tax that is owed to partners and no payout carries yet, by partner and currency. */
export async function listVatOwed(
  trx: Trx,
  partnerIds: string[],
): Promise<(partnerId: string, currency: string) => bigint> {
  const { rows } = await sql<{ partnerId: string; currency: string; owed: bigint }>`
    select account.partner_id, account.currency,
      balance.credits_minor - balance.debits_minor as owed
    from ledger_accounts account join ledger_balances balance on balance.account_id = account.id
    where account.purpose = 'partner_vat' and account.partner_id = any(${partnerIds}::uuid[])
      and balance.credits_minor > balance.debits_minor`.execute(trx)
  const owed = new Map(rows.map((row) => [`${row.partnerId}:${row.currency}`, row.owed]))
  return (partnerId, currency) => owed.get(`${partnerId}:${currency}`) ?? 0n
}

/** Rates by their ids, as decimal numbers. */
export async function listRateValues(trx: Trx, ids: string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map()
  const rows = await trx
    .selectFrom('fxRates')
    .select(['id', sql<string>`trim_scale(rate)::text`.as('rate')])
    .where('id', 'in', ids)
    .execute()
  return new Map(rows.map(({ id, rate }) => [id, rate]))
}

/** The journal by which a payout took the tax that it carries; none where it carries none. */
export async function findVatPaymentJournal(
  trx: Trx,
  payoutId: string,
): Promise<bigint | undefined> {
  const row = await trx
    .selectFrom('ledgerJournals')
    .select('id')
    .where('kind', '=', 'vat_payment')
    .where('sourceType', '=', 'payout')
    .where('sourceId', '=', payoutId)
    .executeTakeFirst()
  return row?.id
}
