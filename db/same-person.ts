/** Who is the same person: a person is a mailbox, under however many memberships. */
import { sql } from 'kysely'
import type { Trx } from './database.ts'

export async function isSamePerson(trx: Trx, one: string, other: string): Promise<boolean> {
  const { rows } = await sql<{ same: boolean }>`
    select count(distinct email_index) < 2 as same from members
    where id in (${one}, ${other})`.execute(trx)
  return rows[0]?.same ?? true
}
