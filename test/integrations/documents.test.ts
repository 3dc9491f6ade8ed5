import {
  type StatementDocument,
  type StatementLine,
  statementTotals,
} from '../../domain/settlement.ts'
import {
  type AgreementPaper,
  agreementPdf,
  statementCsv,
  statementPdf,
} from '../../integrations/documents.ts'
import { readPdf } from './pdf.ts'

function line(changes: Partial<StatementLine> = {}): StatementLine {
  return {
    kind: 'accrual',
    id: 'acc_1',
    at: new Date('2026-10-05T10:00:00Z'),
    customer: 'Globex',
    invoice: 'in_1',
    depth: 0,
    base: 9_999n,
    amount: 2_000n,
    note: null,
    prior: false,
    ...changes,
  }
}

const clawback = line({ kind: 'clawback', amount: -666n, base: 3_333n, note: 'refund' })

function statement(
  lines: StatementLine[],
  changes: Partial<StatementDocument> = {},
): StatementDocument {
  const of = (kind: StatementLine['kind']) =>
    lines.filter((one) => one.kind === kind).reduce((total, { amount }) => total + amount, 0n)
  const totals = statementTotals({
    opening: 1_000_000n,
    earned: of('accrual'),
    clawedBack: -of('clawback'),
    adjustments: -100n,
    held: 500n,
    minimumPayout: 2_500n,
    payoutStep: 1n,
  })
  return {
    number: 'S-2026-10-0001',
    partner: 'Acme',
    period: '2026-10',
    since: null,
    currency: 'USD',
    issuedAt: new Date('2026-11-04T03:00:00Z'),
    seal: `12:${'ab'.repeat(32)}`,
    totals,
    payment:
      totals.payable === 0n
        ? null
        : { currency: 'USD', gross: totals.payable, withheld: 0n, withheldBps: null, vat: 0n },
    held: [{ cause: 'disputed', amount: 500n, lines: null, until: null }],
    lines,
    ...changes,
  }
}

/** The text of all pages, a line for each cell. */
const textOf = (pdf: Buffer) => readPdf(pdf).pages.join('\n')
const flat = (text: string) => text.replace(/\s+/g, ' ')

describe('a statement as PDF', () => {
  test('shows number, partner, period, every figure and every line', async () => {
    const text = flat(textOf(await statementPdf(statement([line(), clawback]))))
    expect(text).toContain('Statement S-2026-10-0001')
    expect(text).toContain('Acme · period 2026-10 · USD')
    expect(text).toContain('Issued 2026-11-04')
    for (const figure of [
      'Opening balance 10,000.00',
      'Earned 20.00',
      'Clawed back 6.66',
      'Adjustments -1.00',
      'Closing balance 10,012.34',
      'Held 5.00',
      'Payable 10,007.34',
      'Carried forward 5.00',
    ]) {
      expect(text).toContain(figure)
    }
    expect(text).toContain('2026-10-05 Globex in_1 0 99.99 20.00')
    expect(text).toContain('2026-10-05 Globex (refund) in_1 0 33.33 -6.66')
  })

  test('carries its fonts with it, and knows the letters of Europe', async () => {
    const names = ['Żółć i Łódź', 'Αθήνα', 'Привет, София', 'Ünïcödé ß', 'Ștefan', 'Đorđe']
    const lines = names.map((customer) => line({ customer }))
    const pdf = await statementPdf(statement(lines, { partner: 'Müller & Söhne' }))
    const text = flat(textOf(pdf))
    expect(readPdf(pdf).fontsEmbedded).toBe(true)
    expect(text.replaceAll(' ', '')).toContain(`12:${'ab'.repeat(32)}`)
    for (const name of [...names, 'Müller & Söhne']) expect(text).toContain(name)
    expect(text).not.toContain('\u{fffd}')
  })

  test('is the same to the byte for the same input, and not for another', async () => {
    const one = await statementPdf(statement([line(), clawback]))
    expect((await statementPdf(statement([line(), clawback]))).equals(one)).toBe(true)
    expect((await statementPdf(statement([line()]))).equals(one)).toBe(false)
    const dated = statement([line(), clawback], { issuedAt: new Date('2026-11-05T00:00:00Z') })
    expect((await statementPdf(dated)).equals(one)).toBe(false)
  })

  test('is a whole file, whatever the statement holds', async () => {
    const hostile = line({
      customer: `${'W'.repeat(400)} ${'word '.repeat(60)}\n\t\u0000🚀株式会社`,
      invoice: 'i'.repeat(200),
      depth: 12,
      base: 10n ** 15n,
      note: 'x'.repeat(300),
    })
    for (const lines of [[], [line({ customer: null })], [hostile]]) {
      const pdf = (await statementPdf(statement(lines))).toString('latin1')
      expect(pdf.startsWith('%PDF-')).toBe(true)
      expect(pdf.trimEnd().endsWith('%%EOF')).toBe(true)
    }
  })

  test('with 300 lines goes over several pages, and loses none', async () => {
    const lines = Array.from({ length: 300 }, (_, n) => line({ invoice: `in_${n}` }))
    const { pages } = readPdf(await statementPdf(statement(lines)))
    expect(pages.length).toBeGreaterThanOrEqual(5)
    expect(pages.length).toBeLessThanOrEqual(12)
    const shown = new Set(pages.join('\n').split('\n'))
    expect(lines.filter(({ invoice }) => !shown.has(invoice ?? ''))).toEqual([])
  })

  test.each([
    ['JPY', '1,980'],
    ['KWD', '1.980'],
  ])('in %s shows 1980 minor units as %s', async (currency, shown) => {
    const pdf = await statementPdf(statement([line({ amount: 1_980n })], { currency }))
    expect(textOf(pdf).split('\n')).toContain(shown)
  })
})

