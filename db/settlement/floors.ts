/** What the rails carry at the least, by country and currency. */
import { larger } from '../../domain/money.ts'
import type { Db, Trx } from '../database.ts'

/** The least amount of a payout to a partner in a currency; 0 where any amount goes. */
export type FloorOf = (partnerId: string, currency: string) => bigint

/** Reads the floors of some partners. The higher one of the country and of all countries holds. */
export async function readFloors(trx: Trx, partnerIds: string[]): Promise<FloorOf> {
  const floors = await trx.selectFrom('payoutFloors').selectAll().execute()
  const own = floors.filter(({ country }) => country !== '*').map(({ country }) => country)
  if (floors.length === 0 || partnerIds.length === 0) return () => 0n
  const there =
    own.length === 0
      ? []
      : await trx
          .selectFrom('partners')
          .select(['id', 'country'])
          .where('id', 'in', partnerIds)
          .where('country', 'in', own)
          .execute()
  const countries = new Map(there.map(({ id, country }) => [id, country]))
  return (partnerId, currency) => {
    const places = ['*', countries.get(partnerId)]
    const fitting = floors.filter(
      (row) => row.currency === currency && places.includes(row.country),
    )
    return fitting.reduce((most, { minimumMinor }) => larger(most, minimumMinor), 0n)
  }
}

export interface Floor {
  /** `*` is every country. */
  country: string
  currency: string
  minimumMinor: bigint
}

export async function listFloors(db: Db): Promise<Floor[]> {
  return db.selectFrom('payoutFloors').selectAll().orderBy('country').orderBy('currency').execute()
}

/** Sets a floor, or sets it anew, for statements that are drafted from now on. */
export async function recordFloor(trx: Trx, floor: Floor): Promise<void> {
  const { minimumMinor } = floor
  await trx
    .insertInto('payoutFloors')
    .values(floor)
    .onConflict((conflict) =>
      conflict.columns(['country', 'currency']).doUpdateSet({ minimumMinor }),
    )
    .execute()
}
