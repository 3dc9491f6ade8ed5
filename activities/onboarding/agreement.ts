/** The agreement of an application: sent, followed, kept, sent again, withdrawn. */
import { getTermsInForce } from '../../db/agreement-terms.ts'
import { inTransaction, type Trx } from '../../db/database.ts'
import { findResend } from '../../db/onboarding/agreement-resends.ts'
import {
  type AgreementRow,
  findAgreement,
  listAttempts,
  markAgreementUncertain,
  recordAgreement,
} from '../../db/onboarding/agreements.ts'
import {
  type ApplicationRow,
  getApplication,
  markApplication,
  recordTimeline,
} from '../../db/onboarding/applications.ts'
import { getProgramme } from '../../db/programmes.ts'
import { DomainError } from '../../domain/errors.ts'
import { mostAgreementAttempts } from '../../domain/onboarding.ts'
import type { EnvelopeState } from '../../integrations/docusign.ts'
import { agreementDesk, type Party, type Sending } from '../agreements.ts'
import type { ActivityDeps } from '../deps.ts'

const partyOf = (application: ApplicationRow): Party => ({
  id: application.id,
  company: application.companyName,
  country: application.country,
  level: application.level,
  type: application.type,
  since: application.submittedAt,
})

/** Names an entry of the timeline; those of the first attempt have no number. */
const keyOf = (name: string, attempt: number) => (attempt === 1 ? name : `${name}:${attempt}`)

function sendingEntry(how: Sending, { attempt, dueAt }: { attempt: number; dueAt: Date }) {
  const stage = 'agreement'
  const actor = 'system'
  if (how === 'uncertain') {
    const what = 'it is not known whether the agreement was sent: have it sent again'
    return {
      key: keyOf('agreement_uncertain', attempt),
      stage,
      actor,
      what,
      internal: true,
    } as const
  }
  const what = attempt === 1 ? 'agreement sent for signature' : 'agreement sent again'
  return { key: keyOf('agreement_sent', attempt), stage, actor, what, dueAt } as const
}

const stuckSayings: Record<string, string> = {
  vendor_refused: 'the agreement was refused by the vendor: correct the signer and send it again',
  no_answer: 'the vendor does not say how the agreement stands: it is asked again',
}

/**
 * An attempt that ended without a signature is over: a process that was begun anew, and counts from
 * the beginning, has the next one.
 */
function numberOf(wanted: number, last: AgreementRow | undefined): number {
  if (!last || last.attempt < wanted) return wanted
  const isOver = last.status === 'voided' || last.status === 'expired'
  return isOver && last.attempt < mostAgreementAttempts ? last.attempt + 1 : last.attempt
}

