/** Applications that resemble each other: found once, shown to those who decide. */
import { type SqlBool, sql } from 'kysely'
import type { TwinReason } from '../../domain/onboarding.ts'
import type { Db, Trx } from '../database.ts'
import type { ApplicationRow } from './applications.ts'

export interface Twin {
  otherId: string
  reason: TwinReason
  /** Whether the other one is still on its way. */
  isOpen: boolean
}

/** More of them tell an approver nothing more. */
const mostTwins = 20

/**
 * Other applications of the same company: the same country and registration number, or the same
 * name but for its form and the same domain of mail. What has become a partner counts, and what
 * was rejected within the time in which nobody may apply again.
 */
export async function findTwins(
  db: Db,
  application: ApplicationRow,
  recentSeconds: number,
): Promise<Twin[]> {
  const { id, country, registrationNormalized, companyNormalized, domainIndex } = application
  const sameNumber = sql<SqlBool>`coalesce(country = ${country}
    and registration_normalized = ${registrationNormalized}, false)`
  const sameName = sql<SqlBool>`coalesce(company_normalized = ${companyNormalized}
    and domain_index = ${domainIndex}, false)`
  const isLate = sql<SqlBool>`status = 'rejected'
    and closed_at > clock_timestamp() - make_interval(secs => ${recentSeconds})`
  return db
    .selectFrom('applications')
    .select([
      'id as otherId',
      sql<boolean>`closed_at is null`.as('isOpen'),
      sql<TwinReason>`case when status = 'rejected' then 'rejected_recently'
        when ${sameNumber} then 'registration_number' else 'name_and_domain' end`.as('reason'),
    ])
    .where('id', '<>', id)
    .where(sql<SqlBool>`(${sameNumber} or ${sameName})`)
    .where(sql<SqlBool>`(status not in ('rejected', 'withdrawn', 'lapsed') or ${isLate})`)
    .orderBy('id', 'desc')
    .limit(mostTwins)
    .execute()
}

/** Writes down whom an application resembles, on both where the other is still decided on. */
export async function recordTwins(trx: Trx, applicationId: string, twins: Twin[]): Promise<void> {
  const rows = twins.flatMap(({ otherId, reason, isOpen }) => [
    { applicationId, otherId, reason },
    ...(isOpen ? [{ applicationId: otherId, otherId: applicationId, reason }] : []),
  ])
  if (rows.length === 0) return
  await trx
    .insertInto('applicationTwins')
    .values(rows)
    .onConflict((conflict) => conflict.columns(['applicationId', 'otherId']).doNothing())
    .execute()
}

/**
 * Whom an application resembles, for those who decide. The other one is named where the reader may
 * see it; a master reseller learns of the applicants of others that there is one, and no more.
 */
export async function listTwins(db: Db, applicationId: string) {
  return db
    .selectFrom('applicationTwins as twin')
    .leftJoin('applications as other', 'other.id', 'twin.otherId')
    .select(['twin.reason', 'other.id as applicationId', 'other.partnerId'])
    .where('twin.applicationId', '=', applicationId)
    .orderBy('twin.otherId')
    .execute()
}

/** Whether somebody has to look before anything is approved; the applicant must not ask. */
export async function hasTwins(db: Db, applicationId: string): Promise<boolean> {
  const twin = await db
    .selectFrom('applicationTwins')
    .select('otherId')
    .where('applicationId', '=', applicationId)
    .limit(1)
    .executeTakeFirst()
  return twin !== undefined
}
