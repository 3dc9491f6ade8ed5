/** The month that is closed with and without disturbance, and what came of it. */
import { createHash } from 'node:crypto'
import { listPayees, makePayees } from '../../bench/settlement-payees.ts'
import { makeMonth, period } from '../../bench/settlement-world.ts'
import type { Db } from '../../db/database.ts'
import { outwardId } from '../../domain/ids.ts'
import { createStripe, type StripeSettings } from '../../integrations/stripe-client.ts'
import { stripeConnect } from '../../integrations/stripe-connect.ts'
import { stackSecrets } from '../stack/secrets.ts'
import type { ThrowawayStack } from '../stack/throwaway.ts'
import { eventually, type Story } from '../story/client.ts'
import type { Run } from '../story/settlement.ts'

/** One in so many has no payout account: its money waits. */
const withoutAccount = 50
const accountsAtOnce = 20
const patience = 600_000

/** Where a month is planted. */
export interface Ground {
  db: Db
  story: Story
  stripe: StripeSettings
}

/** The same sales and figures each time; only ids differ. @param ground.db one that seals */
export async function plantMonth(ground: Ground, partners: number): Promise<void> {
  const { db } = ground
  await makeMonth(db, { partners, lines: partners * 10 })
  await makePayees(db, await openAccounts(ground, await listPayees(db)))
}

/** What the processor says of the new accounts is of no use here, and would be much to hear. */
async function openAccounts({ story, stripe }: Ground, payees: { id: string }[]) {
  await story.sandbox('/faults', { vendor: 'stripe', kind: 'drop_webhook', rate: 1 })
  const connect = stripeConnect(createStripe(stripe))
  const accounts = new Map<string, string>()
  const wanted = payees.filter((_, no) => (no + 1) % withoutAccount !== 0).values()
  const lane = async () => {
    for (const { id } of wanted) {
      const partner = outwardId('partner', id)
      const owner = { name: partner, email: 'payee@partner.example', country: 'US' }
      const account = await connect.openPayoutAccount({ ...owner, metadata: { partner } }, partner)
      await story.sandbox(`/accounts/${account}/kyc`, { result: 'pass' })
      accounts.set(id, account)
    }
  }
  await Promise.all(Array.from({ length: accountsAtOnce }, lane))
  await story.disarm()
  return accounts
}

/** The processor as the product of a stack reaches it. */
export const stripeOf = ({ directory, urls }: ThrowawayStack): StripeSettings => ({
  secretKey: stackSecrets(directory).stripeSecretKey,
  apiBase: urls.sandbox,
})

/** Two persons close the month over the API. @returns the run */
export async function closeMonth(
  story: Story,
  owners: { first: string; second: string },
): Promise<string> {
  const runs = '/v1/settlement-runs'
  const body = { period, mode: 'live' }
  const { id } = await story.api<Run>(runs, { method: 'POST', key: owners.first, body })
  const reaches = (stage: string) =>
    eventually(
      `the run reaches ${stage}`,
      async () => {
        const run = await story.api<Run>(`${runs}/${id}`, { key: owners.first })
        return run.stage === stage ? run : undefined
      },
      patience,
    )
  const { totals_hash } = await reaches('review')
  const sign = (what: string, key: string) =>
    story.api(`${runs}/${id}/${what}`, { method: 'POST', key, body: { totals_hash } })
  await sign('review', owners.first)
  await sign('release', owners.second)
  await reaches('closed')
  return id
}

/** What one partner has of the month, without ids and moments. */
export interface PartnerMonth {
  statements: Record<string, unknown>[]
  transfers: { amount: number; currency: string; reversed: boolean }[]
}

interface Transfer {
  amount: number
  currency: string
  reversed: boolean
  metadata: { partner: string; payout: string }
}

/** By the partner's name. */
export async function monthOf(story: Story, key: string): Promise<Map<string, PartnerMonth>> {
  const partners = await story.all<{ id: string; name: string }>('/v1/partners?limit=100', key)
  const statements = await story.all<Statement>(`/v1/statements?period=${period}&limit=100`, key)
  const { data } = await story.sandbox<{ data: Transfer[] }>('/transfers')
  const own = Map.groupBy(statements, ({ partner }) => partner)
  const paid = Map.groupBy(data, ({ metadata }) => metadata.partner)
  return new Map(
    partners.map(({ id, name }) => [
      name,
      {
        statements: (own.get(id) ?? []).map(
          ({ id: _, partner: __, issued_at: ___, ...rest }) => rest,
        ),
        transfers: (paid.get(id) ?? []).map(({ amount, currency, reversed }) => ({
          ...{ amount, currency, reversed },
        })),
      },
    ]),
  )
}

interface Statement extends Record<string, unknown> {
  id: string
  partner: string
  issued_at: string
}

/** SHA-256 over what all partners have: equal only where all of it is. */
export function hashOf(month: Map<string, PartnerMonth>): string {
  const sorted = [...month].sort(([one], [other]) => (one < other ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex')
}

/** Partners that have not what they had without disturbance, or were not paid just once. */
export function differencesBetween(
  calm: Map<string, PartnerMonth>,
  disturbed: Map<string, PartnerMonth>,
): string[] {
  const unequal = [...calm].flatMap(([name, wanted]) => {
    const [one, other] = [wanted, disturbed.get(name)].map((month) => JSON.stringify(month))
    return one === other ? [] : [`${name}: ${other} instead of ${one}`]
  })
  const twice = [...disturbed].flatMap(([name, { transfers }]) =>
    transfers.length > 1 ? [`${name} was paid ${transfers.length} times`] : [],
  )
  return [...unequal, ...twice]
}