export function agreementActivities(deps: ActivityDeps) {
  const { db, links } = deps
  const desk = agreementDesk(deps)

  async function newAttempt(
    applicationId: string,
    { attempt, resendId }: { attempt: number; resendId: string | null },
  ): Promise<{ application: ApplicationRow; agreement: AgreementRow }> {
    return inTransaction(db, async (trx) => {
      const [application, programme, earlier, wish] = await Promise.all([
        getApplication(trx, applicationId),
        getProgramme(trx),
        findAgreement(trx, applicationId),
        resendId ? findResend(trx, resendId) : undefined,
      ])
      const agreement = await recordAgreement(trx, {
        applicationId,
        partnerId: null,
        attempt: numberOf(attempt, earlier),
        terms: await getTermsInForce(trx, programme.id),
        embedded: programme.onboarding.signing === 'embedded',
        signer: {
          name: wish?.name ?? earlier?.signerName ?? application.contactName,
          email: wish?.email ?? earlier?.signerEmail ?? application.contactEmail,
        },
      })
      return { application, agreement }
    })
  }

  async function latest(applicationId: string): Promise<AgreementRow> {
    const agreement = await findAgreement(db, applicationId)
    if (!agreement) throw new DomainError('not_ready', 'no agreement was sent')
    return agreement
  }

  const note = (applicationId: string, entry: { key: string; what: string; internal?: boolean }) =>
    recordTimeline(db, applicationId, { stage: 'agreement', actor: 'system', ...entry })

  return {
    /**
     * Sends an attempt for signature, once however often the step is repeated. An earlier attempt
     * has to have ended. @returns how it went, whether we lead the signer to its page, and which
     * attempt it is.
     */
    async sendAgreement(input: {
      applicationId: string
      /** Seconds from its sending until it lapses. */
      expiry: number
      attempt?: number
      /** The wish of a person, where it is sent again for one. */
      resendId?: string | null
    }): Promise<{ sending: Sending; embedded: boolean; attempt: number }> {
      const { applicationId, resendId = null } = input
      const wanted = { attempt: input.attempt ?? 1, resendId }
      const { application, agreement } = await newAttempt(applicationId, wanted)
      const { attempt, embedded } = agreement
      const noteSending = async (trx: Trx, how: Sending) => {
        const dueAt = new Date(Date.now() + input.expiry * 1_000)
        const nextActor = how === 'uncertain' ? 'super_admin' : 'applicant'
        await Promise.all([
          markApplication(trx, applicationId, { stage: 'agreement', nextActor, dueAt }),
          recordTimeline(trx, applicationId, sendingEntry(how, { attempt, dueAt })),
        ])
      }
      const sending = await desk.send(agreement, partyOf(application), noteSending)
      return { sending, embedded, attempt }
    },

    /** The vendor failed for good, or does not answer: a person looks; the approver sees why. */
    async markAgreementStuck(input: {
      applicationId: string
      attempt: number
      /** The stable type of the failure; `no_answer` of what was sent before. */
      code: string
    }): Promise<void> {
      const { applicationId, attempt, code } = input
      const agreement = await findAgreement(db, applicationId)
      if (agreement?.attempt === attempt) await markAgreementUncertain(db, agreement.id)
      await waitForPerson(applicationId)
      await note(applicationId, {
        key: keyOf(code === 'no_answer' ? 'agreement_unanswered' : 'agreement_stuck', attempt),
        what:
          stuckSayings[code] ??
          'it is not known whether the agreement was sent: have it sent again',
        internal: true,
      })
    },

    /** What the vendor says of the agreement now; an event is only a reason to ask. */
    async readAgreement({ applicationId }: { applicationId: string }): Promise<EnvelopeState> {
      const agreement = await latest(applicationId)
      const state = await desk.read(agreement)
      if (state === 'declined') {
        await recordTimeline(db, applicationId, {
          key: keyOf('agreement_declined', agreement.attempt),
          stage: 'agreement',
          actor: 'applicant',
          what: 'agreement declined',
        })
      }
      if (state === 'voided') {
        await waitForPerson(applicationId)
        await note(applicationId, {
          key: keyOf('agreement_voided', agreement.attempt),
          what: 'agreement withdrawn at the vendor',
        })
      }
      return state
    },

    /** Fetches what proves the signature and keeps it with its hashes. */
    async storeSignedAgreement({ applicationId }: { applicationId: string }): Promise<void> {
      await desk.keep(await latest(applicationId))
      await inTransaction(db, (trx) =>
        Promise.all([
          markApplication(trx, applicationId, { stage: 'verification', nextActor: 'system' }),
          recordTimeline(trx, applicationId, {
            key: 'agreement_signed',
            stage: 'agreement',
            actor: 'applicant',
            what: 'agreement signed',
          }),
        ]),
      )
    },

    /** Takes back what waits for a signature, if anything does. @returns how it has ended. */
    async withdrawAgreement(input: { applicationId: string }): Promise<AgreementRow['status']> {
      const agreement = await findAgreement(db, input.applicationId)
      if (!agreement) return 'voided'
      const reason = 'The agreement was withdrawn.'
      return desk.withdraw(agreement, { how: 'voided', reason })
    },

    /**
     * The time to sign is over: withdraws the attempt. @returns `completed` where the signature
     * came first, `resend` where the programme has it sent again, else `lapsed`.
     */
    async expireAgreement(input: {
      applicationId: string
    }): Promise<'completed' | 'declined' | 'resend' | 'lapsed'> {
      const agreement = await findAgreement(db, input.applicationId)
      if (!agreement) return 'lapsed'
      const reason = 'The time to sign has run out.'
      const ended = await desk.withdraw(agreement, { how: 'expired', reason })
      if (ended === 'completed' || ended === 'declined') return ended
      if (ended === 'expired') {
        await note(input.applicationId, {
          key: keyOf('agreement_expired', agreement.attempt),
          what: 'the time to sign has run out',
        })
      }
      const attempts = await listAttempts(db, input.applicationId)
      const expired = attempts.filter(({ status }) => status === 'expired').length
      const { onboarding } = await getProgramme(db)
      const again =
        ended === 'expired' &&
        expired <= onboarding.agreementResends &&
        attempts.length < mostAgreementAttempts
      return again ? 'resend' : 'lapsed'
    },

    /** Makes a page on which the applicant signs, which the database then holds. */
    async issueSigningPage({ applicationId }: { applicationId: string }): Promise<void> {
      await desk.openPage(await latest(applicationId), links.statusUrl(applicationId))
    },
  }

  async function waitForPerson(applicationId: string): Promise<void> {
    const { dueAt } = await getApplication(db, applicationId)
    await inTransaction(db, (trx) =>
      markApplication(trx, applicationId, { stage: 'agreement', nextActor: 'super_admin', dueAt }),
    )
  }
}
