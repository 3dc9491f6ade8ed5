/** How far a partner has come with the mails that welcome it. */
import { sql } from 'kysely'
import type { Db, Trx } from './database.ts'

/** Begins the sequence once. */
export async function recordWelcome(trx: Trx, partnerId: string): Promise<void> {
  await trx
    .insertInto('welcomeSequences')
    .values({ partnerId })
    .onConflict((conflict) => conflict.column('partnerId').doNothing())
    .execute()
}

export async function findWelcome(db: Db, partnerId: string) {
  return db
    .selectFrom('welcomeSequences')
    .select(['partnerId', 'startedAt', 'sent', 'stoppedAt', 'endedAt'])
    .select((query) =>
      query
        .exists(
          query
            .selectFrom('customers')
            .select('customers.id')
            .whereRef('customers.partnerId', '=', 'welcomeSequences.partnerId'),
        )
        .as('hasCustomer'),
    )
    .where('partnerId', '=', partnerId)
    .executeTakeFirst()
}

export async function markWelcomeSent(db: Db, partnerId: string, sent: number): Promise<void> {
  await db
    .updateTable('welcomeSequences')
    .set({ sent })
    .where('partnerId', '=', partnerId)
    .where('sent', '<', sent)
    .execute()
}

/** Ends the sequence at the wish of who gets it. @returns whether there is one. */
export async function markWelcomeStopped(db: Db, partnerId: string): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('welcomeSequences')
    .set({ stoppedAt: sql<Date>`coalesce(stopped_at, clock_timestamp())` })
    .where('partnerId', '=', partnerId)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

export async function markWelcomeEnded(db: Db, partnerId: string): Promise<void> {
  await db
    .updateTable('welcomeSequences')
    .set({ endedAt: sql<Date>`clock_timestamp()` })
    .where('partnerId', '=', partnerId)
    .where('endedAt', 'is', null)
    .execute()
}
