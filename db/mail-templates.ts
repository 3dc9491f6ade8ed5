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

/**
 * The looks of the programme and the words that an organisation has set for a mail, else those of
 * the platform; undefined before the programme is set up.
 */
export async function findMailDress(
  db: Db,
  { partnerId, template }: { partnerId: string | null; template: string | null },
) {
  const row = await db
    .selectFrom('programmes')
    .leftJoinLateral(
      (from) =>
        from
          .selectFrom('mailTemplates')
          .select(['subject', 'paragraphs', 'actionLabel'])
          .where('template', '=', template)
          .where((is) => is.or([is('partnerId', 'is', null), is('partnerId', '=', partnerId)]))
          .orderBy('partnerId', (order) => order.asc().nullsLast())
          .limit(1)
          .as('own'),
      (join) => join.onTrue(),
    )
    .select(['programmes.name', 'brand', 'own.subject', 'own.paragraphs', 'own.actionLabel'])
    .orderBy('programmes.createdAt')
    .limit(1)
    .executeTakeFirst()
  if (!row) return undefined
  const { subject, paragraphs, actionLabel } = row
  const words = subject === null || paragraphs === null ? undefined : { subject, paragraphs }
  return { brand: brandOf(row), words: words && { ...words, actionLabel } }
}

/** The looks of the programme; undefined before it is set up. */
export async function findProgrammeBrand(db: Db) {
  const row = await db
    .selectFrom('programmes')
    .select(['name', 'brand'])
    .orderBy('createdAt')
    .limit(1)
    .executeTakeFirst()
  return row && brandOf(row)
}

function brandOf(programme: { name: string; brand: unknown }) {
  const { name, ...looks } = brandSchema.parse(programme.brand)
  return { name: name ?? programme.name, ...looks }
}
