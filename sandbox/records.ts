import type {
  ConnectMessage,
  Envelope,
  EnvelopeDocument,
  SigningLink,
  Template,
} from './docusign/wire.ts'
import type { Fault } from './fault-kinds.ts'
import type {
  Account,
  AccountLink,
  BalanceTransaction,
  BankAccount,
  BankPayout,
  Charge,
  CreditNote,
  Customer,
  DeletedCustomer,
  Dispute,
  Invoice,
  InvoicePayment,
  PaymentIntent,
  Price,
  Product,
  Refund,
  SessionRecord,
  SnapshotEvent,
  Subscription,
  ThinEvent,
  Transfer,
  TransferReversal,
  VerificationReport,
} from './stripe/wire.ts'
import type { ListedParty } from './watchman/wire.ts'

/** Everything the sandbox remembers, by collection. What is not here is lost at a restart. */
export interface Records {
  accounts: Account
  account_deadlines: AccountDeadline
  account_payouts: AccountPayout
  account_links: AccountLink
  balances: Balance
  bank_accounts: BankRecord
  balance_transactions: BalanceTransaction
  charges: Charge
  connect_messages: ConnectMessage
  credit_notes: CreditNote
  customers: Customer
  deleted_customers: DeletedCustomer
  deliveries: Delivery
  disputes: Dispute
  dns_records: DnsRecord
  documents: EnvelopeDocument
  edge_certificates: EdgeCertificate
  envelopes: Envelope
  events: SnapshotEvent
  faults: Fault
  idempotency: IdempotencyRecord
  invoice_payments: InvoicePayment
  invoices: Invoice
  listed_parties: ListedParty
  mails: Mail
  payment_intents: PaymentIntent
  prices: Price
  products: Product
  refunds: Refund
  settings: Setting
  signing_links: SigningLink
  subscriptions: Subscription
  templates: Template
  thin_events: ThinEvent
  timers: Timer
  tokens: Token
  transfer_reversals: TransferReversal
  transfers: Transfer
  verification_reports: VerificationReport
  verification_sessions: SessionRecord
}

export type Name = keyof Records

/** What the name server says of a name; `SERVFAIL` stands for servers that are in trouble. */
export interface DnsRecord {
  id: string
  name: string
  type: 'A' | 'CNAME' | 'TXT' | 'SERVFAIL'
  values: string[]
}

/** What the edge shows for a domain. */
export interface EdgeCertificate {
  id: string
  cert: string
  key: string
  not_after: string
}

/** `platform` or a connected account's id, then the currency. */
export interface Balance {
  id: string
  owner: string
  currency: string
  amount: number
}

/** Until when an account has to show what is asked, in seconds; only the v1 view tells it. */
export interface AccountDeadline {
  id: string
  at: number
}

/** A payout of a connected account, with the payments and the returned payouts in it. */
export interface AccountPayout {
  id: string
  account: string
  payout: BankPayout
  carries: { source: string; amount: number }[]
}

/** The bank of a connected account; the id is that account's. */
export interface BankRecord {
  id: string
  bank: BankAccount
}

export interface IdempotencyRecord {
  id: string
  endpoint: string
  fingerprint: string
  status: number
  body: string
  request: string
  stored_at: number
}

export interface Delivery {
  id: string
  vendor: 'stripe' | 'docusign'
  /** A configured Stripe endpoint's id, or the URL that the envelope asked for. */
  target: string
  message: string
  type: string
  state: 'pending' | 'delivered' | 'dropped' | 'given_up'
  since: number
  hold_ms: number
  attempts: number
}

export interface Mail {
  id: string
  to: string
  from: string
  kind: string | null
  subject: string
  text: string
  html: string | null
  at: string
  message_id: string | null
  copies: number
}

export interface StripeEndpoint {
  id: string
  url: string
  secret: string
  payload: 'snapshot' | 'thin'
  /** The types that it hears of; all of them where it names none. */
  enabled_events?: string[]
}

export interface Setting {
  id: 'clock' | 'stripe_endpoints' | 'docusign_consent' | 'autopilot'
  offset_ms?: number
  endpoints?: StripeEndpoint[]
  granted?: boolean
  /** What people do by themselves here: sign every envelope, pass or fail every check. */
  sign?: boolean
  kyc?: 'pass' | 'fail' | null
}

/** Work that the sandbox does by itself a moment later, on the real clock. */
export interface Timer {
  id: string
  due: number
  act: 'fail_refund'
  object: string
}

/** The id is the access token itself. */
export interface Token {
  id: string
  expires: number
}
