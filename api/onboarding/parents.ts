/** Who can be the parent of a partner that is still to come. */
import type { Db } from '../../db/database.ts'
import { findParent } from '../../db/partners.ts'
import type { Programme } from '../../db/programmes.ts'
import { DomainError } from '../../domain/errors.ts'
import { mayCreate, type PartnerLevel } from '../../domain/partners.ts'

/** @throws DomainError `parent_not_active`, also for a parent that does not exist. */
export async function requireFitParent(
  db: Db,
  asked: { programme: Programme; parentId: string; level: PartnerLevel },
): Promise<void> {
  const { programme, parentId, level } = asked
  const parent = await findParent(db, parentId)
  if (parent?.status !== 'active' || !mayCreate(parent.level, level, programme)) {
    throw new DomainError(
      'parent_not_active',
      'this parent does not exist, is not active or may not have a partner of this level',
    )
  }
}
