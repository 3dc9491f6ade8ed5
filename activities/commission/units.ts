/** Lines of an invoice that earn together, once it is settled. */
import { listUnsharedUnits, lockCorrections } from '../../db/commission/payments.ts'
import { listNewestReversals } from '../../db/commission/reversals.ts'
import type { Trx } from '../../db/database.ts'
import { bookingPeriod, bookingPeriods } from '../../db/periods.ts'
import { sum } from '../../domain/money.ts'
import { accrueBases, type Base, placeOf } from './accruals.ts'
import { clawBackLines } from './clawbacks.ts'
import { readSaleTerms } from './terms.ts'

/** Shares the lines of invoices that are settled now as one base for each set of rules. */
export async function accrueUnits(trx: Trx, vendorInvoiceIds: string[]): Promise<void> {
  for (const id of [...vendorInvoiceIds].sort()) await lockCorrections(trx, id)
  const units = (await listUnsharedUnits(trx, vendorInvoiceIds)).flatMap((lines) => {
    const last = lines.at(-1)
    return last?.customerId ? [{ lines, last: { ...last, customerId: last.customerId } }] : []
  })
  const lasts = units.map(({ last }) => last)
  const terms = await readSaleTerms(trx, lasts)
  const periodAt = await bookingPeriods(
    trx,
    lasts.map(({ paidAt }) => paidAt),
  )
  await accrueBases(
    trx,
    units.flatMap(({ lines, last }, i) => {
      const own = terms[i]
      return own ? [{ base: unitOf(lines, placeOf(last), periodAt(last.paidAt)), terms: own }] : []
    }),
  )
  for (const { lines } of units) await clawBackEarlier(trx, lines)
}

type UnitLine = Awaited<ReturnType<typeof listUnsharedUnits>>[number][number]

/** All of an invoice's lines that one set of rules pays, each counted once in its parts. */
function unitOf(lines: UnitLine[], place: ReturnType<typeof placeOf>, period: string): Base {
  const total = sum(lines.map((line) => line.baseMinor))
  const quantities = new Map(lines.map((line) => [line.vendorLineId, line.quantity]))
  return {
    ...place,
    base: total,
    lineAmount: total,
    quantity: sum(quantities.values()),
    whole: true,
    period,
    earlier: [],
  }
}

/** Money that went back before the invoice was shared takes its part back now. */
async function clawBackEarlier(trx: Trx, lines: { id: string }[]): Promise<void> {
  const reversals = await listNewestReversals(
    trx,
    lines.map(({ id }) => id),
  )
  const newest = reversals[0]
  if (!newest) return
  const period = await bookingPeriod(trx, newest.happenedAt)
  await clawBackLines(trx, reversals, { period, effectiveAt: newest.happenedAt })
}
