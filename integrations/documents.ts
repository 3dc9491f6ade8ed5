/** Paper: statements as PDF and CSV, agreements as PDF. The same input makes the same bytes. */
import { createHash } from 'node:crypto'
import { stringify } from 'csv-stringify/sync'
import PDFDocument from 'pdfkit'
import { type AgreementValues, agreementBlocks, filledText } from '../domain/agreement-text.ts'
import { decimalAmount, formatAmount, formatMoney } from '../domain/currencies.ts'
import { dayOf } from '../domain/period.ts'
import { type Remittance, remittanceFigures } from '../domain/remittances.ts'
import {
  type StatementDocument,
  type StatementLine,
  type StatementLineKind,
  statementFigures,
} from '../domain/settlement.ts'
import { spanWords, statementParts, statementText } from '../domain/statements.ts'
import { fontForDocument, noFont } from './fonts.ts'

export const fonts = { regular: 'regular', bold: 'bold' } as const

export function newDocument(info: { title: string; date: Date }): PDFKit.PDFDocument {
  const document = new PDFDocument({
    size: 'A4',
    margin: 56,
    info: { Title: info.title, CreationDate: info.date, ModDate: info.date },
    ...noFont,
  })
  for (const name of Object.values(fonts)) {
    document.registerFont(name, fontForDocument(name), name)
  }
  return document.font(fonts.regular)
}

export function finished(document: PDFKit.PDFDocument): Promise<Buffer> {
  const chunks: Buffer[] = []
  return new Promise((resolvePdf, reject) => {
    document.on('data', (chunk: Buffer) => chunks.push(chunk))
    document.on('end', () => resolvePdf(Buffer.concat(chunks)))
    document.on('error', reject)
    document.end()
  })
}

export const right = (text: string) => ({ text, align: { x: 'right' as const } })

/** Of everything that a statement says of money; names are not part of it. */
export function statementHash(statement: StatementDocument): string {
  return createHash('sha256').update(statementText(statement)).digest('hex')
}

/** A statement to print: its figures, then every line that made them. */
export async function statementPdf(statement: StatementDocument): Promise<Buffer> {
  const { currency } = statement
  const document = newDocument({
    title: `Statement ${statement.number}`,
    date: statement.issuedAt,
  })
  document.font(fonts.bold).fontSize(20).text(`Statement ${statement.number}`)
  document.font(fonts.regular).fontSize(10).moveDown(0.5)
  document.text(`${statement.partner} · ${spanWords(statement)} · ${currency}`)
  const due = statement.payOn ? ` · paid on ${statement.payOn}` : ''
  document.text(`Issued ${dayOf(statement.issuedAt)}${due}`).moveDown()
  document.table({
    columnStyles: ['*', 120],
    defaultStyle: { border: [0, 0, 0.5, 0], borderColor: '#cccccc', padding: 4 },
    data: statementFigures(statement.totals).map(({ label, amount }) => [
      label,
      right(formatAmount(amount, currency)),
    ]),
  })
  printParts(document, statement)
  document.moveDown().font(fonts.bold).fontSize(12).text('Lines').moveDown(0.5)
  document.font(fonts.regular).fontSize(8)
  document.table({
    columnStyles: [62, '*', 130, 40, 70, 70],
    defaultStyle: { border: [0, 0, 0.5, 0], borderColor: '#cccccc', padding: 3 },
    data: [
      ['Date', 'Customer', 'Invoice', 'Depth', right('Base'), right('Amount')],
      ...statement.lines.map((line) => [
        dayOf(line.at),
        whatOf(line),
        line.invoice ?? '',
        String(line.depth),
        right(formatAmount(line.base, currency)),
        right(formatAmount(line.amount, currency)),
      ]),
    ],
  })
  document
    .moveDown()
    .fontSize(7)
    .text(`Hash of this statement: ${statementHash(statement)}`)
  if (statement.seal) document.text(`Newest seal of the ledger: ${statement.seal}`)
  return finished(document)
}

/** What a payout is for, to print: from the statement that it pays to what was sent. */
export async function remittancePdf(advice: Remittance): Promise<Buffer> {
  const { statement, rate, currency, statementCurrency } = advice
  const title = `Remittance advice ${statement.number}`
  const document = newDocument({ title, date: advice.paidAt })
  document.font(fonts.bold).fontSize(20).text(title)
  document.font(fonts.regular).fontSize(10).moveDown(0.5)
  document.text(`${advice.partner} · paid ${dayOf(advice.paidAt)}`)
  document.text(`Payout ${advice.payout} · transfer ${advice.transfer}`)
  const since = statement.sincePeriod ? ` (since ${statement.sincePeriod})` : ''
  document.text(`Statement ${statement.number} · period ${statement.period}${since}`)
  if (rate) {
    const day = dayOf(rate.asOf)
    document.text(`1 ${statementCurrency} = ${rate.rate} ${currency} · ${rate.source}, ${day}`)
  }
  document.moveDown().table({
    columnStyles: ['*', 140],
    defaultStyle: { border: [0, 0, 0.5, 0], borderColor: '#cccccc', padding: 4 },
    data: remittanceFigures(advice).map((figure) => [
      figure.label,
      right(formatMoney(figure.amount, figure.currency)),
    ]),
  })
  return finished(document)
}