/** The rows of a CSV, read as RFC 4180 says; a line break alone is part of no row's end. */
function rowsOf(csv: string): string[][] {
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|$)/gy
  const rows: string[][] = [[]]
  const text = csv.replace(/^\u{feff}/u, '')
  while (cell.lastIndex < text.length) {
    const [, quoted, plain = '', end] = cell.exec(text) ?? []
    if (end === undefined) throw new Error('this is no CSV')
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain)
    if (end === '\r\n') rows.push([])
  }
  return rows.filter((row) => row.length > 0)
}

describe('a statement as CSV', () => {
  test('has a row for each line, then a row for each figure', () => {
    const [head, ...rows] = rowsOf(statementCsv(statement([line(), clawback])))
    expect(head?.slice(8)).toEqual(['period', 'note'])
    expect(rows.slice(0, 2).map((row) => row.slice(8))).toEqual([
      ['own', ''],
      ['own', 'refund'],
    ])
    expect([head, ...rows].slice(0, 11).map((row) => row?.slice(0, 8))).toEqual([
      ['record', 'date', 'customer', 'invoice', 'depth', 'base', 'amount', 'currency'],
      ['accrual', '2026-10-05', 'Globex', 'in_1', '0', '99.99', '20.00', 'USD'],
      ['clawback', '2026-10-05', 'Globex', 'in_1', '0', '33.33', '-6.66', 'USD'],
      ['opening_balance', '2026-10', '', '', '', '', '10000.00', 'USD'],
      ['earned', '2026-10', '', '', '', '', '20.00', 'USD'],
      ['clawed_back', '2026-10', '', '', '', '', '6.66', 'USD'],
      ['adjustments', '2026-10', '', '', '', '', '-1.00', 'USD'],
      ['closing_balance', '2026-10', '', '', '', '', '10012.34', 'USD'],
      ['held', '2026-10', '', '', '', '', '5.00', 'USD'],
      ['payable', '2026-10', '', '', '', '', '10007.34', 'USD'],
      ['carried_forward', '2026-10', '', '', '', '', '5.00', 'USD'],
    ])
  })

  test('adds up: the amounts of the lines are what was earned and clawed back', () => {
    const lines = Array.from({ length: 40 }, (_, n) => line({ amount: BigInt(n) * 7n }))
    const rows = rowsOf(statementCsv(statement([...lines, clawback, clawback])))
    const cents = (text = '') => Number(text.replace('.', ''))
    const of = (record: string) => rows.filter((row) => row[0] === record)
    const total = (record: string) => of(record).reduce((sum, row) => sum + cents(row[6]), 0)
    expect(total('accrual')).toBe(total('earned'))
    expect(total('clawback')).toBe(-total('clawed_back'))
  })

  test('begins with a byte order mark and ends each row as Windows does', () => {
    const csv = statementCsv(statement([line()]))
    expect(csv.startsWith('\u{feff}record,')).toBe(true)
    expect(csv.endsWith('\r\n')).toBe(true)
    expect(csv.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/)
  })

  test.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '\n=1', "=cmd|'/c calc'!A0"])(
    'shows the name %j as text and never as a formula',
    (name) => {
      const [, row = []] = rowsOf(
        statementCsv(statement([line({ customer: name, invoice: name })])),
      )
      expect(row[2]).toBe(`'${name}`)
      expect(row[3]).toBe(`'${name}`)
    },
  )

  test('leaves numbers numbers, the negative ones too', () => {
    const rows = rowsOf(statementCsv(statement([clawback])))
    const amounts = rows.slice(1).flatMap(([, , , , , base, amount]) => [base, amount])
    for (const amount of amounts) expect(amount).toMatch(/^(-?\d+\.\d{2})?$/)
  })

  test('keeps a name with commas, quotes and line breaks in its one cell', () => {
    const name = 'Acme, "The" Company\nLtd\rof\r\nX'
    const rows = rowsOf(statementCsv(statement([line({ customer: name })])))
    expect(rows[1]?.[2]).toBe(name)
    expect(rows[1]).toHaveLength(10)
  })

  test('starts no row inside a name: every lone line break stands in quotes', () => {
    for (const lineBreak of ['\n', '\r', '\r\n']) {
      const csv = statementCsv(statement([line({ customer: `Acme${lineBreak}=1+1` })]))
      expect(csv).toContain(`"Acme${lineBreak}=1+1"`)
    }
  })
})

