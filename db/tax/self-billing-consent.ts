/** Who partners are on their invoices, and that the platform may write them. */
import { sql } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import type { AgreementEnd } from '../../domain/self-billing.ts'
import { type Db, lockName, type Trx } from '../database.ts'
import { openedFields, sealedFields } from '../personal-fields.ts'

export interface SelfBillingProfile {
  id: string
  partnerId: string
  legalName: string
  address: string
  country: string
  registered: boolean
  /** Empty where there is none (yet). */
  vatId: string
  createdAt: Date
  /** When somebody of the platform found it right. */
  verifiedAt: Date | null
}

const now = sql<Date>`clock_timestamp()`

function profiles(db: Db) {
  return db
    .selectFrom('selfBillingProfiles')
    .select(['id', 'partnerId', 'country', 'registered', 'createdAt', 'verifiedAt'])
    .select(openedFields('selfBillingProfiles'))
}

/** The profile that holds today. */
export async function findProfile(
  db: Db,
  partnerId: string,
): Promise<SelfBillingProfile | undefined> {
  return profiles(db)
    .where('partnerId', '=', partnerId)
    .where('replacedAt', 'is', null)
    .executeTakeFirst()
}

/** A profile by its id, also one that was replaced: documents keep theirs. */
export async function findProfileById(db: Db, id: string): Promise<SelfBillingProfile | undefined> {
  return profiles(db).where('id', '=', id).executeTakeFirst()
}

const lockPartner = (trx: Trx, partnerId: string) => lockName(trx, `self_billing:${partnerId}`)

/**
 * Puts a profile in the place of the one before; saying the same again changes nothing. Where the
 * number for tax, or the country, is another one, the agreement ends with the old one.
 * @param profile with who found it right, where the platform enters it.
 */
export async function recordProfile(
  trx: Trx,
  profile: Omit<SelfBillingProfile, 'createdAt' | 'verifiedAt'> & { verifiedBy: string | null },
): Promise<void> {
  const { verifiedBy, id, partnerId, country, registered, legalName, address, vatId } = profile
  await lockPartner(trx, partnerId)
  const before = await findProfile(trx, partnerId)
  const isSame =
    before !== undefined &&
    before.country === country &&
    before.registered === registered &&
    before.legalName === legalName &&
    before.address === address &&
    before.vatId === vatId
  if (isSame || before?.id === id) return
  if (before) {
    await trx
      .updateTable('selfBillingProfiles')
      .set({ replacedAt: now })
      .where('id', '=', before.id)
      .execute()
    if (before.vatId !== vatId || before.country !== country) {
      await markAgreementEnded(trx, partnerId, 'vat_id_changed')
    }
  }
  const sealed = sealedFields(
    'selfBillingProfiles',
    { id, organisation: partnerId },
    { legalName, address, vatId },
  )
  const found = verifiedBy === null ? {} : { verifiedBy, verifiedAt: now }
  await trx
    .insertInto('selfBillingProfiles')
    .values({ id, partnerId, country, registered, hasVatId: vatId !== '', ...sealed, ...found })
    .execute()
}

/**
 * Finds the profile of today right; one that was found so stays as it is.
 * @throws DomainError `not_found` without a profile, `conflict` where its number is another one
 *   than the one that was looked at.
 */
export async function markProfileVerified(
  trx: Trx,
  seen: { partnerId: string; vatId: string; verifiedBy: string },
): Promise<void> {
  const { partnerId, vatId, verifiedBy } = seen
  await lockPartner(trx, partnerId)
  const profile = await findProfile(trx, partnerId)
  if (!profile) throw new DomainError('not_found', 'this partner has no profile yet')
  if (profile.vatId !== vatId) {
    throw new DomainError('conflict', 'the number is another one: read the profile and look again')
  }
  await trx
    .updateTable('selfBillingProfiles')
    .set({ verifiedBy, verifiedAt: now })
    .where('id', '=', profile.id)
    .where('verifiedAt', 'is', null)
    .execute()
}

export interface SelfBillingAgreement {
  id: string
  partnerId: string
  version: string
  acceptedBy: string
  acceptedAt: Date
  /** The last day on which it holds. */
  validUntil: string
  endedAt: Date | null
  endCause: AgreementEnd | null
}

/** Agreements of a partner, the newest first. */
export async function listAgreements(db: Db, partnerId: string): Promise<SelfBillingAgreement[]> {
  return db
    .selectFrom('selfBillingAgreements')
    .select(['id', 'partnerId', 'version', 'acceptedBy', 'acceptedAt', 'validUntil'])
    .select(['endedAt', 'endCause'])
    .where('partnerId', '=', partnerId)
    .orderBy('id', 'desc')
    .limit(100)
    .execute()
}

/** Ends the agreement that holds, if one does. */
async function markAgreementEnded(
  trx: Trx,
  partnerId: string,
  endCause: AgreementEnd,
): Promise<void> {
  await trx
    .updateTable('selfBillingAgreements')
    .set({ endedAt: now, endCause })
    .where('partnerId', '=', partnerId)
    .where('endedAt', 'is', null)
    .execute()
}

/**
 * Accepts for the profile of today, in the place of an agreement that holds. Repeating the request
 * changes nothing.
 * @throws DomainError `not_ready` before there is a profile.
 */
export async function recordAgreement(
  trx: Trx,
  agreement: { id: string; partnerId: string; version: string; acceptedBy: string; days: number },
): Promise<void> {
  const { id, partnerId, version, acceptedBy, days } = agreement
  await lockPartner(trx, partnerId)
  const [newest] = await listAgreements(trx, partnerId)
  if (newest?.id === id) return
  const profile = await findProfile(trx, partnerId)
  if (!profile) {
    throw new DomainError('not_ready', 'say who you are on invoices first: there is no profile yet')
  }
  await markAgreementEnded(trx, partnerId, 'renewed')
  const lastDay = sql<string>`to_char(
    (clock_timestamp() at time zone 'UTC')::date + ${days}::int, 'YYYY-MM-DD')`
  await trx
    .insertInto('selfBillingAgreements')
    .values({ id, partnerId, profileId: profile.id, version, acceptedBy, validUntil: lastDay })
    .execute()
}

/** Takes the agreement that holds back; where none does, nothing changes. */
export async function recordWithdrawal(trx: Trx, partnerId: string): Promise<void> {
  await lockPartner(trx, partnerId)
  await markAgreementEnded(trx, partnerId, 'withdrawn')
}
