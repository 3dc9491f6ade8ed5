/** Commission rules: which rate holds for which depth, and since when. */
import { sql } from 'kysely'
import type { Db } from '../database.ts'

/** The rates that hold now, as an agreement states them. */
export async function listCommissionTerms(db: Db, programmeId: string) {
  return db
    .selectFrom('commissionRules')
    .select(['depth', 'rateNum as num', 'rateDen as den'])
    .where('programmeId', '=', programmeId)
    .where(sql<boolean>`valid @> clock_timestamp()`)
    .orderBy('depth')
    .execute()
}
