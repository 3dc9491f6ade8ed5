/** Steps by which partners accept terms that were changed, and the look for lost messages. */
import { createHash } from 'node:crypto'
import { getTerms } from '../db/agreement-terms.ts'
import { inTransaction } from '../db/database.ts'
import { recordEvent } from '../db/inbox.ts'
import { recordManualTask } from '../db/manual-tasks.ts'
import {
  type AgreementRow,
  findLookDue,
  findPartnerAgreement,
  listLiveOfOtherTerms,
  listSentAmong,
  markLooked,
  recordAgreement,
} from '../db/onboarding/agreements.ts'
import { releaseHold } from '../db/partner-holds.ts'
import { getPartner, type PartnerRow } from '../db/partners.ts'
import { getProgramme } from '../db/programmes.ts'
import {
  type Acceptance,
  getAcceptance,
  isStillAsked,
  listUnstarted,
  markAcceptance,
  markAcceptanceStarted,
  recordAcceptancesDue,
} from '../db/terms-acceptances.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { dayOf } from '../domain/period.ts'
import { workflowIds, workflowTypes } from '../domain/process-names.ts'
import type { EnvelopeState } from '../integrations/docusign.ts'
import { mails } from '../integrations/email-templates/index.ts'
import { agreementDesk, type Party, type Sending } from './agreements.ts'
import type { ActivityDeps } from './deps.ts'
import { notify } from './notices.ts'

const partyOf = (partner: PartnerRow): Party => ({
  id: partner.id,
  company: partner.name,
  country: partner.country,
  level: partner.level,
  type: partner.type,
  since: partner.activatedAt ?? partner.createdAt,
})

export type TermsMail = 'terms_changed' | 'terms_reminder' | 'terms_overdue'

/** So often the vendor is asked for envelopes whose message was lost. */
const lookEverySeconds = 86_400

/** The vendor's clock and ours differ, and what it lists may lag behind. */
const overlapMs = 3_600_000

