/** The alarm about months that nobody settles, in the round of the sweeper. */
import { listPlatformMembers } from '../../db/access.ts'
import { getProgramme } from '../../db/programmes.ts'
import { listOverduePeriods } from '../../db/settlement/overdue.ts'
import { mails } from '../../integrations/email-templates/index.ts'
import { VendorError } from '../../integrations/vendor-error.ts'
import type { ActivityDeps } from '../deps.ts'
import { notify } from '../notices.ts'

/**
 * Tells everybody of the platform once a day of each month that should be settled and is not. A
 * mail server that takes nothing leaves the rest to the next round.
 */
export async function tellOfOverduePeriods(
  deps: Pick<ActivityDeps, 'db' | 'mailer'>,
): Promise<void> {
  const overdue = await listOverduePeriods(deps.db)
  if (overdue.length === 0) return
  const { id } = await getProgramme(deps.db)
  const members = await listPlatformMembers(deps.db)
  for (const { period, day, stage } of overdue) {
    for (const member of members) {
      const notice = {
        kind: 'settlement_overdue',
        subjectId: id,
        recipient: member.email,
        occurrence: `${period}:${day}:${member.id}`,
      }
      try {
        const where = stage ? `its run is in the stage ${stage}` : 'nobody has started its run'
        await notify(deps, notice, mails.settlementOverdue({ member: member.name, period, where }))
      } catch (error) {
        if (!(error instanceof VendorError)) throw error
        if (error.failure !== 'rejected') return
      }
    }
  }
}
