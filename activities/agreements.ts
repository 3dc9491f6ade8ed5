/** How one attempt to have terms signed is sent, followed, kept and withdrawn. */
import { sleep } from '@temporalio/activity'
import { getTerms, type TermsRow } from '../db/agreement-terms.ts'
import { listAgreedRules, listProductNames } from '../db/commission/rules.ts'
import { type Db, inTransaction, type Trx } from '../db/database.ts'
import {
  type AgreementRow,
  isLive,
  markAgreementEnded,
  markAgreementRequested,
  markAgreementSent,
  markAgreementUncertain,
  markSigningPage,
  recordSignedAgreement,
} from '../db/onboarding/agreements.ts'
import { getProgramme, type Programme } from '../db/programmes.ts'
import { commissionSentences } from '../domain/agreement-commission.ts'
import type { AgreementValues } from '../domain/agreement-text.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { dayOf } from '../domain/period.ts'
import { agreementPdf } from '../integrations/documents.ts'
import type { EnvelopeState } from '../integrations/docusign.ts'
import type { AgreementToSign } from '../integrations/docusign-envelopes.ts'
import type { ActivityDeps } from './deps.ts'

/** Whom an agreement is with, as it names it. */
export interface Party {
  /** The id of the application and of the partner that it becomes. */
  id: string
  company: string
  country: string
  level: string
  type: string
  since: Date
}

/**
 * How a sending ended: `found` is one of an earlier try whose answer was lost, which may have been
 * signed meanwhile; `uncertain` is one of which nobody can tell, so that a person decides.
 */
export type Sending = 'sent' | 'found' | 'uncertain'

/** An envelope that was just made is not found at once: the second look is this much later. */
const lookAgainMs = 2_000

const words = (name: string) => name.replaceAll('_', ' ')
const day = (instant: Date | null) => (instant ? dayOf(instant) : '')

export const embeddedAs = (row: AgreementRow) =>
  row.embedded ? outwardId('agreement', row.id) : null

async function written(agreement: {
  terms: TermsRow
  values: AgreementValues
  commission: string[]
  party: Party
}): Promise<AgreementToSign> {
  const { terms, values, commission, party } = agreement
  if (terms.docusignTemplateId) {
    const fields = { ...values, commission: commission.join('\n') }
    return { templateId: terms.docusignTemplateId, fields }
  }
  return { pdf: await agreementPdf({ ...terms, values, commission, date: party.since }) }
}

export type AgreementDesk = ReturnType<typeof agreementDesk>