/** Of what the figures are made, and why something is held or carried. */
function printParts(document: PDFKit.PDFDocument, statement: StatementDocument): void {
  const parts = statementParts(statement)
  if (parts.length === 0) return
  document.moveDown().font(fonts.bold).fontSize(12).text('How it comes about').moveDown(0.5)
  document.font(fonts.regular).fontSize(8)
  document.table({
    columnStyles: ['*', 120],
    defaultStyle: { border: [0, 0, 0.5, 0], borderColor: '#cccccc', padding: 3 },
    data: parts.map(({ words, amount, currency = statement.currency }) => [
      currency === statement.currency ? words : `${words} (${currency})`,
      right(formatAmount(amount, currency)),
    ]),
  })
}

function whatOf(line: StatementLine): string {
  const notes = [line.note, line.prior ? 'earlier period' : null].filter((note) => note !== null)
  if (notes.length === 0) return line.customer ?? ''
  return `${line.customer ?? labels[line.kind]} (${notes.join(', ')})`
}

/** What stands in the place of a customer where a line has none. */
const labels: Record<StatementLineKind, string> = {
  accrual: '',
  true_up: 'True-up',
  bonus: 'Bonus',
  clawback: '',
  adjustment: 'Adjustment',
}

/**
 * A statement as a table: a row for each line, each figure, each part of one, and its hash. Only
 * text columns are guarded against being read as formulas; a guarded number would no longer be a
 * number.
 */
export function statementCsv(statement: StatementDocument): string {
  const { currency } = statement
  const columns = [
    ...['record', 'date', 'customer', 'invoice', 'depth', 'base', 'amount', 'currency'],
    ...['period', 'note'],
  ]
  const lines = statement.lines.map((line) => [
    line.kind,
    dayOf(line.at),
    formulaSafe(line.customer ?? ''),
    formulaSafe(line.invoice ?? ''),
    String(line.depth),
    decimalAmount(line.base, currency),
    decimalAmount(line.amount, currency),
    currency,
    line.prior ? 'earlier' : 'own',
    formulaSafe(line.note ?? ''),
  ])
  const totals = statementFigures(statement.totals).map(({ label, amount }) => [
    label.toLowerCase().replaceAll(' ', '_'),
    statement.period,
    '',
    '',
    '',
    '',
    decimalAmount(amount, currency),
    currency,
    '',
    '',
  ])
  const parts = statementParts(statement).map((one) => [
    `${one.figure}:${one.part}`,
    statement.period,
    ...['', '', '', ''],
    decimalAmount(one.amount, one.currency ?? currency),
    one.currency ?? currency,
    '',
    formulaSafe(one.words),
  ])
  const hash = ['hash', statement.period, statementHash(statement), '', '', '', '', '', '', '']
  const since = statement.since
    ? [['since_period', statement.since, '', '', '', '', '', '', '', '']]
    : []
  return stringify([columns, ...lines, ...totals, ...parts, ...since, hash], {
    bom: true,
    record_delimiter: 'windows',
    // Readers take a lone line break for the end of a row too.
    quoted_match: /[\r\n]/,
  })
}

/** Text that a spreadsheet would take for a formula is marked as text. */
export function formulaSafe(text: string): string {
  return /^[=+\-@\t\r\n]/.test(text) ? `'${text}` : text
}

export interface AgreementPaper {
  title: string
  /** The text of the terms, with its placeholders. */
  body: string
  values: AgreementValues
  /** What the partner earns, in sentences. */
  commission: string[]
  date: Date
}

/** The words above which the partner signs; the envelope finds its place by them. */
export const signaturePlace = 'Signed for the partner'

/** A partner agreement, filled in and ready to be signed. */
export async function agreementPdf(paper: AgreementPaper): Promise<Buffer> {
  const { title, values } = paper
  const document = newDocument({ title, date: paper.date })
  document.font(fonts.bold).fontSize(20).text(title).moveDown(0.5)
  document.font(fonts.regular).fontSize(10)
  document.text(`Terms version ${values.version} · ${values.date}`)
  for (const block of agreementBlocks(paper.body)) {
    document.moveDown()
    if (block.kind === 'commission') {
      for (const sentence of paper.commission) document.text(sentence)
      continue
    }
    document.font(block.kind === 'heading' ? fonts.bold : fonts.regular)
    document.text(filledText(block.text, values)).font(fonts.regular)
  }
  document.moveDown(4).text(signaturePlace)
  return finished(document)
}

export interface CertificateFacts {
  number: string
  programme: string
  company: string
  /** Null for those who may not know the person. */
  member: string | null
  course: string
  issuedAt: Date
  expiresAt: Date | null
}

/** A certificate to hang up; its number is good for a check by anybody. */
export async function certificatePdf(facts: CertificateFacts): Promise<Buffer> {
  const document = newDocument({ title: `Certificate ${facts.number}`, date: facts.issuedAt })
  document.moveDown(4).font(fonts.bold).fontSize(28).text('Certificate', { align: 'center' })
  document.font(fonts.regular).fontSize(12).moveDown(2)
  const whole = { align: 'center' } as const
  if (facts.member) {
    document.font(fonts.bold).fontSize(18).text(facts.member, whole)
    document.font(fonts.regular).fontSize(12).text('of', whole)
  }
  document.font(fonts.bold).fontSize(18).text(facts.company, whole).moveDown()
  document.font(fonts.regular).fontSize(12).text('has passed', whole)
  document.font(fonts.bold).fontSize(18).text(facts.course, whole).moveDown(2)
  document.font(fonts.regular).fontSize(10)
  document.text(`Programme ${facts.programme}`, whole)
  const end = facts.expiresAt ? `good until ${dayOf(facts.expiresAt)}` : 'good for ever'
  document.text(`Issued ${dayOf(facts.issuedAt)} · ${end}`, whole)
  document.text(`Number ${facts.number}`, whole)
  return finished(document)
}
