/** Changes of a partner's status that somebody has to hear of. */
import { sql } from 'kysely'
import type { PartnerStatus } from '../../domain/partners.ts'
import type { Db } from '../database.ts'
import { openedFields } from '../personal-fields.ts'

export const statusNotice = 'partner_status'

export interface UntoldChange {
  id: string
  partnerId: string
  name: string
  status: PartnerStatus
}

/** Changes of the last days that the partner itself was not told; it is told after all others. */
export async function listUntoldChanges(db: Db, limit: number): Promise<UntoldChange[]> {
  const { rows } = await sql<UntoldChange>`
    select change.id, change.partner_id, partners.name, change.status
    from partner_status_changes change join partners on partners.id = change.partner_id
    where change.changed_at > clock_timestamp() - interval '3 days'
      and not exists (select from notices where kind = ${statusNotice}
        and subject_id = change.id and occurrence = 'partner'
        and (sent_at is not null or refused_at is not null))
    order by change.id limit ${limit}`.execute(db)
  return rows
}

/** The partner's contact and those of everyone above it, itself last. */
export async function listContactsAbove(db: Db, partnerId: string) {
  return db
    .selectFrom('partnerAncestry as above')
    .innerJoin('partners', 'partners.id', 'above.ancestorId')
    .select('partners.id')
    .select(openedFields('partners'))
    .where('above.partnerId', '=', partnerId)
    .where(sql<boolean>`upper_inf(above.valid)`)
    .orderBy('above.depth', 'desc')
    .execute()
}
