/** What DocuSign is told to send: a document of ours, or one of its templates. */
import type docusign from 'docusign-esign'
import { signaturePlace } from './documents.ts'

export interface AgreementToSend {
  transactionId: string
  documentName: string
  paper: AgreementToSign
  signer: { name: string; email: string }
  /** Known to us alone: the signer signs on a page that we lead to, and gets no mail. */
  embeddedAs: string | null
  subject: string
  /** The application's or partner's outward id; comes back on events and in searches. */
  reference: { name: 'application' | 'partner'; id: string }
  webhookUrl: string
}

/** A document as we wrote it, or a template of the vendor with the words for its fields. */
export type AgreementToSign =
  | { pdf: Buffer }
  | { templateId: string; fields: Record<string, string> }

/** The role in templates that signs for the partner. */
export const templateRole = 'partner'

const events = ['completed', 'declined', 'voided', 'sent', 'delivered']

export function envelopeOf(agreement: AgreementToSend): docusign.EnvelopeDefinition {
  const { reference, paper } = agreement
  const definition = {
    status: 'sent',
    emailSubject: agreement.subject,
    transactionId: agreement.transactionId,
    ...('pdf' in paper ? documentParts(agreement, paper.pdf) : templateParts(agreement, paper)),
    customFields: {
      textCustomFields: [{ name: reference.name, value: reference.id, show: 'false' }],
    },
    eventNotifications: [
      {
        url: agreement.webhookUrl,
        events: events.map((event) => `envelope-${event}`),
        deliveryMode: 'SIM',
        eventData: { version: 'restv2.1', format: 'json', includeData: ['custom_fields'] },
        includeHMAC: 'true',
        requireAcknowledgment: 'true',
        integratorManaged: 'true',
      },
    ],
  }
  // The community types lag behind the SDK: they know one notification with other fields.
  return definition as docusign.EnvelopeDefinition
}

function signerOf({ signer, embeddedAs }: AgreementToSend) {
  return { ...signer, ...(embeddedAs === null ? {} : { clientUserId: embeddedAs }) }
}

function documentParts(agreement: AgreementToSend, pdf: Buffer) {
  const document = {
    documentId: '1',
    name: agreement.documentName,
    fileExtension: 'pdf',
    documentBase64: pdf.toString('base64'),
  }
  const signature = { documentId: '1', anchorString: signaturePlace, anchorYOffset: '-30' }
  const signer = {
    ...signerOf(agreement),
    recipientId: '1',
    routingOrder: '1',
    tabs: { signHereTabs: [signature] },
  }
  return { documents: [document], recipients: { signers: [signer] } }
}

function templateParts(
  agreement: AgreementToSend,
  { templateId, fields }: { templateId: string; fields: Record<string, string> },
) {
  const textTabs = Object.entries(fields).map(([tabLabel, value]) => ({ tabLabel, value }))
  const role = { ...signerOf(agreement), roleName: templateRole, tabs: { textTabs } }
  return { templateId, templateRoles: [role] }
}
