/** What the payment processor would say of a scenario's objects when it is asked. */

import { outwardId } from '../domain/ids.ts'
import { sum } from '../domain/money.ts'
import type { PaidInvoice } from '../integrations/stripe-billing.ts'
import type { ScenarioEvent } from './scenario.ts'
import type { World } from './world.ts'

type Payment = Extract<ScenarioEvent, { type: 'payment' }>
type Back = Extract<ScenarioEvent, { type: 'refund' | 'credit_note' }>
type Dispute = Extract<ScenarioEvent, { type: `dispute_${string}` }>

const chargeOf = (paymentId: string) => `charge of ${paymentId}`

const isPayment = (event: ScenarioEvent): event is Payment => event.type === 'payment'
const isBack = (event: ScenarioEvent): event is Back =>
  event.type === 'refund' || event.type === 'credit_note'
const isDispute = (event: ScenarioEvent): event is Dispute => event.type.startsWith('dispute_')

/**
 * Answers like the processor: of each object what has become of it up to the event that is being
 * delivered. A payment is also known from the first event that is about it.
 */
export function scenarioVendor(world: World) {
  const { events, currency } = world.scenario
  const payments = events.filter(isPayment)
  const known = new Set<string>()
  const delivered: ScenarioEvent[] = []

  function paymentOf(id: string): Payment {
    const payment = payments.find((candidate) => candidate.id === id)
    if (!payment) throw new Error(`the scenario has no payment ${id}`)
    return payment
  }

  return {
    payments,

    deliver(event: ScenarioEvent): void {
      delivered.push(event)
      if (isPayment(event)) known.add(event.id)
      if (isBack(event) || isDispute(event)) known.add(event.of)
    },

    async readInvoice(invoiceId: string): Promise<PaidInvoice> {
      const all = payments.filter(({ invoice }) => invoice === invoiceId)
      const paid = all.filter(({ id }) => known.has(id))
      const [first] = all
      if (!first) throw new Error(`the scenario has no invoice ${invoiceId}`)
      const subscription = await world.subscription(first)
      const lines = Map.groupBy(all, ({ line }) => line)
      return {
        invoiceId,
        currency,
        total: sum([...lines.values()].map(lineAmountOf)),
        settled: paid.length === all.length,
        lines: [...lines.entries()].map(([line, parts]) => ({
          lineId: lineIdOf(invoiceId, line),
          product: parts[0]?.product ?? null,
          quantity: Number(parts[0]?.quantity ?? 1n),
          setupFee: parts[0]?.setupFee ?? false,
          net: lineAmountOf(parts),
          tax: 0n,
        })),
        payments: paid.map(({ id, line, amount, at }) => ({
          paymentId: id,
          chargeId: chargeOf(id),
          lineId: lineIdOf(invoiceId, line),
          amount,
          paidAt: at,
        })),
        subscriptionId: null,
        metadata: { subscription: outwardId('subscription', subscription) },
      }
    },

    async findInvoicesOfCharge(chargeId: string): Promise<string[]> {
      return payments.filter(({ id }) => chargeOf(id) === chargeId).map(({ invoice }) => invoice)
    },

    async readRefund(id: string) {
      const refund = events.find((event): event is Back => isBack(event) && event.id === id)
      if (!refund) throw new Error(`the scenario has no refund ${id}`)
      return {
        refundId: id,
        chargeId: chargeOf(refund.of),
        currency,
        amount: refund.amount,
        createdAt: refund.at,
        failed: delivered.some((event) => event.type === 'refund_failed' && event.of === id),
      }
    },

    async readCreditNote(id: string) {
      const note = events.find((event): event is Back => isBack(event) && event.id === id)
      if (!note) throw new Error(`the scenario has no credit note ${id}`)
      return {
        creditNoteId: id,
        invoiceId: paymentOf(note.of).invoice,
        paymentId: note.of,
        amount: note.amount,
        createdAt: note.at,
        voided: false,
      }
    },

    async readDispute(id: string) {
      const states = delivered.filter(
        (event): event is Dispute => isDispute(event) && event.id === id,
      )
      const opened = states.find(({ type }) => type === 'dispute_opened')
      const closed = states
        .filter(({ type }) => type !== 'dispute_opened')
        .reduce<Dispute | null>((last, next) => (last && last.at > next.at ? last : next), null)
      const latest = closed ?? opened
      if (!latest) throw new Error(`the scenario has no dispute ${id}`)
      return {
        disputeId: id,
        chargeId: chargeOf(paymentOf(latest.of).id),
        currency,
        amount: latest.amount,
        openedAt: (opened ?? latest).at,
        outcome: outcomes[latest.type],
      }
    },
  }
}

export type ScenarioVendor = ReturnType<typeof scenarioVendor>

const outcomes = {
  dispute_opened: 'open',
  dispute_lost: 'lost',
  dispute_won: 'won',
} as const

/** A line's id is its own only within its invoice. */
const lineIdOf = (invoice: string, line: string) => JSON.stringify([invoice, line])

/** What the whole line costs: as the file states it, else what is paid of it. */
function lineAmountOf(parts: Payment[]): bigint {
  const stated = parts.find(({ lineAmount }) => lineAmount !== null)?.lineAmount ?? null
  return stated ?? sum(parts.map(({ amount }) => amount))
}
