/** Payout accounts and transfers at Stripe, in our words. */
import type Stripe from 'stripe'
import type { SendOutcome } from '../domain/payouts.ts'
import {
  type AccountFacts,
  codeOf,
  readingOf,
  type VerificationReading,
} from '../domain/verification.ts'
import type { Metadata } from './stripe-billing.ts'
import { callStripe } from './stripe-client.ts'
import { VendorError } from './vendor-error.ts'

export interface TransferOrder {
  amount: number
  currency: string
  destination: string
  transferGroup: string
  metadata: Metadata
}

export interface SentTransfer {
  transferId: string
  amount: number
  currency: string
  destination: string | null
  reversed: boolean
  /** What it made in the balance of the destination. */
  paymentId: string | null
  metadata: Metadata
}

export type StripeConnect = ReturnType<typeof stripeConnect>

export function stripeConnect(stripe: Stripe) {
  return {
    /** Opens an account that can receive transfers; the same key gives the same account. */
    async openPayoutAccount(
      owner: { name: string; email: string; country: string; metadata: Metadata },
      idempotencyKey: string,
    ): Promise<string> {
      const account = await callStripe(
        stripe.v2.core.accounts.create(
          {
            display_name: owner.name,
            contact_email: owner.email,
            dashboard: 'express',
            identity: { country: owner.country.toLowerCase(), entity_type: 'company' },
            configuration: {
              recipient: {
                capabilities: { stripe_balance: { stripe_transfers: { requested: true } } },
              },
            },
            defaults: {
              responsibilities: { fees_collector: 'application', losses_collector: 'application' },
            },
            metadata: owner.metadata,
            include: ['configuration.recipient', 'requirements'],
          },
          { idempotencyKey },
        ),
      )
      return account.id
    },

    /** A link of few minutes and one use, on which the partner proves who it is. */
    async issueVerificationLink(
      accountId: string,
      pages: { refreshUrl: string; returnUrl: string },
    ): Promise<{ url: string; expiresAt: Date }> {
      const link = await callStripe(
        stripe.v2.core.accountLinks.create({
          account: accountId,
          use_case: {
            type: 'account_onboarding',
            account_onboarding: {
              refresh_url: pages.refreshUrl,
              return_url: pages.returnUrl,
            },
          },
        }),
      )
      return { url: link.url, expiresAt: new Date(link.expires_at) }
    },

    /** What Stripe says now: the authority for paying a partner, whatever an event said. */
    async readVerification(accountId: string): Promise<VerificationReading> {
      const account = await callStripe(
        stripe.v2.core.accounts.retrieve(accountId, {
          include: ['configuration.recipient', 'requirements'],
        }),
      )
      return readingOf(factsOf(account))
    },

    /**
     * Until when Stripe waits for what it asks for; null where it names no day. Only the older
     * view of an account tells the moment.
     */
    async readRequirementDeadline(accountId: string): Promise<Date | null> {
      const { requirements } = await callStripe(stripe.accounts.retrieve(accountId))
      const seconds = requirements?.current_deadline
      return seconds ? new Date(seconds * 1_000) : null
    },

    /** Closes an account that nobody will be paid in; closing it again changes nothing. */
    async closeAccount(accountId: string, idempotencyKey: string): Promise<void> {
      const account = await callStripe(stripe.v2.core.accounts.retrieve(accountId))
      if (account.closed) return
      await callStripe(
        stripe.v2.core.accounts.close(
          accountId,
          { applied_configurations: account.applied_configurations as ['recipient'] },
          { idempotencyKey },
        ),
      )
    },

    /** Sends money once: the key and the body were stored before this call. */
    async sendTransfer(order: TransferOrder, idempotencyKey: string): Promise<SendOutcome> {
      const { transferGroup, ...body } = order
      try {
        const transfer = await callStripe(
          stripe.transfers.create({ ...body, transfer_group: transferGroup }, { idempotencyKey }),
        )
        const { transferId, paymentId } = sentTransfer(transfer)
        return { kind: 'succeeded', transferId, paymentId }
      } catch (error) {
        if (error instanceof VendorError) return outcomeOf(error)
        throw error
      }
    },

    /** Looks for a transfer whose answer was lost; one that was taken back as a whole is none. */
    async findTransfers(order: { transferGroup: string; destination: string }) {
      const found = await callStripe(
        stripe.transfers.list({
          transfer_group: order.transferGroup,
          destination: order.destination,
          limit: 100,
        }),
      )
      return found.data.filter(({ reversed }) => !reversed).map(sentTransfer)
    },

    async readTransfer(transferId: string): Promise<SentTransfer> {
      return sentTransfer(await callStripe(stripe.transfers.retrieve(transferId)))
    },
  }
}

/**
 * A refusal for lack of balance burns its key like any other, because Stripe repeats the stored
 * answer; what was throttled or got no answer may be sent again with the same key. A key that
 * stands for another body, and a kept failure, say nothing of the money: only a look-up does. A
 * key of ours that is not let in is no fault of this transfer.
 */
export function outcomeOf(error: VendorError): SendOutcome {
  const { code: reason, failure, status, retryAfterSeconds } = error
  if (reason === 'balance_insufficient') return { kind: 'insufficient_balance' }
  if (reason === 'idempotency_error') return { kind: 'doubtful', reason }
  if (failure === 'throttled') return { kind: 'throttled', retryAfterSeconds }
  if (failure === 'unknown') return { kind: error.replayed ? 'doubtful' : 'unknown', reason }
  if (status === 401 || status === 403) return { kind: 'unknown', reason }
  return { kind: 'rejected', reason }
}

function sentTransfer(transfer: Stripe.Transfer): SentTransfer {
  const { destination, destination_payment: payment } = transfer
  return {
    transferId: transfer.id,
    amount: transfer.amount,
    currency: transfer.currency,
    destination: typeof destination === 'string' ? destination : (destination?.id ?? null),
    reversed: transfer.reversed || transfer.amount_reversed > 0,
    paymentId: typeof payment === 'string' ? payment : (payment?.id ?? null),
    metadata: transfer.metadata,
  }
}

/** What Stripe shows of an account, in codes; what it says in words stays there. */
function factsOf(account: Stripe.V2.Core.Account): AccountFacts {
  const capability =
    account.configuration?.recipient?.capabilities?.stripe_balance?.stripe_transfers
  const reason = capability?.status_details?.[0]?.code
  return {
    capability: capability?.status ?? null,
    reason: reason === undefined ? null : codeOf(reason),
    requirements: (account.requirements?.entries ?? []).map((entry) => ({
      code: codeOf(entry.description),
      awaits: entry.awaiting_action_from,
      deadline: entry.minimum_deadline.status,
      errors: (entry.errors ?? []).map(({ code }) => codeOf(code)),
    })),
  }
}
