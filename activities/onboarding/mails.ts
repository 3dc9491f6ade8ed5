/** The mails of onboarding. Each is a step of its own, so that mail trouble stops nothing else. */
import { listPlatformMembers } from '../../db/access.ts'
import { findAgreement } from '../../db/onboarding/agreements.ts'
import {
  type ApplicationRow,
  findTakenNote,
  getApplication,
} from '../../db/onboarding/applications.ts'
import { getPartner } from '../../db/partners.ts'
import { getProgramme } from '../../db/programmes.ts'
import { findTenantOf } from '../../db/provisioning.ts'
import { reapplyFrom } from '../../domain/onboarding.ts'
import { type MailContent, mails } from '../../integrations/email-templates/index.ts'
import type { ActivityDeps } from '../deps.ts'
import { notify } from '../notices.ts'

export type ApplicantMail =
  | 'application_received'
  | 'agreement_ready'
  | 'agreement_reminder'
  | 'verification_requested'
  | 'verification_reminder'
  | 'application_rejected'
  | 'application_lapsed'
  | 'welcome'

const onDay = (instant: Date | null) =>
  instant ? `on ${instant.toISOString().slice(0, 10)}` : 'soon'

export function mailActivities(deps: ActivityDeps) {
  const { db, links } = deps

  async function contentFor(kind: ApplicantMail, row: ApplicationRow): Promise<MailContent> {
    const to = { contact: row.contactName, company: row.companyName }
    switch (kind) {
      case 'application_received':
        return mails.applicationReceived({ ...to, statusUrl: links.statusUrl(row.id) })
      case 'agreement_ready':
        return mails.agreementReady({ ...to, signingUrl: links.signingUrl(row.id) })
      case 'agreement_reminder': {
        const agreement = await findAgreement(db, row.id)
        const about = { ...to, days: onDay(row.dueAt) }
        return agreement?.embedded
          ? mails.agreementToSignReminder({ ...about, signingUrl: links.signingUrl(row.id) })
          : mails.agreementReminder({ ...about, statusUrl: links.statusUrl(row.id) })
      }
      case 'verification_requested':
        return mails.verificationRequested({
          ...to,
          verificationUrl: links.verificationUrl(row.id),
        })
      case 'verification_reminder':
        return mails.verificationReminder({
          ...to,
          verificationUrl: links.verificationUrl(row.id),
          days: onDay(row.dueAt),
        })
      case 'application_rejected': {
        const note = await findTakenNote(db, row.id)
        const { deadlines } = await getProgramme(db)
        return mails.applicationRejected({
          ...to,
          reason: note?.reason ?? row.preScreenReason ?? 'the identity check',
          again: onDay(reapplyFrom(row, deadlines.reapplication)),
          statusUrl: links.statusUrl(row.id),
        })
      }
      case 'application_lapsed':
        return mails.applicationLapsed({ ...to, why: 'a step was not done in time' })
      case 'welcome': {
        const tenant = await findTenantOf(db, row.id)
        return mails.welcome({
          ...to,
          tenantUrl: links.tenantUrl(tenant?.subdomain ?? ''),
          docsUrl: links.docsUrl(),
        })
      }
    }
  }

  return {
    async mailApplicant(input: {
      applicationId: string
      kind: ApplicantMail
      occurrence?: string
    }): Promise<void> {
      const row = await getApplication(db, input.applicationId)
      await notify(
        deps,
        {
          kind: input.kind,
          subjectId: row.id,
          recipient: row.contactEmail,
          occurrence: input.occurrence ?? '',
        },
        await contentFor(input.kind, row),
      )
    },

    /** Tells who decides: the parent's contact, or every member of the platform owner. */
    async mailApprovers(input: {
      applicationId: string
      occurrence: 'first' | 'reminder' | 'escalation'
    }): Promise<void> {
      const row = await getApplication(db, input.applicationId)
      const toPlatform = row.parentId === null || input.occurrence === 'escalation'
      const approvers = toPlatform
        ? await listPlatformMembers(db)
        : [await getPartner(db, row.parentId ?? '')].map((parent) => ({
            name: parent.contactName,
            email: parent.contactEmail,
          }))
      for (const { name, email } of approvers) {
        await notify(
          deps,
          {
            kind: 'decision_needed',
            subjectId: row.id,
            recipient: email,
            occurrence: `${input.occurrence}:${email}`,
          },
          mails.decisionNeeded({
            approver: name,
            company: row.companyName,
            applicationUrl: links.applicationUrl(row.id),
          }),
        )
      }
    },
  }
}
