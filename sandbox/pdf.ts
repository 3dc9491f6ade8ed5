import { createRequire } from 'node:module'
import { join } from 'node:path'
import PDFDocument from 'pdfkit'

/** Readers have these themselves, so that nothing of them has to be cut out and sent along. */
const standardFonts = { plain: 'Helvetica', bold: 'Helvetica-Bold' }

/** The letters that standard fonts have. */
const western = /^[\n\x20-\x7e\xa0-\xff]*$/

/** For all other letters. */
const { resolve } = createRequire(join(import.meta.dirname, 'pdf.ts'))
const ownFonts = {
  plain: resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf'),
  bold: resolve('dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf'),
}

/** A document that begins without a font: it would read one that is not used. */
const noFont = { font: null as unknown as string }

const read = new Map<string, object>()

/**
 * The tables of a font are read once. Its glyphs are each document's own: they remember for which
 * letters they stood first, and the same order always gives the same bytes.
 */
function readFont(file: string): Buffer {
  const doc = new PDFDocument({ ...noFont, autoFirstPage: false })
  const font =
    read.get(file) ?? (doc.font(file) as unknown as { _font: { font: object } })._font.font
  read.set(file, font)
  return Object.create(font, { _glyphs: { value: {} } }) as Buffer
}

export interface PdfPart {
  heading?: string
  rows?: [label: string, value: string][]
  text?: string
}

export interface PdfOrder {
  title: string
  /** The date inside the file, so that the same order always gives the same bytes. */
  date: Date
  parts: PdfPart[]
  attachments?: { name: string; bytes: Buffer }[]
}

export function makePdf(order: PdfOrder): Promise<Buffer> {
  const { title, date, parts, attachments = [] } = order
  const info = { Title: title, Producer: 'sandbox', CreationDate: date, ModDate: date }
  const doc = new PDFDocument({ size: 'A4', margin: 56, info, ...noFont })
  const isWestern = wordsOf(order).every((words) => western.test(words))
  for (const name of ['plain', 'bold'] as const) {
    doc.registerFont(name, isWestern ? standardFonts[name] : readFont(ownFonts[name]))
  }
  const chunks: Buffer[] = []
  const done = new Promise<Buffer>((give, fail) => {
    doc.on('data', (chunk: Buffer) => chunks.push(chunk))
    doc.on('end', () => give(Buffer.concat(chunks)))
    doc.on('error', fail)
  })
  for (const { name, bytes } of attachments) {
    doc.file(bytes, {
      name,
      type: 'application/pdf',
      creationDate: date,
      modifiedDate: date,
    })
  }
  doc.font('bold').fontSize(18).text(title)
  for (const part of parts) drawPart(doc, part)
  doc.end()
  return done
}

const wordsOf = ({ title, parts }: PdfOrder): string[] => [
  title,
  ...parts.flatMap(({ heading = '', rows = [], text = '' }) => [heading, ...rows.flat(), text]),
]

function drawPart(doc: PDFKit.PDFDocument, { heading, rows = [], text }: PdfPart): void {
  doc.moveDown()
  if (heading !== undefined) doc.font('bold').fontSize(11).text(heading).moveDown(0.3)
  for (const [label, value] of rows) {
    doc.font('plain').fontSize(8).fillColor('#666').text(label)
    doc.fontSize(10).fillColor('#111').text(value).moveDown(0.3)
  }
  if (text !== undefined) doc.font('plain').fontSize(10).fillColor('#111').text(text)
}
