import type { Name } from '../records.ts'
import type { Reader } from '../store.ts'
import { invalid } from './errors.ts'
import { legacyAccount } from './legacy-account.ts'
import { whole } from './lists.ts'

type Node = { [key: string]: unknown }

const references = new Set([
  'balance_transaction',
  'charge',
  'customer',
  'default_price',
  'destination',
  'failure_balance_transaction',
  'invoice',
  'latest_charge',
  'latest_invoice',
  'payment_intent',
  'price',
  'product',
  'source',
  'subscription',
  'transfer',
])

const collections: [string, Name][] = [
  ['cus_', 'customers'],
  ['prod_', 'products'],
  ['price_', 'prices'],
  ['sub_', 'subscriptions'],
  ['in_', 'invoices'],
  ['pi_', 'payment_intents'],
  ['ch_', 'charges'],
  ['re_', 'refunds'],
  ['du_', 'disputes'],
  ['tr_', 'transfers'],
  ['trr_', 'transfer_reversals'],
  ['txn_', 'balance_transactions'],
  ['cn_', 'credit_notes'],
]

/** Fields that Stripe leaves out unless somebody asks for them. */
const includable: Record<string, (reader: Reader, node: Node) => unknown> = {
  'invoice.payments': (reader, { id }) =>
    whole(
      `/v1/invoice_payments?invoice=${id}`,
      reader.all('invoice_payments').filter(({ invoice }) => invoice === id),
    ),
  'invoice.confirmation_secret': (reader, { id }) => {
    const payment = reader.all('invoice_payments').find((one) => one.invoice === id)
    const intent = reader.get('payment_intents', payment?.payment.payment_intent ?? '')
    const client_secret = intent?.client_secret
    return client_secret ? { client_secret, type: 'payment_intent' } : null
  },
  'charge.refunds': (reader, { id }) =>
    whole(
      `/v1/charges/${id}/refunds`,
      reader.all('refunds').filter(({ charge }) => charge === id),
    ),
  'customer.subscriptions': (reader, { id }) =>
    whole(
      `/v1/customers/${id}/subscriptions`,
      reader.all('subscriptions').filter(({ customer }) => customer === id),
    ),
}

/** Answers a copy of the object in which the asked references are whole objects. */
export function expand(reader: Reader, object: object, paths: string[]): object {
  let grown: unknown = object
  for (const path of paths) {
    const steps = path.split('.')
    if (steps.filter((step) => step !== 'data').length > 4) {
      throw invalid('You cannot expand more than 4 levels of a property.', { param: 'expand' })
    }
    grown = growAt(reader, grown, { path, steps })
  }
  return grown as object
}

interface Way {
  path: string
  steps: string[]
}

function growAt(reader: Reader, at: unknown, { path, steps }: Way): unknown {
  const [step, ...rest] = steps
  if (step === undefined || at === null) return at
  if (Array.isArray(at)) return at.map((entry) => growAt(reader, entry, { path, steps }))
  if (typeof at !== 'object') throw unexpandable(path)
  const node = at as Node
  const found = lookUp(reader, node, step)
  if (found === undefined) {
    // A field that is simply absent from this object (no charge yet) is left alone.
    if (references.has(step)) return at
    throw unexpandable(path)
  }
  if (typeof found !== 'object' && !references.has(step)) throw unexpandable(path)
  return { ...node, [step]: growAt(reader, found, { path, steps: rest }) }
}

function lookUp(reader: Reader, node: Node, step: string): unknown {
  const value = node[step]
  const make = includable[`${String(node.object)}.${step}`]
  if (make && value === undefined) return make(reader, node)
  return typeof value === 'string' && references.has(step) ? findObject(reader, value) : value
}

function findObject(reader: Reader, id: string): unknown {
  if (id.startsWith('acct_')) {
    const account = reader.get('accounts', id)
    if (!account) return id
    return legacyAccount(account, reader.get('account_deadlines', id)?.at ?? null)
  }
  const name = collections.find(([prefix]) => id.startsWith(prefix))?.[1]
  return (name && reader.get(name, id)) ?? id
}

function unexpandable(path: string) {
  return invalid(`This property cannot be expanded (${path}).`, { param: 'expand' })
}
