/** Payouts that wait for a tax form: holds that follow what there is of forms. */
import { sql } from 'kysely'
import type { TaxFormMode } from '../../domain/tax.ts'
import type { Db } from '../database.ts'

export interface TaxGate {
  mode: TaxFormMode
  /** Only these; all partners where it is left out. */
  partnerIds?: string[]
}

/** A partner that has to have a form and has no valid one. */
const misses = (mode: TaxFormMode) => sql<boolean>`(
  ${mode === 'all' ? sql`true` : sql`partner.country = 'US'`}
  and not exists (select from tax_forms form
    where form.partner_id = partner.id and form.state = 'valid'))`

const among = (partnerIds: string[] | undefined) =>
  partnerIds ? sql`partner.id = any(${partnerIds}::uuid[])` : sql`true`

/** Holds the payouts of partners without the form that the programme wants; once each. */
export async function placeTaxHolds(db: Db, { mode, partnerIds }: TaxGate): Promise<void> {
  if (mode === 'off' || partnerIds?.length === 0) return
  await sql`
    insert into partner_holds (partner_id, cause, source, reason)
    select partner.id, 'tax_form', uuidv7()::text, 'tax_form_missing' from partners partner
    where ${among(partnerIds)} and ${misses(mode)}
      and not exists (select from partner_holds hold where hold.partner_id = partner.id
        and hold.cause = 'tax_form' and hold.released_at is null)`.execute(db)
}

/** Lets go what no form is missing for any more. */
export async function releaseTaxHolds(db: Db, { mode, partnerIds }: TaxGate): Promise<void> {
  await sql`
    update partner_holds hold set released_at = clock_timestamp()
    from partners partner
    where partner.id = hold.partner_id and hold.cause = 'tax_form' and hold.released_at is null
      and ${among(partnerIds)}
      and ${mode === 'off' ? sql`true` : sql`not ${misses(mode)}`}`.execute(db)
}
