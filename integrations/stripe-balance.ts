/** The movements of the platform's balance at Stripe, in our words. */
import type Stripe from 'stripe'
import { currencyCodes, fromStripeAmount, toStripeAmount } from '../domain/currencies.ts'
import { callStripe } from './stripe-client.ts'

/** One movement; amounts are minor units of the ledger, and `net` is `amount` less `fee`. */
export interface BalanceTransaction {
  transactionId: string
  type: string
  /** What it is about at Stripe: a charge, a refund, a dispute, a transfer. */
  sourceId: string | null
  currency: string
  amount: bigint
  fee: bigint
  net: bigint
  /** The charge behind it, and what of it is settled in the currency of the customer. */
  settles: { chargeId: string; currency: string; amount: bigint } | null
  /** The transfer that it is, or from which it comes back. */
  transfer?: ToldTransfer | null
  createdAt: Date
  availableAt: Date
}

export interface ToldTransfer {
  transferId: string
  /** The account that it went to; null of what comes back. */
  accountId: string | null
  /** The payout that it names, as that is named outside. */
  payout: string | null
}

export type StripeBalance = ReturnType<typeof stripeBalance>

export function stripeBalance(stripe: Stripe) {
  return {
    /**
     * One page of what moved the balance in the range, newest first. Currencies that the books do
     * not know cannot be ours and are left out.
     */
    async listBalanceTransactions(range: {
      from: Date
      /** Null for an open end. */
      until: Date | null
      after: string | null
    }): Promise<{ transactions: BalanceTransaction[]; next: string | null }> {
      const page = await callStripe(
        stripe.balanceTransactions.list({
          created: {
            gte: seconds(range.from),
            ...(range.until ? { lt: seconds(range.until) } : {}),
          },
          limit: 100,
          expand: ['data.source'],
          ...(range.after ? { starting_after: range.after } : {}),
        }),
      )
      const known = page.data.filter(({ currency }) => isKnown(currency))
      return {
        transactions: known.map(balanceTransaction),
        next: page.has_more ? (page.data.at(-1)?.id ?? null) : null,
      }
    },
  }
}

const seconds = (instant: Date) => Math.floor(instant.getTime() / 1000)
const isKnown = (currency: string) => currencyCodes.includes(currency.toUpperCase())

function balanceTransaction(told: Stripe.BalanceTransaction): BalanceTransaction {
  const currency = told.currency.toUpperCase()
  const amount = fromStripeAmount(told.amount, currency)
  const fee = wholeFee(told.fee, currency)
  const { source } = told
  return {
    transactionId: told.id,
    type: told.type,
    sourceId: typeof source === 'string' ? source : (source?.id ?? null),
    currency,
    amount,
    fee,
    net: amount - fee,
    settles: settledBy(told, amount),
    transfer: transferBehind(told.source),
    createdAt: new Date(told.created * 1000),
    availableAt: new Date(told.available_on * 1000),
  }
}

/**
 * A fee can be a fraction of a unit where Stripe counts finer than the currency (ISK, UGX). It is
 * rounded up, so that the books never hold more than Stripe does.
 */
function wholeFee(fee: number, currency: string): bigint {
  const whole = fromStripeAmount(fee, currency)
  return toStripeAmount(whole, currency) < fee ? whole + 1n : whole
}

/** What a movement says of a charge; amounts of sources have no sign, movements do. */
function settledBy({ source, currency }: Stripe.BalanceTransaction, amount: bigint) {
  if (source === null || typeof source === 'string') return null
  const chargeId = chargeBehind(source)
  if (!chargeId || !('amount' in source) || !('currency' in source)) return null
  if (typeof source.currency !== 'string' || !isKnown(source.currency)) return null
  const customers = source.currency.toUpperCase()
  if (source.currency === currency) return { chargeId, currency: customers, amount }
  const size = fromStripeAmount(source.amount, customers)
  return { chargeId, currency: customers, amount: amount < 0n ? -size : size }
}

function chargeBehind(source: Stripe.BalanceTransactionSource): string | null {
  if (source.object === 'charge') return source.id
  if (source.object !== 'refund' && source.object !== 'dispute') return null
  return typeof source.charge === 'string' ? source.charge : (source.charge?.id ?? null)
}

const idOf = (one: string | { id: string } | null) => (typeof one === 'string' ? one : one?.id)

/** A payout is named by the metadata of its transfer, or by the group that it belongs to. */
function transferBehind(source: Stripe.BalanceTransaction['source']): ToldTransfer | null {
  if (source === null || typeof source === 'string') return null
  if (source.object === 'transfer') {
    const { id, destination, metadata, transfer_group: group } = source
    const payout = metadata.payout ?? group?.replace(/^po_/, '') ?? null
    return { transferId: id, accountId: idOf(destination) ?? null, payout }
  }
  if (source.object !== 'transfer_reversal') return null
  const payout = source.metadata?.payout ?? null
  return { transferId: idOf(source.transfer) ?? '', accountId: null, payout }
}
