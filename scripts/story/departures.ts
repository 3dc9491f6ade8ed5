/** New terms that every partner is asked to sign, and a tenant that leaves. */
import type { Client } from '@temporalio/client'
import { scheduleIds, type workflowTypes } from '../../domain/process-names.ts'
import { eventually, type Story } from './client.ts'
import { onboardPartner } from './partners.ts'

interface Envelope {
  id: string
  status: string
}

const ended = (temporal: Client, type: keyof typeof workflowTypes) =>
  eventually(`the end of ${type}`, async () => {
    const query = `WorkflowType = '${type}' AND ExecutionStatus = 'Completed'`
    for await (const found of temporal.workflow.list({ query })) return found
    return undefined
  })

const words = 'Other words for {company}.\n\n{commission}\n\nThat is all.'

/** Everyone who is asked signs. */
export async function acceptNewTerms(
  story: Story,
  { temporal, owner }: { temporal: Client; owner: string },
): Promise<void> {
  const terms = await story.api<{ id: string }>('/v1/agreement-terms', {
    method: 'POST',
    key: owner,
    body: { version: 'next', title: 'Partner agreement', body: words },
  })
  await story.api(`/v1/agreement-terms/${terms.id}/publish`, {
    method: 'POST',
    key: owner,
    body: { effective_from: new Date().toISOString(), reacceptance: {} },
  })
  await temporal.schedule.getHandle(scheduleIds.sweeper).trigger()
  const sent = await eventually('terms that wait for a signature', async () => {
    const { data } = await story.sandbox<{ data: Envelope[] }>('/envelopes')
    const open = data.filter(({ status }) => status === 'sent')
    return open.length > 0 ? open : undefined
  })
  for (const { id } of sent) await story.sandbox(`/envelopes/${id}/sign`, {})
  await ended(temporal, 'termsReacceptance')
}

/** A partner that nobody depends on comes in and leaves, up to the erasure of its data. */
export async function leaveWithData(
  story: Story,
  { temporal, owners }: { temporal: Client; owners: { first: string; second: string } },
): Promise<void> {
  await story.api('/v1/programme', {
    method: 'PATCH',
    key: owners.first,
    headers: { 'If-Match': '*' },
    body: { deadlines: { retrieval: 2, retrieval_reminders: [1] } },
  })
  const { partner } = await onboardPartner(
    story,
    { name: 'Leaving', level: 'reseller', type: 'franchise', email: 'leaving@leaving.example' },
    { approver: owners.first, reason: 'known', effectiveFrom: new Date().toISOString() },
  )
  const tenants = await story.all<{ id: string; partner: string }>('/v1/tenants', owners.first)
  const tenant = tenants.find((one) => one.partner === partner)?.id ?? ''
  const path = `/v1/tenants/${tenant}/offboarding`
  await story.api(path, {
    method: 'POST',
    key: owners.first,
    body: { reason: 'It asked for it', confirm: tenant },
  })
  await eventually('a second person is asked', async () => {
    const { stage } = await story.api<{ stage: string }>(path, { key: owners.first })
    return stage === 'confirmation' ? stage : undefined
  })
  await story.api(`${path}/confirm`, { method: 'POST', key: owners.second })
  await ended(temporal, 'tenantOffboarding')
}
