/** Self-billed documents on paper and as a table: what the law wants to read, and equal amounts. */
import fc from 'fast-check'
import { sum } from '../../domain/money.ts'
import { type SelfBillingPaper, vatOn } from '../../domain/self-billing.ts'
import { selfBillingCsv, selfBillingPdf } from '../../integrations/self-billing-papers.ts'
import { readPdf } from './pdf.ts'

const paper: SelfBillingPaper = {
  kind: 'invoice',
  number: 'SB-000012-000003',
  corrects: null,
  statementId: 'one',
  partnerId: 'two',
  profileId: 'three',
  agreementId: 'four',
  period: '2026-08',
  since: null,
  currency: 'EUR',
  treatment: 'standard',
  bps: 1_900,
  base: 185_000n,
  vat: 35_150n,
  issuedAt: new Date('2026-09-04T03:00:00Z'),
  issuer: { legalName: 'Platform GmbH', address: 'Hafenstraße 1', country: 'DE', vatId: 'DE1' },
  supplier: { legalName: 'Łódź Handel', address: 'ul. Główna 1', country: 'PL', vatId: 'PL2' },
  statementNumber: '2026-08-000007',
  hash: 'ab'.repeat(32),
}

const textOf = async (one: SelfBillingPaper) =>
  readPdf(await selfBillingPdf(one))
    .pages.join('\n')
    .replace(/\s+/g, ' ')

test('an invoice says that it is self-billed, between whom, about what, and with which tax', async () => {
  const text = await textOf(paper)
  for (const words of [
    'Self-billing invoice SB-000012-000003',
    'Issued 2026-09-04 by the recipient for the supplier (self-billing)',
    'Commission for the period 2026-08 · statement 2026-08-000007',
    'Łódź Handel',
    'ul. Główna 1',
    'VAT id PL2',
    'Platform GmbH',
    'VAT id DE1',
    'Commission, net (EUR) 1,850.00',
    'Value added tax at 19 % (EUR) 351.50',
    'Total (EUR) 2,201.50',
  ]) {
    expect(text).toContain(words)
  }
  expect(text.replaceAll(' ', '')).toContain(paper.hash)
})

test('a credit note names the invoice that it corrects', async () => {
  const credit = { ...paper, kind: 'credit_note', base: -100n, vat: -19n } as const
  const text = await textOf({ ...credit, corrects: 'SB-000012-000001' })
  expect(text).toContain('Self-billing credit note')
  expect(text).toContain('Corrects invoice SB-000012-000001')
  expect(text).toContain('Total (EUR) -1.19')
})

test.each([
  ['reverse_charge', 'Reverse charge'],
  ['outside_scope', 'Outside the scope'],
  ['not_registered', 'not registered'],
] as const)('a document without tax says why: %s', async (treatment, words) => {
  const text = await textOf({ ...paper, treatment, bps: 0, vat: 0n })
  expect(text).toContain(words)
  expect(text).toContain('Value added tax (EUR) 0.00')
})

test('the same document makes the same bytes', async () => {
  expect((await selfBillingPdf(paper)).equals(await selfBillingPdf(paper))).toBe(true)
})

const anyPaper = fc
  .record({
    base: fc.bigInt({ min: -(10n ** 12n), max: 10n ** 12n }),
    bps: fc.integer({ min: 0, max: 3_000 }),
    currency: fc.constantFrom('EUR', 'JPY', 'KWD'),
    legalName: fc.constantFrom('=HYPERLINK(1)', '+1', '@x', 'Żółw i spółka'),
  })
  .map(({ legalName, base, bps, ...rest }) => ({
    ...{ ...paper, ...rest, base, bps, vat: vatOn(base, bps) },
    supplier: { ...paper.supplier, legalName },
  }))

function tableOf(csv: string): Record<string, string>[] {
  const [header = [], ...cells] = csv
    .trim()
    .split('\r\n')
    .map((row) => row.split(','))
  return cells.map((row) => Object.fromEntries(header.map((name, at) => [name, row[at] ?? ''])))
}

test('the table adds up to the totals of each currency, and no cell begins as a formula', () => {
  fc.assert(
    fc.property(fc.array(anyPaper, { maxLength: 8 }), (papers) => {
      const csv = selfBillingCsv(papers, (id) => `prt_${id}`)
      const table = tableOf(csv)
      const inMinor = (text = '') => BigInt(text.replace('.', ''))
      for (const currency of ['EUR', 'JPY', 'KWD']) {
        const own = table.filter((row) => row.currency === currency)
        const documents = own.filter(({ record }) => record !== 'total')
        const totals = own.filter(({ record }) => record === 'total')
        expect(totals).toHaveLength(documents.length > 0 ? 1 : 0)
        for (const column of ['base', 'vat', 'total']) {
          const added = sum(documents.map((row) => inMinor(row[column])))
          if (totals[0]) expect(inMinor(totals[0][column])).toBe(added)
        }
      }
      for (const { supplier } of table) expect(supplier).not.toMatch(/^[=+@]/)
    }),
  )
})
