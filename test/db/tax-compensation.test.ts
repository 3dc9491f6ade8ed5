/** Whatever was paid and taken back: the sums of a year are those of its paid payouts. */
import { randomUUIDv7 } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import type { Trx } from '../../db/database.ts'
import { recordTaxForm } from '../../db/tax/forms.ts'
import { listCompensation, sumCompensation } from '../../db/tax/standing.ts'
import { findTaxYear } from '../../db/tax/years.ts'
import { isReported, reportReason } from '../../domain/tax.ts'
import { compensationCsv } from '../../integrations/tax-documents.ts'
import { createTestDatabase, rolledBack, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme } from '../support/factories.ts'

let database: TestDatabase
/** Who each partner is for tax. */
const people = {
  american: { country: 'US', form: null, isUs: true },
  certified: { country: 'DE', form: 'w9', isUs: true },
  exempt: { country: 'US', form: 'w9', isUs: true },
  foreign: { country: 'DE', form: null, isUs: false },
  resident: { country: 'US', form: 'w8bene', isUs: false },
} as const
type Who = keyof typeof people
const names = Object.keys(people) as Who[]
const ids = {} as Record<Who, string>

beforeAll(async () => {
  database = await createTestDatabase()
  const { db } = database
  await makeProgramme(db)
  const decidedBy = randomUUIDv7()
  await sql`insert into members (id, name_sealed, email_sealed, email_index, role)
    values (${decidedBy}, 'x', 'x', 'x', 'owner')`.execute(db)
  for (const name of names) {
    const { country, form } = people[name]
    ids[name] = await makePartner(db, { country })
    if (!form) continue
    const isW9 = form === 'w9'
    await db.transaction().execute((trx) =>
      recordTaxForm(trx, {
        ...{ id: randomUUIDv7(), partnerId: ids[name], kind: form, decidedBy },
        legalName: '=1+1',
        tinKind: isW9 ? 'ein' : 'none',
        tinLastFour: isW9 ? '0001' : '',
        classification: isW9 ? (name === 'exempt' ? 'c_corporation' : 'llc') : null,
        subjectToWithholding: false,
        country: isW9 ? 'US' : 'DE',
        signedOn: '2026-01-01',
        expiresOn: isW9 ? null : '2029-12-31',
      }),
    )
  }
})
afterAll(() => database.drop())

interface Paid {
  who: Who
  amount: bigint
  withheld: bigint
  currency: string
  status: 'paid' | 'returned' | 'held' | 'approved'
  paidAt: Date
}

/** A payout as it would end up, with its statement. */
async function insertPayout(trx: Trx, one: Paid): Promise<void> {
  const [statementId, runId] = [randomUUIDv7(), randomUUIDv7()]
  const partnerId = ids[one.who]
  const gross = one.amount + one.withheld
  await sql`insert into statements (id, run_id, partner_id, reseller_id, master_id, period,
      currency, opening_minor, earned_minor, clawed_back_minor, adjustments_minor, closing_minor,
      held_minor, payable_minor, carried_minor, withheld_minor, withheld_bps)
    values (${statementId}, ${runId}, ${partnerId}, ${partnerId}, ${partnerId}, '2025-12',
      ${one.currency}, 0, ${gross}, 0, 0, ${gross}, 0, ${gross}, 0, ${one.withheld}, 2400)`.execute(
    trx,
  )
  const holdReason = one.status === 'held' ? 'transfer_rejected' : null
  const paidAt = one.status === 'paid' ? one.paidAt : null
  await sql`insert into payouts (statement_id, run_id, partner_id, reseller_id, master_id, currency,
      amount_minor, status, hold_reason, paid_at)
    values (${statementId}, ${runId}, ${partnerId}, ${partnerId}, ${partnerId}, ${one.currency},
      ${one.amount}, ${one.status}, ${holdReason}, ${paidAt})`.execute(trx)
}

const instants = [
  '2024-12-31T23:59:59.999Z',
  '2025-01-01T00:00:00Z',
  '2025-07-01T12:00:00Z',
  '2025-12-31T23:59:59.999Z',
  '2026-01-01T00:00:00Z',
].map((instant) => new Date(instant))

const anyPayout = fc.record<Paid>({
  who: fc.constantFrom(...names),
  amount: fc.bigInt({ min: 1n, max: 10n ** 11n }),
  withheld: fc.bigInt({ min: 0n, max: 1_000n }),
  currency: fc.constantFrom('USD', 'USD', 'EUR'),
  status: fc.constantFrom('paid', 'paid', 'returned', 'held', 'approved'),
  paidAt: fc.constantFrom(...instants),
})

const total = (amounts: bigint[]) => amounts.reduce((sum, one) => sum + one, 0n)

test('the sums are those of what US persons were paid or tax was withheld of, less what came back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyPayout, { maxLength: 25 }), async (payouts) => {
      await rolledBack(database.db, async (trx) => {
        await sql`set local session_replication_role = replica`.execute(trx)
        for (const one of payouts) await insertPayout(trx, one)
        const asked = { year: 2025, currency: 'USD', partnerId: null }
        const { rows } = await listCompensation(trx, asked, null)
        const due = payouts.filter(
          ({ who, status, paidAt, currency, withheld }) =>
            (people[who].isUs || withheld > 0n) &&
            status === 'paid' &&
            paidAt.getUTCFullYear() === 2025 &&
            currency === 'USD',
        )
        const gross = total(due.map(({ amount, withheld }) => amount + withheld))
        expect(total(rows.map(({ amount }) => amount))).toBe(gross)
        for (const name of names) {
          const own = due.filter(({ who }) => who === name)
          const line = rows.find(({ partnerId }) => partnerId === ids[name])
          expect(line?.payouts ?? 0).toBe(own.length)
          expect(line?.withheld ?? 0n).toBe(total(own.map(({ withheld }) => withheld)))
        }
        const sums = await sumCompensation(trx, asked)
        expect(sums.find(({ currency }) => currency === 'USD')?.amount ?? 0n).toBe(gross)
        await expectSameInCsv(trx, rows)
      })
    }),
    { numRuns: 25 },
  )
})

async function expectSameInCsv(
  trx: Trx,
  rows: Awaited<ReturnType<typeof listCompensation>>['rows'],
): Promise<void> {
  const rules = await findTaxYear(trx, 2025)
  if (!rules) throw new Error('the year is set')
  const [header = [], ...cells] = compensationCsv(2025, rules, rows)
    .replace(/^\u{feff}/u, '')
    .trimEnd()
    .split('\r\n')
    .map((row) => row.split(','))
  const at = (name: string) => header.indexOf(name)
  const minor = (text = '') => BigInt(text.replace('.', ''))
  const amounts = cells.map((row) => minor(row[at('box_1_nonemployee_compensation')]))
  expect(amounts).toEqual(rows.map(({ amount }) => amount))
  const reported = cells.map((row) => row[at('reported')] === 'yes')
  expect(reported).toEqual(rows.map((row) => isReported(reportReason(row, rules))))
  for (const row of cells) expect(row[at('recipient_name')]).not.toMatch(/^=/)
}

test('a year that is not set follows the newest one before', async () => {
  const years = [2025, 2026, 2031].map((year) => findTaxYear(database.db, year))
  expect((await Promise.all(years)).map((rules) => [rules?.year, rules?.thresholdMinor])).toEqual([
    [2025, 60_000n],
    [2026, 200_000n],
    [2026, 200_000n],
  ])
  expect(await findTaxYear(database.db, 2020)).toBeUndefined()
})
