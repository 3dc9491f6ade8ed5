import type Stripe from 'stripe'

/**
 * An object as it travels and as it is kept: decimals are strings, and a reference is an id until
 * somebody asks to expand it. Derived from the vendor's own types, so a missing field fails the
 * type check.
 */
export type Stored<T> = T extends Stripe.Decimal
  ? string
  : T extends readonly (infer U)[]
    ? Stored<U>[]
    : T extends object
      ? { [K in keyof T]: string extends T[K] ? Exclude<T[K], object> : Stored<T[K]> }
      : T

export const apiVersion = '2026-10-28.endive'

export type Customer = Stored<Stripe.Customer>
export type DeletedCustomer = Stored<Stripe.DeletedCustomer>
export type Product = Stored<Stripe.Product>
export type Price = Stored<Stripe.Price>
export type Subscription = Stored<Stripe.Subscription>
export type SubscriptionItem = Stored<Stripe.SubscriptionItem>
export type Invoice = Stored<Stripe.Invoice>
export type InvoiceLine = Stored<Stripe.InvoiceLineItem>
export type InvoicePayment = Stored<Stripe.InvoicePayment>
export type PaymentIntent = Stored<Stripe.PaymentIntent>
export type Charge = Stored<Stripe.Charge>
export type Refund = Stored<Stripe.Refund>
export type Dispute = Stored<Stripe.Dispute>
export type Transfer = Stored<Stripe.Transfer>
export type BankPayout = Stored<Stripe.Payout>
export type BankAccount = Stored<Stripe.BankAccount>
export type TransferReversal = Stored<Stripe.TransferReversal>
export type BalanceTransaction = Stored<Stripe.BalanceTransaction>
export type CreditNote = Stored<Stripe.CreditNote>
export type Account = Stored<Stripe.V2.Core.Account>
export type LegacyAccount = Stored<Stripe.Account>

export type VerificationSession = Stored<Stripe.Identity.VerificationSession>
/** A session as it is kept: with where the browser goes back to, which is never shown. */
export type SessionRecord = VerificationSession & { return_url: string | null }
export type VerificationReport = Stored<Stripe.Identity.VerificationReport>

export type EventType = Stripe.Event['type']

export interface SnapshotEvent {
  id: string
  object: 'event'
  api_version: string
  created: number
  data: { object: object; previous_attributes?: object }
  livemode: false
  pending_webhooks: number
  request: { id: string | null; idempotency_key: string | null } | null
  type: EventType
  /** The connected account at which it happened. */
  account?: string
}

export type ThinEventType =
  | 'v2.core.account.created'
  | 'v2.core.account.updated'
  | 'v2.core.account.closed'
  | 'v2.core.account[identity].updated'
  | 'v2.core.account[requirements].updated'
  | 'v2.core.account[configuration.recipient].updated'
  | 'v2.core.account[configuration.recipient].capability_status_updated'
  | 'v2.core.account_link.returned'

export interface ThinEvent {
  id: string
  object: 'v2.core.event'
  type: ThinEventType
  created: string
  livemode: false
  context: string | null
  related_object: { id: string; type: string; url: string }
  reason: { type: 'request'; request: { id: string; idempotency_key: string } } | null
  data: object | null
}

/** The id is the token in the link's URL. */
export interface AccountLink {
  id: string
  account: string
  created: string
  expires: number
  refresh_url: string
  return_url: string | null
  opened: boolean
  /** What the opened page must send back, so that the link itself works only once. */
  session: string | null
}
