/** The mails of onboarding. Each is a step of its own, so that mail trouble stops nothing else. */
import { findAgreement } from '../../db/onboarding/agreements.ts'
import { type ApplicationRow, getApplication } from '../../db/onboarding/applications.ts'
import { findTakenNote, listDeciders } from '../../db/onboarding/decisions.ts'
import { listInformationRequests } from '../../db/onboarding/information.ts'
import { getPartner } from '../../db/partners.ts'
import { getProgramme } from '../../db/programmes.ts'
import { findTenantOf } from '../../db/provisioning.ts'
import { reapplyFrom } from '../../domain/onboarding.ts'
import { dayOf } from '../../domain/period.ts'
import { type MailContent, mails } from '../../integrations/email-templates/index.ts'
import type { ActivityDeps } from '../deps.ts'
import { notify, notifyOrPass } from '../notices.ts'

export type ApplicantMail =
  | 'application_received'
  | 'agreement_ready'
  | 'agreement_reminder'
  | 'verification_requested'
  | 'verification_reminder'
  | 'application_rejected'
  | 'application_lapsed'
  | 'application_withdrawn'
  | 'information_requested'
  | 'information_reminder'
  | 'welcome'

/** Why those who decide are told; with a number where it happens more than once. */
export type DecisionOccasion = 'first' | 'reminder' | 'escalation' | 'second' | `answer_${number}`

interface Recipient {
  name: string
  email: string
}

/** Of a rule that only asked for a look the words stay between us. */
const turnedAwayFor = ({ preScreen, preScreenReason }: ApplicationRow) =>
  preScreen === 'reject' ? preScreenReason : null

const onDay = (instant: Date | null) => (instant ? `on ${dayOf(instant)}` : 'soon')

export function mailActivities(deps: ActivityDeps) {
  const { db, links } = deps

  async function questionsTo(row: ApplicationRow) {
    const asked = await listInformationRequests(db, row.id)
    const open = asked.findLast(({ answeredAt }) => answeredAt === null)
    return {
      statusUrl: links.statusUrl(row.id),
      questions: (open?.questions ?? []).join('\n'),
      days: onDay(open?.dueAt ?? null),
    }
  }

  /** What is to be signed goes to whoever signs: a person may have corrected name and address. */
  async function recipientOf(kind: ApplicantMail, row: ApplicationRow): Promise<Recipient> {
    const contact = { name: row.contactName, email: row.contactEmail }
    if (kind !== 'agreement_ready' && kind !== 'agreement_reminder') return contact
    const agreement = await findAgreement(db, row.id)
    return {
      name: agreement?.signerName ?? contact.name,
      email: agreement?.signerEmail ?? contact.email,
    }
  }

  async function contentFor(
    kind: ApplicantMail,
    row: ApplicationRow,
    { name: contact }: Recipient,
  ): Promise<MailContent> {
    const to = { contact, company: row.companyName }
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
          reason: note?.reason ?? turnedAwayFor(row) ?? 'the identity check',
          again: onDay(reapplyFrom(row, deadlines.reapplication)),
          statusUrl: links.statusUrl(row.id),
        })
      }
      case 'application_lapsed':
        return mails.applicationLapsed({ ...to, why: 'a step was not done in time' })
      case 'application_withdrawn':
        return mails.applicationWithdrawn(to)
      case 'information_requested':
        return mails.informationRequested({ ...to, ...(await questionsTo(row)) })
      case 'information_reminder':
        return mails.informationReminder({ ...to, ...(await questionsTo(row)) })
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

  async function approversOf(row: ApplicationRow, occurrence: DecisionOccasion) {
    if (row.masterId === null || occurrence === 'escalation') return listDeciders(db, null)
    const found = await listDeciders(db, row.masterId)
    if (found.length > 0) return found
    const { contactName, contactEmail } = await getPartner(db, row.masterId)
    return [{ name: contactName, email: contactEmail }]
  }

  return {
    async mailApplicant(input: {
      applicationId: string
      kind: ApplicantMail
      occurrence?: string
    }): Promise<void> {
      const { kind, occurrence = '' } = input
      const row = await getApplication(db, input.applicationId)
      const to = await recipientOf(kind, row)
      await notify(
        deps,
        { kind, subjectId: row.id, recipient: to.email, occurrence },
        await contentFor(kind, row, to),
      )
    },

    /**
     * Tells who decides: the administrators of the master reseller, or its contact as long as it
     * has none, and those of the platform.
     */
    async mailApprovers(input: {
      applicationId: string
      occurrence: DecisionOccasion
    }): Promise<void> {
      const { occurrence } = input
      const row = await getApplication(db, input.applicationId)
      for (const { name, email } of await approversOf(row, occurrence)) {
        const about = {
          approver: name,
          company: row.companyName,
          applicationUrl: links.applicationUrl(row.id),
        }
        await notifyOrPass(
          deps,
          {
            kind: 'decision_needed',
            subjectId: row.id,
            recipient: email,
            occurrence: `${occurrence}:${email}`,
          },
          wordsFor(occurrence)(about),
        )
      }
    },
  }
}

function wordsFor(occurrence: DecisionOccasion) {
  if (occurrence === 'second') return mails.secondApprovalNeeded
  return occurrence.startsWith('answer_') ? mails.answersReceived : mails.decisionNeeded
}
