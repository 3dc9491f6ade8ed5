/** What a played scenario left in the books, in the words of its file. */

import { listAllAccruals, listAllLines } from '../db/commission/accruals.ts'
import { listClosingAccruals, listClosingClawbacks } from '../db/commission/closing.ts'
import { factsOf, getAccrualReasons } from '../db/commission/reasons.ts'
import { listAllClawbacks } from '../db/commission/reversals.ts'
import { findRule, type StoredRule } from '../db/commission/rules.ts'
import type { Trx } from '../db/database.ts'
import { checkInvariants } from '../db/invariants.ts'
import { listIssuedStatements } from '../db/settlement/statements.ts'
import { explainAccrual } from '../domain/commission-reasons.ts'
import { convert } from '../domain/currencies.ts'
import { sum, wireAmount } from '../domain/money.ts'
import type { ScenarioVendor } from './vendor.ts'
import type { World } from './world.ts'

export type SimulationResult = Awaited<ReturnType<typeof resultsOf>>

interface Played {
  world: World
  vendor: ScenarioVendor
}

export async function resultsOf(trx: Trx, { world, vendor }: Played) {
  const names = new Map([...world.partners].map(([name, id]) => [id, name]))
  const partner = (id: string) => names.get(id) ?? id
  const accruals = await accrualsOf(trx, { partner, vendor })
  // Ids are random within a moment: the file's own order makes one file give one answer.
  const places = new Map([...world.partners.values()].map((id, place) => [id, place]))
  const byPlace = (a: { partnerId: string }, b: { partnerId: string }) =>
    (places.get(a.partnerId) ?? 0) - (places.get(b.partnerId) ?? 0)
  const statements = (await listIssuedStatements(trx)).sort(
    (a, b) => a.period.localeCompare(b.period) || byPlace(a, b),
  )
  const { checked, violations } = await checkInvariants(trx)
  return {
    accruals,
    clawbacks: await clawbacksOf(trx, { partner, statements, currency: world.scenario.currency }),
    platform: platformOf(accruals, await listAllLines(trx), vendor),
    ...(await closingOf(trx, { partner, byPlace })),
    statements: statements.map((row) => ({
      period: row.period,
      partner: partner(row.partnerId),
      currency: row.currency,
      opening: wireAmount(row.openingMinor),
      earned: wireAmount(row.earnedMinor),
      clawed_back: wireAmount(row.clawedBackMinor),
      adjustments: wireAmount(row.adjustmentsMinor),
      closing: wireAmount(row.closingMinor),
      held: wireAmount(row.heldMinor),
      payable: wireAmount(row.payableMinor),
      carried: wireAmount(row.carriedMinor),
      payout: payoutOf(row),
    })),
    invariants: {
      checked,
      violations: violations.map(({ invariant, says, rows }) => ({
        invariant,
        says,
        rows: rows.length,
      })),
    },
  }
}

type StatementRow = Awaited<ReturnType<typeof listIssuedStatements>>[number]
type Name = (id: string) => string

function payoutOf({ payoutCurrency, payoutMinor, rate }: StatementRow) {
  if (payoutCurrency === null || payoutMinor === null) return null
  return { currency: payoutCurrency, amount: wireAmount(payoutMinor), rate }
}

/** Lines of an invoice that are shared together are reported with its last payment. */
function reportedPayment(vendor: ScenarioVendor, line: { payment: string; unit: string | null }) {
  if (line.unit === null) return line.payment
  const { payments } = vendor
  const invoice = payments.find(({ id }) => id === line.payment)?.invoice
  return payments.findLast((payment) => payment.invoice === invoice)?.id ?? line.payment
}

async function accrualsOf(
  trx: Trx,
  { partner, vendor }: { partner: Name; vendor: ScenarioVendor },
) {
  const rows = await listAllAccruals(trx)
  const rules = new Map<string, StoredRule>()
  const found = []
  for (const row of rows) {
    const rule = rules.get(row.ruleId) ?? (await findRule(trx, row.ruleId))
    rules.set(row.ruleId, rule)
    found.push({
      payment: reportedPayment(vendor, row),
      partner: partner(row.partnerId),
      depth: row.depth,
      amount: wireAmount(row.amountMinor),
      rule: rule.code,
      why: explainAccrual(factsOf(await getAccrualReasons(trx, row.id), rule)),
    })
  }
  return found
}

/** What the shares left of each payment, before anything went back. */
function platformOf(
  accruals: { payment: string; amount: number }[],
  lines: Awaited<ReturnType<typeof listAllLines>>,
  vendor: ScenarioVendor,
) {
  const bases = Map.groupBy(lines, (line) => reportedPayment(vendor, line))
  return [...bases].map(([payment, parts]) => {
    const shares = accruals.filter((accrual) => accrual.payment === payment)
    const given = sum(shares.map(({ amount }) => BigInt(amount)))
    return { payment, amount: wireAmount(sum(parts.map(({ baseMinor }) => baseMinor)) - given) }
  })
}

async function clawbacksOf(
  trx: Trx,
  {
    partner,
    statements,
    currency,
  }: { partner: Name; statements: StatementRow[]; currency: string },
) {
  const rows = [...(await listAllClawbacks(trx)), ...(await listClosingClawbacks(trx))]
  return rows
    .filter(({ amountMinor }) => amountMinor !== 0n)
    .map((row) => {
      const paid = statements.find(
        (statement) =>
          statement.partnerId === row.partnerId &&
          statement.period >= row.earnedIn &&
          statement.period < row.period &&
          statement.payableMinor > 0n &&
          statement.rate !== null,
      )
      return {
        cause: row.cause,
        of: row.payment,
        partner: partner(row.partnerId),
        amount: wireAmount(row.amountMinor),
        period: row.period,
        ...(paid ? { converted: convertedAt(paid, { amount: row.amountMinor, currency }) } : {}),
      }
    })
}

function convertedAt(
  { payoutCurrency, rate }: StatementRow,
  { amount, currency }: { amount: bigint; currency: string },
) {
  const to = payoutCurrency ?? currency
  return {
    currency: to,
    amount: wireAmount(convert(amount, rate ?? '1', { from: currency, to })),
    rate: rate ?? '1',
  }
}

async function closingOf(
  trx: Trx,
  {
    partner,
    byPlace,
  }: { partner: Name; byPlace: (a: { partnerId: string }, b: { partnerId: string }) => number },
) {
  const rows = (await listClosingAccruals(trx)).sort(
    (a, b) => a.period.localeCompare(b.period) || byPlace(a, b) || a.code.localeCompare(b.code),
  )
  const of = (kind: 'true_up' | 'bonus') =>
    rows
      .filter((row) => row.kind === kind)
      .map((row) => ({
        partner: partner(row.partnerId),
        rule: row.code,
        period: row.period,
        amount: wireAmount(row.amountMinor),
      }))
  return { true_ups: of('true_up'), bonuses: of('bonus') }
}
