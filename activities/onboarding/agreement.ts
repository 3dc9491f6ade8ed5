/** The partner agreement: sent, followed, fetched, withdrawn. */
import { listCommissionTerms } from '../../db/commission/rules.ts'
import { inTransaction } from '../../db/database.ts'
import {
  findAgreement,
  markAgreementEnded,
  markAgreementSent,
  recordAgreement,
  recordSignedAgreement,
} from '../../db/onboarding/agreements.ts'
import {
  getApplication,
  markApplication,
  recordTimeline,
} from '../../db/onboarding/applications.ts'
import { getProgramme } from '../../db/programmes.ts'
import { formatRate } from '../../domain/commission-reasons.ts'
import { DomainError } from '../../domain/errors.ts'
import { outwardId } from '../../domain/ids.ts'
import { agreementPdf } from '../../integrations/documents.ts'
import type { EnvelopeState } from '../../integrations/docusign.ts'
import type { ActivityDeps } from '../deps.ts'

const termsVersion = '2026-11'

export function agreementActivities({ db, docusign, links }: ActivityDeps) {
  async function renderAgreement(applicationId: string): Promise<Buffer> {
    const application = await getApplication(db, applicationId)
    const programme = await getProgramme(db)
    const rules = await listCommissionTerms(db, programme.id)
    return agreementPdf({
      version: termsVersion,
      company: application.companyName,
      country: application.country,
      level: application.level.replace('_', ' '),
      programme: programme.name,
      commission: rules.map(({ depth, num, den }) => ({ depth, rate: formatRate({ num, den }) })),
      date: application.submittedAt,
    })
  }

  return {
    /**
     * Sends the agreement for signature. A repeated step looks for the envelope of its first try
     * before it sends: creating one is not idempotent at the vendor.
     */
    async sendAgreement(input: { applicationId: string; dueAt: string }): Promise<void> {
      const { applicationId } = input
      const application = await getApplication(db, applicationId)
      const agreement = await inTransaction(db, (trx) =>
        recordAgreement(trx, { applicationId, attempt: 1, termsVersion }),
      )
      if (agreement.status === 'draft') {
        const envelopeId =
          (await docusign.findEnvelope(agreement.transactionId)) ??
          (await docusign.sendAgreement({
            transactionId: agreement.transactionId,
            documentName: 'Partner agreement',
            pdf: await renderAgreement(applicationId),
            signer: { name: application.contactName, email: application.contactEmail },
            subject: 'Your partner agreement',
            applicationId: outwardId('application', applicationId),
            webhookUrl: links.docusignWebhookUrl(),
          }))
        await markAgreementSent(db, agreement.id, envelopeId)
      }
      await inTransaction(db, async (trx) => {
        await markApplication(trx, applicationId, {
          stage: 'agreement',
          nextActor: 'applicant',
          dueAt: new Date(input.dueAt),
        })
        await recordTimeline(trx, applicationId, {
          key: 'agreement_sent',
          stage: 'agreement',
          actor: 'system',
          what: 'agreement sent for signature',
        })
      })
    },

    /** What the vendor says of the agreement now; an event is only a reason to ask. */
    async readAgreement({ applicationId }: { applicationId: string }): Promise<EnvelopeState> {
      const agreement = await findAgreement(db, applicationId)
      if (!agreement?.envelopeId) throw new DomainError('not_ready', 'no agreement was sent')
      return docusign.readEnvelope(agreement.envelopeId)
    },

    /** Fetches the signed document and keeps it with its hash. */
    async storeSignedAgreement({ applicationId }: { applicationId: string }): Promise<void> {
      const agreement = await findAgreement(db, applicationId)
      if (!agreement?.envelopeId) throw new DomainError('not_ready', 'no agreement was sent')
      if (agreement.status !== 'completed') {
        const content = await docusign.fetchSignedAgreement(agreement.envelopeId)
        await inTransaction(db, (trx) =>
          recordSignedAgreement(trx, { agreementId: agreement.id, content }),
        )
      }
      await inTransaction(db, async (trx) => {
        await markApplication(trx, applicationId, { stage: 'verification', nextActor: 'system' })
        await recordTimeline(trx, applicationId, {
          key: 'agreement_signed',
          stage: 'agreement',
          actor: 'applicant',
          what: 'agreement signed',
        })
      })
    },

    /** Ends an agreement that was not signed; an open envelope is withdrawn at the vendor. */
    async endAgreement(input: {
      applicationId: string
      how: 'declined' | 'voided' | 'expired'
    }): Promise<void> {
      const agreement = await findAgreement(db, input.applicationId)
      if (!agreement) return
      if (input.how === 'expired' && agreement.envelopeId) {
        await docusign.voidAgreement(agreement.envelopeId, 'The time to sign has run out.')
      }
      await markAgreementEnded(db, agreement.id, input.how)
    },
  }
}
