/** Links that partners hand to those they win; a customer came through one, or through none. */
import { DomainError } from '../domain/errors.ts'
import type { Db, Trx } from './database.ts'
import { type Page, type PageRequest, pageOf } from './paging.ts'

export type PartnerLinkRow = NonNullable<Awaited<ReturnType<typeof findLink>>>

export async function findLink(db: Db, id: string) {
  return db.selectFrom('partnerLinks').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function listLinks(db: Db, page: PageRequest): Promise<Page<PartnerLinkRow>> {
  let query = db
    .selectFrom('partnerLinks')
    .selectAll()
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('id', '<', page.after)
  return pageOf(await query.execute(), page.limit)
}

/** Whether new customers of this partner may come through this link. */
export async function isOpenLink(
  db: Db,
  { id, partnerId }: { id: string; partnerId: string },
): Promise<boolean> {
  const row = await db
    .selectFrom('partnerLinks')
    .select('id')
    .where('id', '=', id)
    .where('partnerId', '=', partnerId)
    .where('archivedAt', 'is', null)
    .executeTakeFirst()
  return row !== undefined
}

/** The partners that hand these links out, by link; what does not exist is not among them. */
export async function listLinkOwners(db: Db, ids: string[]): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map()
  const rows = await db
    .selectFrom('partnerLinks')
    .select(['id', 'partnerId'])
    .where('id', 'in', ids)
    .execute()
  return new Map(rows.map(({ id, partnerId }) => [id, partnerId]))
}

/**
 * Inserts a link; a repeated request finds its own.
 * @throws DomainError `conflict` where another link has the code.
 */
export async function recordLink(
  trx: Trx,
  link: { id: string; partnerId: string; code: string; name: string },
): Promise<PartnerLinkRow> {
  await trx
    .insertInto('partnerLinks')
    .values(link)
    .onConflict((conflict) => conflict.doNothing())
    .execute()
  const row = await trx
    .selectFrom('partnerLinks')
    .selectAll()
    .where('id', '=', link.id)
    .executeTakeFirst()
  if (row) return row
  throw new DomainError('conflict', `the code ${link.code} is taken: choose another one`)
}
