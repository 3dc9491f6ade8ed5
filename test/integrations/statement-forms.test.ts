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
    since: fc.constantFrom(null, '2026-08'),
    withheldBps: fc.constantFrom(0, 1, 2_400, 10_000),
    vat: fc.constantFrom(0n, 0n, 1n, 380n, 10n ** 9n),
    paidIn: fc.constantFrom('own', 'own', 'EUR'),
  })
  .map(({ lines, opening, held, currency, since, withheldBps, vat, paidIn, ...terms }) => {
    const of = (...kinds: StatementLine['kind'][]) =>
      total(lines.filter(({ kind }) => kinds.includes(kind)).map(({ amount }) => amount))
    const causes = ['disputed', 'by_person', 'forfeited'] as const
    const totals = statementTotals({
      ...terms,
      opening,
      earned: of('accrual', 'true_up', 'bonus'),
      clawedBack: -of('clawback'),
      adjustments: of('adjustment'),
      held: total(held),
    })
    const gross = paidIn === 'own' ? totals.payable : (totals.payable * 9n) / 10n
    const withheld = (gross * BigInt(withheldBps)) / 10_000n
    const document: StatementDocument = {
      number: `${period}-000001`,
      partner: 'Żółw',
      period,
      since,
      currency,
      issuedAt: new Date('2026-11-04T03:00:00Z'),
      seal: null,
      totals,
      payment:
        totals.payable === 0n
          ? null
          : { currency: paidIn === 'own' ? currency : paidIn, gross, withheld, withheldBps, vat },
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
    return document
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
      const shown = [...statementFigures(document.totals), ...statementParts(document)].map(
        (one) => ({
          amount: one.amount,
          currency: ('currency' in one && one.currency) || currency,
        }),
      )
      const rows = rowsOf(statementCsv(document))
      const last = 1 + document.lines.length
      const figures = rows.slice(last, -1).filter(([record]) => record !== 'since_period')
      expect(figures.map((row) => [row[6], row[7]])).toEqual(
        shown.map((one) => [decimalAmount(one.amount, one.currency), one.currency]),
      )
      expect(rows.at(-1)?.[2]).toBe(statementHash(document))
      const cells = readPdf(await statementPdf(document)).pages.join('\n')
      const paper = cells.replace(/\s+/g, ' ')
      for (const one of shown) expect(paper).toContain(formatAmount(one.amount, one.currency))
      if (document.since) expect(paper).toContain(`periods ${document.since} to ${period}`)
      for (const { words } of statementParts(document)) expect(paper).toContain(words)
      for (const { customer } of document.lines) expect(paper).toContain(String(customer))
      expect(paper.replaceAll(' ', '')).toContain(statementHash(document))
    }),
    { numRuns: 40 },
  )
})

test('tax is apart: what is payable stays, and what is paid is the rest of it', () => {
  fc.assert(
    fc.property(documentOf, (document) => {
      const parts = statementParts(document).filter(({ figure }) => figure === 'payment')
      const amounts = Object.fromEntries(parts.map(({ part, amount }) => [part, amount]))
      const { payment, totals } = document
      if (!payment || (!payment.withheld && !payment.vat)) return expect(parts).toEqual([])
      expect(amounts.withheld ?? 0n).toBe(payment.withheld)
      expect(amounts.vat ?? 0n).toBe(payment.vat)
      expect((amounts.net ?? 0n) + payment.withheld - payment.vat).toBe(amounts.gross)
      if (payment.currency === document.currency) expect(amounts.gross).toBe(totals.payable)
      const taxed = { ...payment, vat: payment.vat + 1n }
      expect(statementHash({ ...document, payment: taxed })).not.toBe(statementHash(document))
    }),
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
