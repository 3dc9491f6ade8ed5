/** Mails about a tenant that leaves. */
import { listPlatformMembers } from '../../db/access.ts'
import { getOffboarding } from '../../db/lifecycle/offboardings.ts'
import { getPartner } from '../../db/partners.ts'
import { outwardId } from '../../domain/ids.ts'
import { dayOf } from '../../domain/period.ts'
import { mails } from '../../integrations/email-templates/index.ts'
import type { ActivityDeps } from '../deps.ts'
import { notify, notifyOrPass } from '../notices.ts'

export type OffboardingMail =
  | 'export_ready'
  | 'export_reminder'
  | 'confirmation_needed'
  | 'erasure_alarm'
  | 'erasure_done'

interface MailInput {
  offboardingId: string
  kind: OffboardingMail
  occurrence?: string
}

const onDay = (instant: Date | null) => (instant ? dayOf(instant) : 'its last day')

export function offboardingMailActivities(deps: ActivityDeps) {
  const { db, links } = deps

  async function mailPartner({ offboardingId, kind, occurrence = '' }: MailInput): Promise<void> {
    const { partnerId, tenantId, dueAt } = await getOffboarding(db, offboardingId)
    const { contactName, contactEmail, name } = await getPartner(db, partnerId)
    const notice = { kind, subjectId: offboardingId, recipient: contactEmail, occurrence }
    const exportUrl = links.exportUrl(tenantId, offboardingId)
    const until = onDay(dueAt)
    const content = mails.exportReady({ contact: contactName, company: name, exportUrl, until })
    await notify(deps, notice, content)
  }

  async function mailPlatform({ offboardingId, kind }: MailInput): Promise<void> {
    const { partnerId } = await getOffboarding(db, offboardingId)
    const { name: company } = await getPartner(db, partnerId)
    for (const { id, name: member, email: recipient } of await listPlatformMembers(db)) {
      const notice = { kind, subjectId: offboardingId, recipient, occurrence: id }
      const what = outwardId('partner', partnerId)
      const content = {
        confirmation_needed: () => mails.erasureNeedsYou({ member, company, what }),
        erasure_alarm: () => mails.erasureAlarm({ member, company, what }),
        erasure_done: () => mails.erasureDone({ member, what }),
      }[kind as 'erasure_alarm']
      await notifyOrPass(deps, notice, content())
    }
  }

  return {
    async mailOffboarding(input: MailInput): Promise<void> {
      const isPartners = input.kind === 'export_ready' || input.kind === 'export_reminder'
      await (isPartners ? mailPartner(input) : mailPlatform(input))
    },
  }
}
