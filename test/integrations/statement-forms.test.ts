/** Screen, PDF and CSV of one statement: whatever it holds, they say the same. */
import fc from 'fast-check'
import { decimalAmount, formatAmount } from '../../domain/currencies.ts'
import {
  assertLinesMatch,
  type HeldPart,
  type StatementDocument,
  type StatementLine,
  statementFigures,
  statementLineKinds,
  statementTotals,
} from '../../domain/settlement.ts'
import {
  carriedParts,
  earnedParts,
  isPrior,
  priorNet,
  statementParts,
} from '../../domain/statements.ts'
import { statementCsv, statementHash, statementPdf } from '../../integrations/documents.ts'
import { readPdf } from './pdf.ts'

const period = '2026-10'
const total = (amounts: bigint[]) => amounts.reduce((sum, amount) => sum + amount, 0n)

const lineOf = fc
  .record({
    kind: fc.constantFrom(...statementLineKinds),
    at: fc.date({
      min: new Date('2026-08-01T00:00:00Z'),
      max: new Date('2026-10-31T23:59:59Z'),
      noInvalidDate: true,
    }),
    customer: fc.constantFrom('Łódź', 'Αθήνα €', 'София', '=1+1', 'Plain'),
    depth: fc.integer({ min: 0, max: 4 }),
    amount: fc.bigInt({ min: 1n, max: 10n ** 10n }),
    id: fc.uuid(),
  })
  .map(
    (line): StatementLine => ({
      ...line,
      amount: line.kind === 'clawback' ? -line.amount : line.amount,
      base: line.amount * 2n,
      invoice: null,
      note: null,
      prior: isPrior(line, period),
    }),
  )

const documentOf = fc
  .record({
    lines: fc.array(lineOf, { maxLength: 12 }),
    opening: fc.bigInt({ min: -(10n ** 10n), max: 10n ** 10n }),
    held: fc.array(fc.bigInt({ min: 1n, max: 10n ** 9n }), { maxLength: 3 }),
    currency: fc.constantFrom('USD', 'JPY', 'KWD', 'HUF'),
    minimumPayout: fc.bigInt({ min: 0n, max: 10n ** 9n }),
    payoutStep: fc.constantFrom(1n, 10n, 100n),
  })
  .map(({ lines, opening, held, currency, ...terms }): StatementDocument => {
    const of = (...kinds: StatementLine['kind'][]) =>
      total(lines.filter(({ kind }) => kinds.includes(kind)).map(({ amount }) => amount))
    const causes = ['disputed', 'by_person', 'forfeited'] as const
    return {
      number: `${period}-000001`,
      partner: 'Żółw',
      period,
      currency,
      issuedAt: new Date('2026-11-04T03:00:00Z'),
      seal: null,
      totals: statementTotals({
        ...terms,
        opening,
        earned: of('accrual', 'true_up', 'bonus'),
        clawedBack: -of('clawback'),
        adjustments: of('adjustment'),
        held: total(held),
      }),
      held: held.map(
        (amount, n): HeldPart => ({
          cause: causes[n] ?? 'disputed',
          amount,
          lines: null,
          until: null,
        }),
      ),
      lines,
    }
  })

const rowsOf = (csv: string) =>
  csv
    .trim()
    .split('\r\n')
    .map((row) => row.split(','))

test('the parts of every figure sum to it, and every unit that is carried has one reason', () => {
  fc.assert(
    fc.property(documentOf, (document) => {
      expect(() => assertLinesMatch(document)).not.toThrow()
      const { own, overrides, trueUps, bonuses } = earnedParts(document)
      expect(own + overrides + trueUps + bonuses).toBe(document.totals.earned)
      const carried = carriedParts(document.totals)
      expect(total(carried.map(({ amount }) => amount))).toBe(document.totals.carried)
      const earlier = document.lines.filter(({ at }) => at < new Date(`${period}-01T00:00:00Z`))
      expect(priorNet(document)).toBe(total(earlier.map(({ amount }) => amount)))
    }),
  )
})

test('CSV and PDF show the figures, parts and hash of the screen', async () => {
  await fc.assert(
    fc.asyncProperty(documentOf, async (document) => {
      const { currency } = document
      const shown = [...statementFigures(document.totals), ...statementParts(document)]
      const rows = rowsOf(statementCsv(document))
      const last = 1 + document.lines.length
      expect(rows.slice(last, -1).map((row) => row[6])).toEqual(
        shown.map(({ amount }) => decimalAmount(amount, currency)),
      )
      expect(rows.at(-1)?.[2]).toBe(statementHash(document))
      const cells = readPdf(await statementPdf(document)).pages.join('\n')
      const paper = cells.replace(/\s+/g, ' ')
      for (const { amount } of shown) expect(paper).toContain(formatAmount(amount, currency))
      for (const { words } of statementParts(document)) expect(paper).toContain(words)
      for (const { customer } of document.lines) expect(paper).toContain(String(customer))
      expect(paper.replaceAll(' ', '')).toContain(statementHash(document))
    }),
    { numRuns: 40 },
  )
})

test('no cell of a CSV begins as a formula, whoever chose its words', () => {
  fc.assert(
    fc.property(documentOf, (document) => {
      const written = document.lines.map((line) => ({ ...line, note: '=HYPERLINK(1)' }))
      for (const row of rowsOf(statementCsv({ ...document, lines: written })).slice(1)) {
        for (const cell of [row[2], row[3], row[9]]) expect(cell).not.toMatch(/^[=+@]/)
      }
    }),
  )
})

test('one unit more anywhere is another hash; another name is not', () => {
  fc.assert(
    fc.property(documentOf, (document) => {
      const hash = statementHash(document)
      const named = document.lines.map((line) => ({ ...line, customer: 'erased' }))
      expect(statementHash({ ...document, partner: 'erased', lines: named })).toBe(hash)
      const more = { ...document.totals, opening: document.totals.opening + 1n }
      expect(statementHash({ ...document, totals: more })).not.toBe(hash)
    }),
  )
})
