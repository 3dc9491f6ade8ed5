/** Passkeys of people, and the challenges that they have to sign. */
import { sql } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import type { Db, Trx } from '../database.ts'
import { type Page, type PageRequest, pageOf } from '../paging.ts'

export type ChallengePurpose = 'registration' | 'authentication'

const challengeSeconds = 300

/** The newest challenge of a session is the one that holds. */
export async function recordChallenge(
  db: Db,
  made: { sessionId: string; purpose: ChallengePurpose; challenge: string },
): Promise<void> {
  const expiresAt = sql<Date>`clock_timestamp() + make_interval(secs => ${challengeSeconds})`
  const { challenge } = made
  await db
    .insertInto('passkeyChallenges')
    .values({ ...made, expiresAt })
    .onConflict((conflict) =>
      conflict.columns(['sessionId', 'purpose']).doUpdateSet({ challenge, expiresAt }),
    )
    .execute()
}

/** Takes the challenge away: whatever comes of it, nothing is checked against it again. */
export async function takeChallenge(
  db: Db,
  { sessionId, purpose }: { sessionId: string; purpose: ChallengePurpose },
): Promise<string> {
  const taken = await db
    .deleteFrom('passkeyChallenges')
    .where('sessionId', '=', sessionId)
    .where('purpose', '=', purpose)
    .returning(['challenge', sql<boolean>`expires_at > clock_timestamp()`.as('holds')])
    .executeTakeFirst()
  if (taken?.holds) return taken.challenge
  throw new DomainError('not_ready', 'ask for new options first: a challenge works once')
}

export type PasskeyRow = NonNullable<Awaited<ReturnType<typeof findPasskey>>>

export async function findPasskey(
  db: Db,
  { personId, credentialId }: { personId: string; credentialId: string },
) {
  return db
    .selectFrom('passkeys')
    .selectAll()
    .where('personId', '=', personId)
    .where('credentialId', '=', credentialId)
    .executeTakeFirst()
}

/** All of a person; few enough to be named to an authenticator. */
export async function listCredentialIds(db: Db, personId: string) {
  return db
    .selectFrom('passkeys')
    .select(['credentialId', 'transports'])
    .where('personId', '=', personId)
    .orderBy('id')
    .execute()
}

export async function listPasskeys(
  db: Db,
  personId: string,
  page: PageRequest,
): Promise<Page<PasskeyRow>> {
  let query = db
    .selectFrom('passkeys')
    .selectAll()
    .where('personId', '=', personId)
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('id', '<', page.after)
  return pageOf(await query.execute(), page.limit)
}

export interface NewPasskey {
  id: string
  personId: string
  name: string
  credentialId: string
  publicKey: Buffer
  counter: bigint
  transports: string[]
  backedUp: boolean
}

/** @throws DomainError `conflict` for a credential that is registered, by whomever. */
export async function recordPasskey(trx: Trx, passkey: NewPasskey): Promise<PasskeyRow> {
  const row = await trx
    .insertInto('passkeys')
    .values(passkey)
    .onConflict((conflict) => conflict.column('credentialId').doNothing())
    .returningAll()
    .executeTakeFirst()
  if (row) return row
  throw new DomainError('conflict', 'this passkey is registered already')
}

/**
 * Notes a use. A counter that does not rise is that of a copy; authenticators that count nothing
 * stay at 0.
 * @returns false where another use was quicker or the counter stands still.
 */
export async function markPasskeyUsed(
  db: Db,
  { id, counter }: { id: string; counter: bigint },
): Promise<boolean> {
  const used = await db
    .updateTable('passkeys')
    .set({ counter, lastUsedAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where((eb) =>
      eb.or([
        eb('counter', '<', counter),
        eb.and([eb('counter', '=', 0n), eb.val(counter === 0n)]),
      ]),
    )
    .returning('id')
    .executeTakeFirst()
  return used !== undefined
}

/** @throws DomainError `not_found`, also for a passkey of somebody else. */
export async function removePasskey(
  trx: Trx,
  { id, personId }: { id: string; personId: string },
): Promise<void> {
  const removed = await trx
    .deleteFrom('passkeys')
    .where('id', '=', id)
    .where('personId', '=', personId)
    .returning('id')
    .executeTakeFirst()
  if (!removed) throw new DomainError('not_found', 'there is no such passkey')
}
