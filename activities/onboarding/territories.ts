/** The areas that an applicant wishes for: held while it is decided on, let go when it ends. */
import { databaseNow, inTransaction, type Trx } from '../../db/database.ts'
import {
  type ApplicationRow,
  getApplication,
  recordTimeline,
} from '../../db/onboarding/applications.ts'
import type { Programme } from '../../db/programmes.ts'
import { releaseTerritoriesOfApplication, reserveTerritories } from '../../db/territories.ts'
import type { ActivityDeps } from '../deps.ts'

/** Reserves what is free; what is not waits for a ruling, of which the applicant is not told. */
export async function holdTerritories(
  trx: Trx,
  { id: applicationId, territoryCodes }: ApplicationRow,
  { deadlines }: Programme,
): Promise<void> {
  if (territoryCodes.length === 0) return
  const now = await databaseNow(trx)
  const dueAt = new Date(now.getTime() + deadlines.territoryReservation * 1000)
  const { reserved, conflicts } = await reserveTerritories(trx, applicationId, dueAt)
  const entry = { stage: 'approval', actor: 'system', internal: true } as const
  if (reserved > 0) {
    const what = reserved === 1 ? 'territory reserved' : `${reserved} territories reserved`
    await recordTimeline(trx, applicationId, { key: 'territories_reserved', ...entry, what, dueAt })
  }
  if (conflicts > 0) {
    const what = 'a territory is held by another partner: a person has to rule'
    await recordTimeline(trx, applicationId, { key: 'territory_conflict', ...entry, what })
  }
}

export function territoryActivities({ db }: ActivityDeps) {
  return {
    /** Lets go of what an application held that came to nothing. */
    async releaseTerritories({ applicationId }: { applicationId: string }): Promise<void> {
      await inTransaction(db, async (trx) => {
        const released = await releaseTerritoriesOfApplication(trx, applicationId)
        if (released === 0) return
        const { stage } = await getApplication(trx, applicationId)
        await recordTimeline(trx, applicationId, {
          key: 'territories_released',
          stage,
          actor: 'system',
          what: 'territories released',
          internal: true,
        })
      })
    },
  }
}
