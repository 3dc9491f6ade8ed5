/** Steps of training: who has to learn, and what becomes of a certificate. */
import { listPlatformMembers } from '../db/access.ts'
import { inTransaction, type Trx } from '../db/database.ts'
import { getApplication, markApplication, recordTimeline } from '../db/onboarding/applications.ts'
import { findPartner, getPartner } from '../db/partners.ts'
import { getProgramme, type Programme } from '../db/programmes.ts'
import {
  type CertificateRow,
  findPrintedCertificate,
  listCertificationGaps,
  markCertificateExpired,
  markCertificateWatched,
} from '../db/training/certificates.ts'
import { enrolFirstMember } from '../db/training/enrolments.ts'
import { DomainError } from '../domain/errors.ts'
import { dayOf } from '../domain/period.ts'
import { certificateState } from '../domain/training.ts'
import { mails } from '../integrations/email-templates/index.ts'
import type { ActivityDeps } from './deps.ts'
import { notify, notifyOrPass } from './notices.ts'

/** How a certificate stands for the process that watches it. */
export type WatchedState = 'valid' | 'renewed' | 'revoked' | 'expired'

function watchedState(row: CertificateRow): WatchedState {
  const state = certificateState(row, row.now)
  return state === 'valid' && row.renewedBy ? 'renewed' : state
}

/** What a partner lacks to be active: null for nothing, a list of courses that may be empty. */
async function lackingForActivation(
  trx: Trx,
  partnerId: string,
  { onboarding }: Pick<Programme, 'onboarding'>,
): Promise<string[] | null> {
  if (!onboarding.certificationRequiredFor.includes('activation')) return null
  const gaps = await listCertificationGaps(trx, { partnerIds: [partnerId], step: 'activation' })
  return gaps.get(partnerId) ?? null
}

/**
 * Lets the first member learn what is missing, or says who has to act instead.
 * @returns `none` where nothing is asked for, `passed` where the partner has it, else `training`.
 */
export async function holdForTraining(
  trx: Trx,
  { applicationId, partnerId }: { applicationId: string; partnerId: string },
  programme: Pick<Programme, 'onboarding'>,
): Promise<'none' | 'passed' | 'training'> {
  const { certificationRequiredFor } = programme.onboarding
  if (!certificationRequiredFor.includes('activation')) return 'none'
  const missing = await lackingForActivation(trx, partnerId, programme)
  if (missing === null) return 'passed'
  const enrolled = await enrolFirstMember(trx, { partnerId, codes: missing })
  const isTaught = missing.length > 0
  const entry = { stage: 'training', actor: 'system' } as const
  await markApplication(trx, applicationId, {
    stage: 'training',
    nextActor: isTaught ? 'partner' : 'super_admin',
  })
  await recordTimeline(trx, applicationId, {
    ...entry,
    key: isTaught ? 'training_required' : 'training_not_taught',
    what: isTaught
      ? 'a certification is required before the partner can start'
      : 'no course is published for the certification that is required',
    internal: !isTaught,
  })
  if (enrolled) {
    const what = 'first member enrolled'
    await recordTimeline(trx, applicationId, { ...entry, key: 'training_enrolled', what })
  }
  return 'training'
}

const onDay = (instant: Date | null) => (instant ? dayOf(instant) : 'never')

export function trainingActivities(deps: ActivityDeps) {
  const { db, links } = deps

  async function getCertificate(id: string) {
    const row = await findPrintedCertificate(db, id)
    if (!row) throw new DomainError('not_found', 'there is no such certificate')
    return row
  }

  async function remindApprovers(applicationId: string, courses: string): Promise<void> {
    const row = await getApplication(db, applicationId)
    const parent = row.parentId ? await findPartner(db, row.parentId) : undefined
    const approvers = parent
      ? [{ name: parent.contactName, email: parent.contactEmail }]
      : await listPlatformMembers(db)
    for (const { name, email } of approvers) {
      await notifyOrPass(
        deps,
        { kind: 'training_overdue', subjectId: row.id, recipient: email, occurrence: email },
        mails.trainingOverdue({
          approver: name,
          company: row.companyName,
          courses,
          applicationUrl: links.applicationUrl(row.id),
        }),
      )
    }
  }

  return {
    /** Tells a partner what it has to learn, and at last those who approved it. */
    async mailTraining(input: {
      applicationId: string
      number: number
      escalated: boolean
    }): Promise<void> {
      const { applicationId, number, escalated } = input
      const partner = await getPartner(db, applicationId)
      const missing = await inTransaction(db, async (trx) =>
        lackingForActivation(trx, partner.id, await getProgramme(trx)),
      )
      if (missing === null) return
      const courses = missing.join(', ') || 'a course that is yet to be published'
      const about = {
        contact: partner.contactName,
        company: partner.name,
        courses,
        coursesUrl: links.coursesUrl(),
      }
      await notifyOrPass(
        deps,
        {
          kind: number === 0 ? 'training_requested' : 'training_reminder',
          subjectId: partner.id,
          recipient: partner.contactEmail,
          occurrence: String(number),
        },
        number === 0 ? mails.trainingRequested(about) : mails.trainingReminder(about),
      )
      if (escalated) await remindApprovers(applicationId, courses)
    },

    /** Notes that the certificate is watched from now on. */
    async watchCertificate({ certificateId }: { certificateId: string }): Promise<{
      state: WatchedState
      expiresAt: string | null
    }> {
      await markCertificateWatched(db, certificateId)
      const row = await getCertificate(certificateId)
      return { state: watchedState(row), expiresAt: row.expiresAt?.toISOString() ?? null }
    },

    async readCertificate({ certificateId }: { certificateId: string }): Promise<WatchedState> {
      return watchedState(await getCertificate(certificateId))
    },

    /** Ends a certificate whose time is over; what is good is left alone. */
    async expireCertificate({ certificateId }: { certificateId: string }): Promise<WatchedState> {
      const state = watchedState(await getCertificate(certificateId))
      if (state !== 'expired') return state
      const isOver = await inTransaction(db, (trx) => markCertificateExpired(trx, certificateId))
      return isOver ? 'expired' : 'valid'
    },

    async mailCertificate(input: {
      certificateId: string
      kind: 'expiring' | 'expired'
      occurrence?: string
    }): Promise<void> {
      const row = await getCertificate(input.certificateId)
      if (!row.memberName || !row.memberEmail || row.renewedBy) return
      const about = {
        member: row.memberName,
        course: row.title,
        number: row.number,
        day: onDay(row.expiresAt),
        coursesUrl: links.coursesUrl(),
      }
      await notify(
        deps,
        {
          kind: `certificate_${input.kind}`,
          subjectId: row.id,
          recipient: row.memberEmail,
          occurrence: input.occurrence ?? '',
        },
        input.kind === 'expiring'
          ? mails.certificateExpiring(about)
          : mails.certificateExpired(about),
      )
    },
  }
}
