/** Words of one's own for mails, and the brand under which they go out. */
import { sql } from 'kysely'
import type { Db, Trx } from './database.ts'
import { brandSchema } from './programme-settings.ts'

export interface MailWords {
  subject: string
  paragraphs: string[]
  actionLabel: string | null
}

export type MailTemplateRow = Awaited<ReturnType<typeof listMailTemplates>>[number]

/** The words that an organisation has set; those of the platform where `partnerId` is null. */
export async function listMailTemplates(db: Db, partnerId: string | null) {
  return db
    .selectFrom('mailTemplates')
    .select(['template', 'subject', 'paragraphs', 'actionLabel', 'changedAt'])
    .where('partnerId', 'is not distinct from', partnerId)
    .orderBy('template')
    .execute()
}

export async function findMailTemplate(
  db: Db,
  { partnerId, template }: { partnerId: string | null; template: string },
): Promise<MailTemplateRow | undefined> {
  return db
    .selectFrom('mailTemplates')
    .select(['template', 'subject', 'paragraphs', 'actionLabel', 'changedAt'])
    .where('partnerId', 'is not distinct from', partnerId)
    .where('template', '=', template)
    .executeTakeFirst()
}

export async function recordMailTemplate(
  trx: Trx,
  own: MailWords & { id: string; partnerId: string | null; template: string },
): Promise<void> {
  const { subject, paragraphs, actionLabel } = own
  await trx
    .insertInto('mailTemplates')
    .values(own)
    .onConflict((conflict) =>
      conflict.columns(['partnerId', 'template']).doUpdateSet({
        subject,
        paragraphs,
        actionLabel,
        changedAt: sql<Date>`clock_timestamp()`,
      }),
    )
    .execute()
}

/** @returns whether there was one. */
export async function removeMailTemplate(
  trx: Trx,
  { partnerId, template }: { partnerId: string | null; template: string },
): Promise<boolean> {
  const { numDeletedRows } = await trx
    .deleteFrom('mailTemplates')
    .where('partnerId', 'is not distinct from', partnerId)
    .where('template', '=', template)
    .executeTakeFirst()
  return numDeletedRows > 0n
}

/** The looks of the programme; undefined before it is set up. */
export async function findProgrammeBrand(db: Db) {
  const row = await db
    .selectFrom('programmes')
    .select(['name', 'brand'])
    .orderBy('createdAt')
    .limit(1)
    .executeTakeFirst()
  if (!row) return undefined
  const { name, ...looks } = brandSchema.parse(row.brand)
  return { name: name ?? row.name, ...looks }
}
