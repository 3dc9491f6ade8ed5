/** Self-billed documents on paper, and all of a period as a table. */
import { stringify } from 'csv-stringify/sync'
import { decimalAmount, formatAmount } from '../domain/currencies.ts'
import { sum } from '../domain/money.ts'
import { dayOf } from '../domain/period.ts'
import {
  documentFigures,
  documentTitles,
  type SelfBillingPaper,
  type Supplier,
  treatmentWords,
} from '../domain/self-billing.ts'
import { finished, fonts, formulaSafe, newDocument, right } from './documents.ts'

/** An invoice or a credit note to print; the same document makes the same bytes. */
export async function selfBillingPdf(paper: SelfBillingPaper): Promise<Buffer> {
  const { currency, kind, supplier, issuer, since } = paper
  const title = `${documentTitles[kind]} ${paper.number}`
  const document = newDocument({ title, date: paper.issuedAt })
  document.font(fonts.bold).fontSize(18).text(title)
  document.font(fonts.regular).fontSize(10).moveDown(0.5)
  const issued = dayOf(paper.issuedAt)
  document.text(`Issued ${issued} by the recipient for the supplier (self-billing)`)
  const period = since ? `periods ${since} to ${paper.period}` : `period ${paper.period}`
  document.text(`Commission for the ${period} · statement ${paper.statementNumber}`)
  if (paper.corrects) document.text(`Corrects invoice ${paper.corrects}`)
  document.moveDown()
  document.table({
    columnStyles: ['*', '*'],
    defaultStyle: { border: false, padding: 3 },
    data: [
      ['Supplier', 'Recipient'],
      [partyText(supplier), partyText(issuer)],
    ],
  })
  document.moveDown().table({
    columnStyles: ['*', 140],
    defaultStyle: { border: [0, 0, 0.5, 0], borderColor: '#cccccc', padding: 4 },
    data: documentFigures(paper).map(({ label, amount }) => [
      `${label} (${currency})`,
      right(formatAmount(amount, currency)),
    ]),
  })
  const note = treatmentWords[paper.treatment]
  if (note) document.moveDown().text(note)
  document.moveDown().fontSize(7).text(`Hash of this document: ${paper.hash}`)
  return finished(document)
}

const partyText = ({ legalName, address, country, vatId }: Supplier) =>
  [legalName, address, country, ...(vatId ? [`VAT id ${vatId}`] : [])].join('\n')

const columns = [
  ...['record', 'number', 'corrects', 'issued', 'period', 'statement', 'partner', 'supplier'],
  ...['supplier_country', 'supplier_vat_id', 'treatment', 'rate_percent'],
  ...['currency', 'base', 'vat', 'total', 'hash'],
]

/**
 * Documents as rows, and a row for the totals of each currency. Words are guarded against being
 * read as formulas.
 * @param partnerOf how a partner is named outside.
 */
export function selfBillingCsv(
  papers: Omit<SelfBillingPaper, 'issuer'>[],
  partnerOf: (partnerId: string) => string,
): string {
  const rows = papers.map((paper) => [
    paper.kind,
    formulaSafe(paper.number),
    formulaSafe(paper.corrects ?? ''),
    dayOf(paper.issuedAt),
    paper.period,
    paper.statementNumber,
    partnerOf(paper.partnerId),
    formulaSafe(paper.supplier.legalName),
    paper.supplier.country,
    formulaSafe(paper.supplier.vatId),
    paper.treatment,
    String(paper.bps / 100),
    ...amounts([paper], paper.currency),
    paper.hash,
  ])
  const totals = [...Map.groupBy(papers, ({ currency }) => currency)].map(([currency, own]) => [
    'total',
    ...columns.slice(1, 12).map(() => ''),
    ...amounts(own, currency),
    '',
  ])
  return stringify([columns, ...rows, ...totals], {
    bom: true,
    record_delimiter: 'windows',
    quoted_match: /[\r\n]/,
  })
}

/** Currency, base, tax and both. */
function amounts(papers: Pick<SelfBillingPaper, 'base' | 'vat'>[], currency: string): string[] {
  const base = sum(papers.map((paper) => paper.base))
  const vat = sum(papers.map((paper) => paper.vat))
  return [currency, ...[base, vat, base + vat].map((amount) => decimalAmount(amount, currency))]
}
