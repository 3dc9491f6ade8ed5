/** Mails about access: written with what they tell of, sent by the sweeper, kept for a while. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import type { Db, Trx } from '../database.ts'
import { openedFields, sealedFields } from '../personal-fields.ts'

export interface AccessMail {
  kind:
    | 'member_invitation'
    | 'password_reset'
    | 'access_changed'
    | 'template_preview'
    | 'application_invitation'
    | 'invitation'
  subjectId: string
  partnerId: string | null
  recipient: string
  name: string
  what?: string
}

export async function recordAccessMail(trx: Trx, mail: AccessMail): Promise<void> {
  const { recipient, name, ...kept } = mail
  const id = randomUUIDv7()
  const row = { id, organisation: mail.partnerId }
  await trx
    .insertInto('accessMails')
    .values({ ...kept, id, ...sealedFields('accessMails', row, { recipient, name }) })
    .execute()
}

/** The oldest first; ids of one millisecond are in no order. */
export async function listWaitingMails(db: Db, limit: number) {
  return db
    .selectFrom('accessMails')
    .leftJoin('partners', 'partners.id', 'accessMails.partnerId')
    .select([
      'accessMails.id',
      'accessMails.kind',
      'accessMails.subjectId',
      'accessMails.partnerId',
      'accessMails.what',
    ])
    .select(openedFields('accessMails'))
    .select('partners.name as organisation')
    .where('sentAt', 'is', null)
    .orderBy('accessMails.createdAt')
    .orderBy('accessMails.id')
    .limit(limit)
    .execute()
}

export async function markMailSent(db: Db, id: string): Promise<void> {
  await db
    .updateTable('accessMails')
    .set({ sentAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .execute()
}

/** Sessions stay for a quarter, as what an inquiry may ask for. */
const keptDays = 90

/** Forgets what has had its time: tries, challenges, resets, sign-ins that never returned. */
export async function removeStaleAccess(db: Db): Promise<void> {
  const before = sql<Date>`clock_timestamp() - make_interval(days => ${keptDays})`
  const yesterday = sql<Date>`clock_timestamp() - interval '1 day'`
  await db.deleteFrom('signInLimits').where('resetsAt', '<', yesterday).execute()
  await db.deleteFrom('oidcSignIns').where('expiresAt', '<', yesterday).execute()
  await db.deleteFrom('passkeyChallenges').where('expiresAt', '<', yesterday).execute()
  await db.deleteFrom('passwordResets').where('expiresAt', '<', yesterday).execute()
  await db.deleteFrom('accessMails').where('sentAt', '<', before).execute()
  await db.deleteFrom('sessions').where('expiresAt', '<', before).execute()
}
