import type { Queue } from '../deliveries.ts'
import type { Deps } from '../deps.ts'
import type { Polling } from '../docusign/polling.ts'
import type { Envelope } from '../docusign/wire.ts'
import { transfersStatus } from '../stripe/kyc.ts'
import type { Invoice } from '../stripe/wire.ts'

export interface Parts {
  deps: Deps
  queue: Queue
  polling: Polling
}

/** The lists of the control plane by name, oldest first. */
export const views: Record<string, (parts: Parts) => object[]> = {
  envelopes: ({ deps, polling }) =>
    deps.store.all('envelopes').map((envelope) => viewEnvelope(envelope, polling)),
  accounts: ({ deps }) =>
    deps.store.all('accounts').map((account) => ({
      ...account,
      metadata: account.metadata ?? {},
      transfers_status: transfersStatus(account),
    })),
  invoices: ({ deps }) => deps.store.all('invoices').map(viewInvoice),
  charges: ({ deps }) => {
    const invoices = new Map(
      deps.store.all('invoice_payments').map((one) => [one.payment.payment_intent, one.invoice]),
    )
    return deps.store
      .all('charges')
      .map((charge) => ({ ...charge, invoice: invoices.get(charge.payment_intent ?? '') ?? null }))
  },
  customers: ({ deps }) => deps.store.all('customers'),
  subscriptions: ({ deps }) => deps.store.all('subscriptions'),
  transfers: ({ deps }) => deps.store.all('transfers'),
  payouts: ({ deps }) =>
    deps.store.all('account_payouts').map(({ account, payout }) => ({ ...payout, account })),
  refunds: ({ deps }) => deps.store.all('refunds'),
  disputes: ({ deps }) => deps.store.all('disputes'),
  mails: ({ deps }) => deps.store.all('mails'),
  events: ({ deps }) => {
    const all = [...deps.store.all('events'), ...deps.store.all('thin_events')]
    return all.sort((a, b) => (momentOf(a.id) < momentOf(b.id) ? -1 : 1))
  },
  deliveries: ({ deps, queue }) =>
    deps.store.all('deliveries').map((delivery) => {
      const { attempts, last } = queue.attemptsOf(delivery.id)
      return { ...delivery, attempts: Math.max(attempts, delivery.attempts), last_outcome: last }
    }),
  faults: ({ deps }) => deps.store.all('faults'),
  verification_sessions: ({ deps }) =>
    deps.store.all('verification_sessions').map(({ client_secret: _, ...session }) => session),
  'listed-parties': ({ deps }) => deps.store.all('listed_parties'),
  balances: ({ deps }) => deps.store.all('balances'),
}

/** The ids of both kinds of events begin with the moment of their making. */
function momentOf(id: string): string {
  return id.replace(/^evt_(test_|1)/, '').slice(0, 9)
}

export function viewEnvelope(envelope: Envelope, polling: Polling): object {
  const reads = polling.readsOf(envelope.id)
  return {
    ...envelope,
    metadata: Object.fromEntries(envelope.customFields.map(({ name, value }) => [name, value])),
    reads_last_15_min: reads,
    polled_too_often: reads > 1,
  }
}

export function viewInvoice(invoice: Invoice): object {
  const metadata = invoice.parent?.subscription_details?.metadata ?? {}
  return { ...invoice, metadata: { ...metadata, ...invoice.metadata } }
}
