/** Turns the partners of a planted month into ones that are written to and paid. */
import { sql } from 'kysely'
import type { Db } from '../db/database.ts'
import { sealedFields } from '../db/personal-fields.ts'

export interface Payee {
  id: string
  name: string
}

/** All partners of the month, in the order of their names' numbers. */
export async function listPayees(db: Db): Promise<Payee[]> {
  const { rows } = await sql<Payee>`
    select partner.id, name from bench.partners numbered
    join partners partner on partner.id = numbered.id order by numbered.no`.execute(db)
  return rows
}

/**
 * Gives each a mail address that opens and, where it has one, its verified payout account. Its
 * application is left out: nothing that is paid looks at it.
 * @param accounts ids at the processor by partner; a partner without one cannot be paid yet
 */
export async function makePayees(db: Db, accounts: Map<string, string>): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    for (const { id, name } of await listPayees(trx)) {
      const contactEmail = `${name.toLowerCase().replace(' ', '-')}@partner.example`
      const contact = sealedFields(
        'partners',
        { id, organisation: id },
        {
          contactName: name,
          contactEmail,
        },
      )
      await trx.updateTable('partners').set(contact).where('id', '=', id).execute()
    }
    await sql`
      insert into payout_accounts (application_id, partner_id, vendor_account_id, status,
        transfers_active, verified_at)
      select uuidv7(), partner.id, vendor_account_id, 'verified', true, clock_timestamp()
      from unnest(${[...accounts.keys()]}::uuid[], ${[...accounts.values()]}::text[])
        as partner (id, vendor_account_id)`.execute(trx)
  })
}