export function termsActivities(deps: ActivityDeps) {
  const { db, docusign } = deps
  const desk = agreementDesk(deps)

  async function sentTerms(asked: Acceptance): Promise<AgreementRow> {
    const agreement = await findPartnerAgreement(db, asked)
    if (!agreement) throw new DomainError('not_ready', 'no terms were sent')
    return agreement
  }

  return {
    /**
     * Sends the new terms, once for each attempt; what waits under other versions is withdrawn
     * first.
     */
    async sendTerms({
      attempt = 1,
      ...asked
    }: Acceptance & { attempt?: number }): Promise<Sending> {
      const partner = await getPartner(db, asked.partnerId)
      const terms = await getTerms(db, asked.termsId)
      for (const earlier of await listLiveOfOtherTerms(db, asked)) {
        await desk.withdraw(earlier, { how: 'voided', reason: 'Later terms have replaced these.' })
      }
      const agreement = await inTransaction(db, async (trx) => {
        // Its notice begins anew.
        if (attempt === 1) await releaseHold(trx, { partnerId: partner.id, cause: 'agreement' })
        return recordAgreement(trx, {
          applicationId: null,
          partnerId: partner.id,
          attempt,
          terms,
          embedded: false,
          signer: { name: partner.contactName, email: partner.contactEmail },
        })
      })
      return desk.send(agreement, partyOf(partner))
    },

    /** What the vendor says of the new terms now. */
    async readTerms(asked: Acceptance): Promise<EnvelopeState> {
      return desk.read(await sentTerms(asked))
    },

    /** Keeps what proves the signature, and releases what was held for it. */
    async storeSignedTerms(asked: Acceptance): Promise<void> {
      await desk.keep(await sentTerms(asked))
      await inTransaction(db, (trx) => markAcceptance(trx, asked, 'accepted'))
    },

    /**
     * Notes what came instead of a signature; payouts are held or released with it.
     * @returns false where these are still the terms that are asked for, so that nothing has
     *   superseded them and nothing is noted.
     */
    async markTermsAnswer(
      input: Acceptance & { status: 'overdue' | 'declined' | 'superseded' },
    ): Promise<boolean> {
      return await inTransaction(db, async (trx) => {
        if (input.status === 'superseded' && (await isStillAsked(trx, input))) return false
        await markAcceptance(trx, input, input.status)
        return true
      })
    },

    /** The terms could not be sent, or nobody knows: one task of a person for each attempt. */
    async markTermsStuck(input: Acceptance & { attempt: number }): Promise<{ isWanted: boolean }> {
      const { termsId, partnerId, attempt } = input
      return await inTransaction(db, async (trx) => {
        if (!(await isStillAsked(trx, input))) return { isWanted: false }
        await recordManualTask(trx, {
          taskKey: `terms:${termsId}:${partnerId}:${attempt}`,
          kind: 'terms_not_sent',
          subject: outwardId('partner', partnerId),
          what: 'sendTerms',
        })
        return { isWanted: true }
      })
    },

    async mailTerms(input: Acceptance & { kind: TermsMail; occurrence?: string }): Promise<void> {
      const { kind, termsId, partnerId, occurrence = '' } = input
      const partner = await getPartner(db, partnerId)
      const { version } = await getTerms(db, termsId)
      const { dueAt } = await getAcceptance(db, input)
      const to = { contact: partner.contactName, company: partner.name, version }
      const days = `by ${dayOf(dueAt)}`
      const contents = {
        terms_changed: () => mails.termsChanged({ ...to, days }),
        terms_reminder: () => mails.termsReminder({ ...to, days }),
        terms_overdue: () => mails.termsOverdue(to),
      }
      await notify(
        deps,
        {
          kind,
          subjectId: partnerId,
          recipient: partner.contactEmail,
          occurrence: `${termsId}:${occurrence}`,
        },
        contents[kind](),
      )
    },

    /**
     * Finds envelopes that ended and whose message never came, with one question a day. Each is
     * put into the inbox like the message that was lost. @returns how many there were.
     */
    async reconcileAgreements(): Promise<{ found: number }> {
      const since = await findLookDue(db, lookEverySeconds)
      if (!since) return { found: 0 }
      const now = new Date()
      const ended = await docusign.listEndedSince(new Date(since.getTime() - overlapMs))
      const unheard = new Set(
        await listSentAmong(
          db,
          ended.map(({ envelopeId }) => envelopeId),
        ),
      )
      for (const { envelopeId, state } of ended.filter((one) => unheard.has(one.envelopeId))) {
        const identity = `reconciled|${envelopeId}|${state}`
        await recordEvent(db, {
          vendor: 'docusign',
          eventId: createHash('sha256').update(identity).digest('hex'),
          type: `envelope-${state}`,
          objectId: envelopeId,
          occurredAt: now,
        })
      }
      await markLooked(db, now)
      return { found: unheard.size }
    },
  }
}

/** So many in one round of the sweeper; the next round takes the next. */
const startsPerRound = 500

/** Asks whom new terms concern: a row for each partner first, then its process. */
export async function startReacceptances({
  db,
  processes,
}: Pick<ActivityDeps, 'db' | 'processes'>): Promise<void> {
  await recordAcceptancesDue(db)
  const waiting = await listUnstarted(db, startsPerRound)
  if (waiting.length === 0) return
  const { deadlines } = await getProgramme(db)
  for (const { id, termsId, partnerId, createdAt, dueAt } of waiting) {
    await processes.ensureRunning({
      type: workflowTypes.termsReacceptance,
      workflowId: workflowIds.terms(termsId, partnerId),
      input: {
        termsId,
        partnerId,
        notice: Math.round((dueAt.getTime() - createdAt.getTime()) / 1000),
        reminders: deadlines.termsReminders,
      },
    })
    await markAcceptanceStarted(db, id)
  }
}
