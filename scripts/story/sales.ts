/** What a reseller sells: packages, customers, subscriptions, payments and a refund. */
import { eventually, type Story } from './client.ts'

export interface Sale {
  customer: string
  email: string
  package: string
  /** Price of the package in minor units. */
  amount: number
  /** When the customer pays, by the clock of the sandbox; null is now. */
  paidAt: string | null
  refund?: number
}

export interface CompletedSale extends Sale {
  subscriptionId: string
  customerId: string
}

interface SandboxObject {
  id: string
  status?: string
  metadata: Record<string, string>
}

interface Subscription {
  id: string
  customer: string
  status: string
}

/** Sells one package to one customer, and waits until the payment is booked. */
export async function sell(
  story: Story,
  sale: Sale,
  keys: { owner: string; seller: string },
): Promise<CompletedSale> {
  const featurePackage = await story.api<{ id: string }>('/v1/packages', {
    method: 'POST',
    key: keys.owner,
    body: { name: sale.package, amount: sale.amount, currency: 'USD', interval: 'month' },
  })
  const customer = await story.api<{ id: string }>('/v1/customers', {
    method: 'POST',
    key: keys.seller,
    body: { name: sale.customer, email: sale.email },
  })
  const ordered = await story.api<Subscription>('/v1/subscriptions', {
    method: 'POST',
    key: keys.seller,
    headers: { Prefer: 'wait=10' },
    body: { customer: customer.id, package: featurePackage.id },
  })
  await story.sandbox('/clock', { now: sale.paidAt })
  const invoice = await findBy(story, 'invoices', ordered.id)
  await story.sandbox(`/invoices/${invoice.id}/pay`, {})
  await eventually(`${sale.customer} is subscribed`, async () => {
    const { status } = await story.api<Subscription>(`/v1/subscriptions/${ordered.id}`, {
      key: keys.seller,
    })
    return status === 'active' ? status : undefined
  })
  return { ...sale, subscriptionId: ordered.id, customerId: customer.id }
}

/** Gives a part of the money back, and waits until commission was taken back for it. */
export async function refund(
  story: Story,
  sale: CompletedSale & { refund: number },
  sellerKey: string,
): Promise<void> {
  const before = await clawbacks(story, sellerKey)
  const { id } = await charge(story, sale.subscriptionId)
  await story.sandbox(`/charges/${id}/refund`, { amount: sale.refund })
  await eventually(`the clawback of ${sale.customer}`, async () =>
    (await clawbacks(story, sellerKey)) > before ? true : undefined,
  )
}

/** What the customer of a subscription has paid. */
export const charge = (story: Story, subscription: string) => findBy(story, 'charges', subscription)

async function clawbacks(story: Story, key: string): Promise<number> {
  return (await story.all('/v1/clawbacks', key)).length
}

async function findBy(story: Story, kind: 'invoices' | 'charges', subscription: string) {
  return eventually(`the sandbox has ${kind} of ${subscription}`, async () => {
    const { data } = await story.sandbox<{ data: SandboxObject[] }>(`/${kind}`)
    return data.find(({ metadata }) => metadata.subscription === subscription)
  })
}