export function agreementDesk({ db, docusign, links }: ActivityDeps) {
  /** What a paper says of the partner's commission, in sentences. */
  async function commissionOf(one: Db, programme: Programme, partnerId: string) {
    const { id: programmeId, currency } = programme
    const rules = await listAgreedRules(one, { programmeId, partnerId, at: new Date() })
    return commissionSentences({ currency, rules, products: await listProductNames(one, rules) })
  }

  /** The terms that are signed, on paper or as the words for a template of the vendor. */
  async function paperFor(termsId: string, party: Party) {
    const { terms, programme, commission } = await inTransaction(db, async (trx) => {
      const [found, of] = await Promise.all([getTerms(trx, termsId), getProgramme(trx)])
      const sentences = await commissionOf(trx, of, party.id)
      return { terms: found, programme: of, commission: sentences }
    })
    const values: AgreementValues = {
      company: party.company,
      country: party.country,
      level: words(party.level),
      type: words(party.type),
      programme: programme.name,
      version: terms.version,
      effective_date: day(terms.effectiveFrom),
      date: day(party.since),
    }
    return { title: terms.title, paper: await written({ terms, values, commission, party }) }
  }

  /** Looks twice, because a vendor that was just asked may not list its answer yet. */
  async function findEarlier(row: AgreementRow): Promise<string | null> {
    if (row.requestedAt === null) return null
    const found = await docusign.findEnvelope(row.transactionId)
    if (found) return found
    await sleep(lookAgainMs)
    return docusign.findEnvelope(row.transactionId)
  }

  /** What proves the signature, fetched whole before anything of it is kept. */
  async function keep(row: AgreementRow): Promise<void> {
    if (row.status === 'completed') return
    if (!row.envelopeId) throw new DomainError('not_ready', 'no agreement was sent')
    const signed = await docusign.fetchSignedAgreement(row.envelopeId)
    const certificate = await docusign.fetchCertificate(row.envelopeId)
    const events = await docusign.fetchAuditEvents(row.envelopeId)
    const audit = Buffer.from(JSON.stringify(events))
    await inTransaction(db, (trx) =>
      recordSignedAgreement(trx, row.id, { signed, certificate, audit }),
    )
  }

  return {
    keep,

    /**
     * Sends what is a draft; a repeated step looks for the envelope of its earlier try first.
     * @param note writes what else is known then, in the transaction that notes the sending.
     */
    async send(
      row: AgreementRow,
      party: Party,
      note: (trx: Trx, sending: Sending) => Promise<void> = async () => {},
    ): Promise<Sending> {
      const noted = async (sending: Sending, mark = async (_trx: Trx) => {}) => {
        await inTransaction(db, (trx) => Promise.all([mark(trx), note(trx, sending)]))
        return sending
      }
      if (row.uncertainAt) return noted('uncertain')
      if (row.status !== 'draft') return noted('sent')
      const earlier = await findEarlier(row)
      if (earlier) return noted('found', (trx) => markAgreementSent(trx, row.id, earlier))
      if (row.forgotten) return noted('uncertain', (trx) => markAgreementUncertain(trx, row.id))
      const { title, paper } = await paperFor(row.termsId, party)
      await markAgreementRequested(db, row.id)
      const envelopeId = await docusign.sendAgreement({
        transactionId: row.transactionId,
        documentName: title,
        paper,
        signer: { name: row.signerName ?? '', email: row.signerEmail ?? '' },
        embeddedAs: embeddedAs(row),
        subject: row.applicationId
          ? 'Your partner agreement'
          : 'Your partner agreement has changed',
        reference: row.applicationId
          ? { name: 'application', id: outwardId('application', row.applicationId) }
          : { name: 'partner', id: outwardId('partner', row.holderId) },
        webhookUrl: links.docusignWebhookUrl(),
      })
      return noted('sent', (trx) => markAgreementSent(trx, row.id, envelopeId))
    },

    /** What the vendor says now; an end without a signature is noted with it. */
    async read(row: AgreementRow): Promise<EnvelopeState> {
      if (!row.envelopeId) throw new DomainError('not_ready', 'no agreement was sent')
      const { state, declinedReason } = await docusign.readEnvelope(row.envelopeId)
      if (state === 'declined' || state === 'voided') {
        await markAgreementEnded(db, row, { status: state, reason: declinedReason })
      }
      return state
    },

    /**
     * Withdraws an attempt, at the vendor first. @returns how it has ended, which is `completed`
     * where the signature came first: then it is kept.
     */
    async withdraw(
      row: AgreementRow,
      { how, reason }: { how: 'voided' | 'expired'; reason: string },
    ): Promise<AgreementRow['status']> {
      if (!isLive(row)) return row.status
      const envelopeId = row.envelopeId ?? (await findEarlier(row))
      if (!envelopeId) {
        await markAgreementEnded(db, row, { status: how })
        return how
      }
      await markAgreementSent(db, row.id, envelopeId)
      const { state, declinedReason } = await docusign.voidAgreement(envelopeId, reason)
      if (state === 'completed') {
        await keep({ ...row, envelopeId })
        return state
      }
      const status = state === 'declined' ? state : how
      await markAgreementEnded(db, row, { status, reason: declinedReason })
      return status
    },

    /** A page on which the holder signs; each call makes a new one. */
    async openPage(row: AgreementRow, returnUrl: string): Promise<void> {
      const clientUserId = embeddedAs(row)
      if (row.status !== 'sent' || !row.envelopeId || !clientUserId) {
        throw new DomainError('not_ready', 'no agreement waits to be signed here')
      }
      const url = await docusign.openSigningPage({
        envelopeId: row.envelopeId,
        signer: { name: row.signerName ?? '', email: row.signerEmail ?? '' },
        embeddedAs: clientUserId,
        returnUrl,
      })
      await markSigningPage(db, row.id, url)
    },
  }
}
