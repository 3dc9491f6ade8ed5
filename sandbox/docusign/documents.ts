import { makePdf, type PdfPart } from '../pdf.ts'
import type { Reader } from '../store.ts'
import { DocusignProblem } from './errors.ts'
import type { Envelope, EnvelopeDocument } from './wire.ts'

export function documentsOf(reader: Reader, envelope: Envelope): EnvelopeDocument[] {
  const all = reader.all('documents').filter((one) => one.envelope === envelope.id)
  return all.sort((a, b) => Number(a.order) - Number(b.order))
}

/**
 * `combined`, `certificate` or a document's number. Before the end a document is what was sent,
 * byte for byte. A completed one is a page that says who signed what and when, and that carries
 * the sent bytes as an attachment: real signatures inside the pages are not made here.
 */
export function documentBytes(
  reader: Reader,
  envelope: Envelope,
  wanted: string,
): Promise<Buffer> | Buffer {
  const documents = documentsOf(reader, envelope)
  if (wanted === 'certificate') return sealed(envelope, documents, { attach: false })
  const chosen =
    wanted === 'combined' ? documents : documents.filter((one) => one.documentId === wanted)
  const [first, ...rest] = chosen
  if (first === undefined) {
    throw new DocusignProblem(
      'DOCUMENT_DOES_NOT_EXIST',
      'The specified document is not found.',
      404,
    )
  }
  const single = rest.length === 0 && envelope.status !== 'completed'
  return single ? Buffer.from(first.base64, 'base64') : sealed(envelope, chosen, { attach: true })
}

function sealed(
  envelope: Envelope,
  documents: EnvelopeDocument[],
  { attach }: { attach: boolean },
): Promise<Buffer> {
  const date = new Date(envelope.completedDateTime ?? envelope.createdDateTime)
  return makePdf({
    title: envelope.emailSubject || 'Envelope',
    date,
    parts: [
      {
        rows: [
          ['Envelope', envelope.id],
          ['Status', envelope.status],
          ['Completed', envelope.completedDateTime ?? 'not completed'],
        ],
      },
      ...documents.map(
        (one): PdfPart => ({
          heading: one.name,
          rows: [['SHA-256 of the document that was sent', one.sha256]],
        }),
      ),
      ...envelope.signers.map(
        (signer): PdfPart => ({
          heading: `Signer: ${signer.name}`,
          rows: [
            ['E-mail', signer.email],
            ['Status', signer.status],
            ['Signed', signer.signedDateTime ?? 'not signed'],
          ],
        }),
      ),
      { text: 'Made by the sandbox. This is no signature in the meaning of any law.' },
    ],
    attachments: attach
      ? documents.map(({ name, base64, documentId }) => ({
          name: `${documentId}-${name.replace(/[^\w. -]/g, '_')}`,
          bytes: Buffer.from(base64, 'base64'),
        }))
      : [],
  })
}
