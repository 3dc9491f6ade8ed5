/** Random scenarios in which all lines of an invoice earn as one base. */
import fc from 'fast-check'
import type { Fields } from './kit.ts'
import {
  amount,
  bps,
  deliveryOf,
  followUp,
  followUpOf,
  hour,
  months,
  optional,
  partnerArbitrary,
  partnersOf,
  rarely,
  type Told,
  told,
  wait,
} from './model-scenarios.ts'

const invoiceArbitrary = fc.record({
  partner: fc.nat(5),
  customer: fc.nat(1),
  lines: fc.array(amount, { minLength: 1, maxLength: 4 }),
  hour,
  delay: wait,
  followUps: fc.array(followUp, { maxLength: 2 }),
})

/** Invoices that earn as one base: plain percentages, and nothing goes back before all is paid. */
export const invoiceScenarioArbitrary: fc.Arbitrary<Fields> = fc
  .record({
    partners: fc.array(partnerArbitrary, { minLength: 2, maxLength: 5 }),
    rates: fc.array(bps(5_000), { minLength: 1, maxLength: 4 }),
    invoices: fc.array(invoiceArbitrary, { minLength: 1, maxLength: 5 }),
    closes: fc.integer({ min: 0, max: months.length }),
    holdDays: optional(fc.constantFrom(1, 14, 30)),
    pool: rarely(bps(2_000)),
  })
  .map((choice) => {
    const count = choice.partners.length
    const events = choice.invoices.flatMap((invoice, index) =>
      invoiceOf(invoice, `i${index}`, count),
    )
    return {
      currency: 'USD',
      programme: {
        allocation_unit: 'invoice',
        hold_days: choice.holdDays ?? 0,
        ...(choice.pool !== undefined && { override_pool_bps: choice.pool }),
      },
      partners: partnersOf(choice.partners.map((partner) => ({ ...partner, euro: undefined }))),
      rules: choice.rates.map((rate_bps, depth) => ({
        id: `rule${depth}`,
        depth,
        kind: 'percentage',
        rate_bps,
      })),
      events: deliveryOf(events, []),
      close: months.slice(0, choice.closes),
    }
  })

type InvoiceChoice = typeof invoiceArbitrary extends fc.Arbitrary<infer T> ? T : never

function invoiceOf(invoice: InvoiceChoice, name: string, partners: number): Told[] {
  const payments = invoice.lines.map((paid, index) =>
    told(
      {
        type: 'payment',
        id: `${name}p${index}`,
        invoice: name,
        line: `l${index}`,
        partner: `partner${invoice.partner % partners}`,
        customer: `customer${invoice.customer}`,
        amount: paid,
      },
      invoice.hour,
      invoice.delay,
    ),
  )
  const more = invoice.followUps.flatMap((choice, index) => {
    const payment = payments[choice.part % payments.length]
    const later = { ...choice, after: choice.after + 1, delay: choice.delay + invoice.delay }
    return payment ? followUpOf(later, payment, `${name}x${index}`) : []
  })
  return [...payments, ...more]
}
