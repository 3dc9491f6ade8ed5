/** Sealing in tests: an open transaction of any test on this server holds the seals up. */
import { sql } from 'kysely'
import type { Db } from '../../db/database.ts'
import { sealJournals } from '../../db/seals.ts'

/** The journals that lie in no block yet, by their ids. */
export async function unsealed(db: Db): Promise<bigint[]> {
  const { rows } = await sql<{ id: bigint }>`
    select id from ledger_journals
    where xid >= coalesce((select to_xid from ledger_seals order by number desc limit 1), '0')
    order by id`.execute(db)
  return rows.map(({ id }) => id)
}

/** Seals until only these journals are left out; without a list, until none is. */
export async function sealAllBut(
  db: Db,
  left: bigint[] = [],
  options: { journalsPerBlock?: number } = {},
): Promise<void> {
  for (;;) {
    await sealJournals(db, options)
    const waiting = await unsealed(db)
    if (waiting.every((id) => left.includes(id))) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
