/** What Stripe does between a partner's balance there and its bank, and taking a transfer back. */
import type Stripe from 'stripe'
import { currencyCodes, fromStripeAmount } from '../domain/currencies.ts'
import type { BankPayoutStatus } from '../domain/payouts.ts'
import { codeOf } from '../domain/verification.ts'
import type { Metadata } from './stripe-billing.ts'
import { callStripe } from './stripe-client.ts'

/** A payout of a connected account, in minor units of the ledger. */
export interface BankPayout {
  vendorPayoutId: string
  currency: string
  amount: bigint
  status: BankPayoutStatus
  automatic: boolean
  failureCode: string | null
  /** Of one of ours: the id of its row, as it was sent. */
  ours: string | null
  createdAt: Date
}

export interface BankPayoutOrder {
  accountId: string
  amount: number
  currency: string
  metadata: Metadata
}

export type StripeBank = ReturnType<typeof stripeBank>

export function stripeBank(stripe: Stripe) {
  return {
    /** What Stripe says now, whatever the order in which events told of it. */
    async readBankPayout(accountId: string, payoutId: string): Promise<BankPayout> {
      const options = { stripeContext: accountId }
      return bankPayout(await callStripe(stripe.payouts.retrieve(payoutId, {}, options)))
    },

    /** The payments, and the payouts that came back, of which an automatic payout consists. */
    async listSources(accountId: string, payoutId: string): Promise<string[]> {
      const sources: string[] = []
      let after: string | undefined
      do {
        const page: Stripe.ApiList<Stripe.BalanceTransaction> = await callStripe(
          stripe.balanceTransactions.list(
            { payout: payoutId, limit: 100, ...(after ? { starting_after: after } : {}) },
            { stripeContext: accountId },
          ),
        )
        for (const { source } of page.data) {
          if (source) sources.push(typeof source === 'string' ? source : source.id)
        }
        after = page.has_more ? page.data.at(-1)?.id : undefined
      } while (after)
      return sources
    },

    /** Pays a partner's own balance to its bank: the same key gives the same payout. */
    async sendBankPayout(order: BankPayoutOrder, idempotencyKey: string): Promise<BankPayout> {
      const { accountId, ...body } = order
      const options = { stripeContext: accountId, idempotencyKey }
      return bankPayout(await callStripe(stripe.payouts.create(body, options)))
    },

    /** One of ours whose answer was lost. */
    async findBankPayout(accountId: string, ours: string): Promise<BankPayout | null> {
      const options = { stripeContext: accountId }
      const page = await callStripe(stripe.payouts.list({ limit: 100 }, options))
      return page.data.map(bankPayout).find((one) => one.ours === ours) ?? null
    },

    /** A mark of the bank account that is paid, which changes with it; null where there is none. */
    async readBankMark(accountId: string): Promise<string | null> {
      const listed = await callStripe(
        stripe.accounts.listExternalAccounts(accountId, { limit: 10 }),
      )
      const used = listed.data.find((one) => one.default_for_currency) ?? listed.data[0]
      return used?.fingerprint ?? used?.id ?? null
    },

    /**
     * Takes the whole of a transfer back; one that is taken back already is found.
     * @returns the id of the reversal.
     */
    async reverseTransfer(transferId: string, idempotencyKey: string): Promise<string> {
      const { amount, whole } = await reversalsOf(transferId)
      if (whole) return whole.id
      const made = await callStripe(
        stripe.transfers.createReversal(transferId, { amount }, { idempotencyKey }),
      )
      return made.id
    },

    /** The reversal that took the whole of a transfer back; null where none did. */
    async findReversal(transferId: string): Promise<string | null> {
      const { whole } = await reversalsOf(transferId)
      return whole?.id ?? null
    },
  }

  async function reversalsOf(transferId: string) {
    const { amount } = await callStripe(stripe.transfers.retrieve(transferId))
    const { data } = await callStripe(stripe.transfers.listReversals(transferId, { limit: 100 }))
    return { amount, whole: data.find((reversal) => reversal.amount === amount) }
  }
}

const statuses: Record<string, BankPayoutStatus> = {
  in_transit: 'in_transit',
  paid: 'paid',
  failed: 'failed',
  canceled: 'canceled',
}

function bankPayout(told: Stripe.Payout): BankPayout {
  const currency = told.currency.toUpperCase()
  return {
    vendorPayoutId: told.id,
    currency,
    amount: currencyCodes.includes(currency) ? fromStripeAmount(told.amount, currency) : 0n,
    // What we do not know of is under way.
    status: statuses[told.status] ?? 'pending',
    automatic: told.automatic,
    failureCode: told.failure_code === null ? null : codeOf(told.failure_code),
    ours: told.metadata?.bank_payout ?? null,
    createdAt: new Date(told.created * 1000),
  }
}
