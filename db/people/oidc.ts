/** Sign-ins that are away at the identity provider, and whom it means by whom. */
import { sql } from 'kysely'
import type { Db, Trx } from '../database.ts'

export interface OidcSignIn {
  stateHash: Buffer
  browserHash: Buffer
  nonce: string
  codeVerifier: string
  organisation: string | null
}

/** How long one may take at the provider. */
export const oidcSeconds = 600

export async function recordOidcSignIn(db: Db, started: OidcSignIn): Promise<void> {
  const expiresAt = sql<Date>`clock_timestamp() + make_interval(secs => ${oidcSeconds})`
  await db
    .insertInto('oidcSignIns')
    .values({ ...started, expiresAt })
    .execute()
}

/** Takes away what the same browser has started; undefined for anything else. */
export async function takeOidcSignIn(
  db: Db,
  { stateHash, browserHash }: Pick<OidcSignIn, 'stateHash' | 'browserHash'>,
) {
  return db
    .deleteFrom('oidcSignIns')
    .where('stateHash', '=', stateHash)
    .where('browserHash', '=', browserHash)
    .where('expiresAt', '>', sql<Date>`clock_timestamp()`)
    .returning(['nonce', 'codeVerifier', 'organisation'])
    .executeTakeFirst()
}

/**
 * Ties the person to who it is at the provider, the first time.
 * @returns false where the address is now somebody else's there.
 */
export async function markOidcSubject(
  trx: Trx,
  { personId, issuer, subject }: { personId: string; issuer: string; subject: string },
): Promise<boolean> {
  const tied = await trx
    .updateTable('people')
    .set({ oidcIssuer: issuer, oidcSubject: subject })
    .where('id', '=', personId)
    .where((eb) =>
      eb.or([
        eb('oidcSubject', 'is', null),
        eb.and([eb('oidcIssuer', '=', issuer), eb('oidcSubject', '=', subject)]),
      ]),
    )
    // Under another address the provider's account is another person's here.
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('people as other')
            .select('other.id')
            .where('other.id', '<>', personId)
            .where('other.oidcIssuer', '=', issuer)
            .where('other.oidcSubject', '=', subject),
        ),
      ),
    )
    .returning('id')
    .executeTakeFirst()
  return tied !== undefined
}
