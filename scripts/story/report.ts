/** What the demo shows at its end, gathered through the API, the sandbox and the engine. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Client } from '@temporalio/client'
import type { Story } from './client.ts'

interface Partner {
  id: string
  name: string
  level: string
  status: string
  tier: string
}

interface Accrual {
  id: string
  payment: string
  partner: string
  depth: number
  amount: number
  currency: string
}

interface Statement {
  id: string
  number: string
  partner: string
  period: string
  currency: string
  opening: number
  earned: number
  clawed_back: number
  adjustments: number
  closing: number
  held: number
  payable: number
  carried: number
}

export type Names = (partnerId: string) => string

export async function reportPartners(story: Story, key: string) {
  const partners = await story.all<Partner>('/v1/partners', key)
  const tenants = await story.all<{ id: string; partner: string }>('/v1/tenants', key)
  return partners.reverse().map(({ id, name, level, status, tier }) => ({
    id,
    name,
    level,
    status,
    tier,
    tenant: tenants.find((tenant) => tenant.partner === id)?.id ?? null,
  }))
}

export async function reportEarnings(story: Story, key: string, nameOf: Names) {
  const accruals = (await story.all<Accrual>('/v1/accruals', key)).reverse()
  const explained = await Promise.all(
    accruals.map(async (accrual) => {
      const why = await story.api<{ sentence: string; data: { platform: number } }>(
        `/v1/accruals/${accrual.id}/why`,
        { key },
      )
      return { accrual, why }
    }),
  )
  const platform = new Map(
    explained.map(({ accrual: { payment, currency }, why }) => [
      payment,
      { payment, amount: why.data.platform, currency },
    ]),
  )
  return {
    accruals: explained.map(({ accrual, why }) => ({
      id: accrual.id,
      payment: accrual.payment,
      partner: nameOf(accrual.partner),
      depth: accrual.depth,
      amount: accrual.amount,
      currency: accrual.currency,
      why: why.sentence,
    })),
    platform: [...platform.values()],
  }
}

export async function reportClawbacks(story: Story, key: string, nameOf: Names) {
  const clawbacks = await story.all<{
    partner: string
    amount: number
    currency: string
    cause: string
    source: string
  }>('/v1/clawbacks', key)
  return clawbacks.reverse().map(({ partner, amount, currency, cause, source }) => ({
    cause: `${cause} ${source}`,
    partner: nameOf(partner),
    amount,
    currency,
  }))
}

/** Statements with their documents, which stay in the directory after the demo has ended. */
export async function reportStatements(
  story: Story,
  key: string,
  { directory, nameOf }: { directory: string; nameOf: Names },
) {
  mkdirSync(directory, { recursive: true })
  const statements = (await story.all<Statement>('/v1/statements', key)).reverse()
  return Promise.all(
    statements.map(async ({ id, number, partner, ...figures }) => {
      const save = async (form: 'pdf' | 'csv' | 'json') => {
        const path = form === 'json' ? '' : `/${form}`
        const file = join(directory, `statement-${number}.${form}`)
        writeFileSync(file, await story.download(`/v1/statements/${id}${path}`, key))
        return file
      }
      await save('json')
      return {
        partner: nameOf(partner),
        period: figures.period,
        currency: figures.currency,
        opening: figures.opening,
        earned: figures.earned,
        clawed_back: figures.clawed_back,
        adjustments: figures.adjustments,
        closing: figures.closing,
        held: figures.held,
        payable: figures.payable,
        carried: figures.carried,
        pdf: await save('pdf'),
        csv: await save('csv'),
      }
    }),
  )
}

interface Transfer {
  id: string
  amount: number
  currency: string
  metadata: { partner: string; payout: string }
}

/**
 * Transfers as the payment provider has them, not as we believe to have sent them, in the order of
 * their payouts: several are under way at once, and any of them arrives first.
 */
export async function reportTransfers(story: Story, nameOf: Names) {
  const { data } = await story.sandbox<{ data: Transfer[] }>('/transfers')
  const byPayout = data.toSorted((one, other) =>
    one.metadata.payout.localeCompare(other.metadata.payout),
  )
  return byPayout.map(({ id, amount, currency, metadata }) => ({
    partner: nameOf(metadata.partner),
    amount,
    currency: currency.toUpperCase(),
    stripe_id: id,
  }))
}

export async function reportTierChanges(story: Story, key: string, nameOf: Names) {
  const changes = await story.all<{ partner: string; from: string; to: string; reason: string }>(
    '/v1/tiers/changes',
    key,
  )
  return changes.reverse().map(({ partner, from, to, reason }) => ({
    partner: nameOf(partner),
    from,
    to,
    reason,
  }))
}

export async function reportMails(story: Story): Promise<Record<string, number>> {
  const { data } = await story.sandbox<{ data: { kind: string | null }[] }>('/mails')
  const kinds = Map.groupBy(data, ({ kind }) => kind ?? 'other')
  return Object.fromEntries([...kinds].map(([kind, mails]) => [kind, mails.length]))
}

export async function reportWorkflows(temporal: Client) {
  const workflows = []
  for await (const { workflowId, runId } of temporal.workflow.list()) {
    const { type, status, historyLength } = await temporal.workflow
      .getHandle(workflowId, runId)
      .describe()
    workflows.push({
      id: workflowId,
      type,
      status: status.name.toLowerCase(),
      history_events: historyLength,
    })
  }
  return workflows.reverse()
}