describe('an agreement as PDF', () => {
  const terms: AgreementPaper = {
    title: 'Partner agreement',
    body: [
      'Between the owner (programme {programme}) and {company}, {country},',
      'which joins as {level} by {version}.\n\n# 1. Commission\n\n{commission}\n\nThat is all.',
    ].join('\n'),
    values: {
      version: '3',
      company: 'Łódź {level} Trading',
      country: 'PL',
      level: 'master reseller',
      type: 'franchise',
      programme: 'White Label',
      effective_date: '2026-09-01',
      date: '2026-10-01',
    },
    commission: ['The partner earns 20 % of all.', 'It earns 1/3 of the rest.'],
    date: new Date('2026-10-01T00:00:00Z'),
  }

  test('names both sides and every commission, and what is filled in stays as it is', async () => {
    const text = flat(textOf(await agreementPdf(terms)))
    expect(text).toContain('Terms version 3 · 2026-10-01')
    expect(text).toContain('(programme White Label) and Łódź {level} Trading, PL,')
    expect(text).toContain('which joins as master reseller by 3.')
    expect(text).toContain('1. Commission')
    expect(text).toContain('The partner earns 20 % of all.')
    expect(text).toContain('It earns 1/3 of the rest.')
    expect(text).not.toContain('{commission}')
  })

  test('has the words at which the vendor puts the signature, once', async () => {
    expect(textOf(await agreementPdf(terms)).match(/Signed for the partner/g)).toHaveLength(1)
  })

  test('is the same to the byte for the same terms, whatever was printed before', async () => {
    const one = await agreementPdf(terms)
    // A letter that is made of another one, and blanks that share a glyph.
    await agreementPdf({ ...terms, title: 'Ééñ\u00a0ffi', body: 'é' })
    expect((await agreementPdf({ ...terms })).equals(one)).toBe(true)
    expect((await agreementPdf({ ...terms, title: 'Another' })).equals(one)).toBe(false)
    expect(readPdf(one).fontsEmbedded).toBe(true)
  })
})
