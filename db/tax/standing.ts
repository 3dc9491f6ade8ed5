/** Who partners are for tax, and what was paid to them in a year. */
import { type RawBuilder, sql } from 'kysely'
import type { Compensation, TaxStanding } from '../../domain/tax.ts'
import type { Db, Trx } from '../database.ts'
import { type Page, type PageRequest, pageOf } from '../paging.ts'
import { openedField } from '../personal-fields.ts'

interface FormColumns {
  formKind: NonNullable<TaxStanding['form']>['kind'] | null
  classification: NonNullable<TaxStanding['form']>['classification']
  subjectToWithholding: boolean | null
}

const formOf = ({ formKind, ...rest }: FormColumns): TaxStanding['form'] =>
  formKind && {
    kind: formKind,
    classification: rest.classification,
    subjectToWithholding: rest.subjectToWithholding ?? false,
  }

/** How some partners stand, by partner. */
export async function listTaxStandings(
  trx: Trx,
  partnerIds: string[],
): Promise<Map<string, TaxStanding>> {
  if (partnerIds.length === 0) return new Map()
  const rows = await trx
    .selectFrom('partners')
    .leftJoin('taxForms as form', (join) =>
      join.onRef('form.partnerId', '=', 'partners.id').on('form.state', '=', 'valid'),
    )
    .select(['partners.id', 'partners.country', 'form.kind as formKind'])
    .select(['form.classification', 'form.subjectToWithholding'])
    .where('partners.id', 'in', partnerIds)
    .execute()
  return new Map(rows.map(({ id, country, ...form }) => [id, { country, form: formOf(form) }]))
}

/** A year of one partner, or of all. */
interface Asked {
  year: number
  currency: string
  partnerId: string | null
}

const yearOf = (column: RawBuilder<unknown>, year: number) =>
  sql`${column} >= make_timestamptz(${year}::int, 1, 1, 0, 0, 0, 'UTC')
    and ${column} < make_timestamptz(${year + 1}::int, 1, 1, 0, 0, 0, 'UTC')`

/**
 * Payouts of US persons by the day on which they were paid, before tax, and whatever tax was
 * withheld of as of one. What was taken back is not paid; what the partner's bank refused lies in
 * the partner's own balance, and is.
 */
const paidTo = ({ year, partnerId }: Asked) => sql`
  select payout.partner_id, payout.currency, count(*)::int as payouts,
    -- The value added tax that a payout carries is no compensation.
    sum(payout.amount_minor + statement.withheld_minor - payout.vat_minor)::bigint
      as amount,
    sum(statement.withheld_minor)::bigint as withheld
  from payouts payout
  join statements statement on statement.id = payout.statement_id
  join partners partner on partner.id = payout.partner_id
  left join tax_forms form on form.partner_id = payout.partner_id and form.state = 'valid'
  where payout.paid_at is not null and ${yearOf(sql`payout.paid_at`, year)}
    and (form.kind = 'w9' or form.id is null and partner.country = 'US'
      -- What was handed to the authority is told of, whoever the partner is by now.
      or statement.withheld_minor > 0)
    and (${partnerId}::uuid is null or payout.partner_id = ${partnerId}::uuid)
  group by 1, 2`

type CompensationRow = Omit<Compensation, 'form'> & FormColumns

/** What US persons were paid, or was withheld of, in a year in its currency, by partner. */
export async function listCompensation(
  db: Db,
  asked: Asked,
  page: PageRequest | null,
): Promise<Page<Compensation & { id: string }>> {
  const { rows } = await sql<CompensationRow>`
    select paid.partner_id, partner.name as partner_name, partner.country, paid.payouts,
      paid.amount, paid.withheld, form.kind as form_kind, form.classification,
      form.subject_to_withholding, form.tin_kind,
      ${openedField('taxForms', 'legalName', 'form')} as legal_name,
      ${openedField('taxForms', 'tinLastFour', 'form')} as tin_last_four
    from (${paidTo(asked)}) paid
    join partners partner on partner.id = paid.partner_id
    left join tax_forms form on form.partner_id = paid.partner_id and form.state = 'valid'
    where paid.currency = ${asked.currency}
      and (${page?.after ?? null}::uuid is null or paid.partner_id > ${page?.after ?? null}::uuid)
    order by paid.partner_id
    limit ${page ? page.limit + 1 : null}::int`.execute(db)
  const lines = rows.map(({ formKind, classification, subjectToWithholding, ...line }) => ({
    ...line,
    id: line.partnerId,
    form: formOf({ formKind, classification, subjectToWithholding }),
  }))
  return page ? pageOf(lines, page.limit) : { rows: lines, next: null }
}

/** Sums of a year over all partners that are asked for, by the currency that was paid. */
export async function sumCompensation(db: Db, asked: Asked) {
  const { rows } = await sql<{
    currency: string
    partners: number
    amount: bigint
    withheld: bigint
  }>`
    select currency, count(*)::int as partners, sum(amount)::bigint as amount,
      sum(withheld)::bigint as withheld
    from (${paidTo(asked)}) paid group by 1 order by 1`.execute(db)
  return rows
}
