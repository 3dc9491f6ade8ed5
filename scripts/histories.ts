/** `npm run histories`: records what processes do today, for the replay test of tomorrow. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Client } from '@temporalio/client'
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js'
import { scheduleIds, taskQueue, workflowIds, workflowTypes } from '../domain/process-names.ts'
import { plainHistory } from '../integrations/plain-history.ts'
import { type CommandInput, runCommand } from './command.ts'
import { pathsOf } from './launch/paths.ts'
import { openStackClient, type StackClient } from './stack/sealing.ts'
import { startThrowaway } from './stack/throwaway.ts'
import { createStory, eventually, type Story } from './story/client.ts'
import { playDemo } from './story/demo.ts'
import { acceptNewTerms, leaveWithData } from './story/departures.ts'
import { passCourse } from './story/training.ts'

/** The sweeper runs by the minute; the story is shorter than that. */
async function sweepOnce(temporal: Client): Promise<void> {
  await temporal.schedule.getHandle(scheduleIds.sweeper).trigger()
  await eventually('a sweep', async () => {
    const query = `WorkflowType = '${workflowTypes.sweeper}' AND ExecutionStatus = 'Completed'`
    for await (const found of temporal.workflow.list({ query })) return found
    return undefined
  })
}

interface Shown {
  data: { id: string; transfers_status: string | null; closed?: boolean }[]
}

/** A partner of the story is asked for something again and answers; and a daily round. */
async function proveAgain(story: Story, temporal: Client): Promise<void> {
  const { data } = await story.sandbox<Shown>('/accounts')
  const account = data.find((one) => one.transfers_status === 'active' && !one.closed)
  if (!account) throw new Error('the story has a partner that is paid')
  await story.sandbox(`/accounts/${account.id}/requirements`, { status: 'past_due' })
  const started = `WorkflowType = '${workflowTypes.kycReverification}'`
  await eventually('a verification that is taken up', async () => {
    for await (const found of temporal.workflow.list({ query: started })) return found
    return undefined
  })
  await story.sandbox(`/accounts/${account.id}/kyc`, { result: 'pass' })
  await temporal.schedule.getHandle(scheduleIds.verificationUpkeep).trigger()
  for (const type of [workflowTypes.kycReverification, workflowTypes.verificationUpkeep]) {
    const query = `WorkflowType = '${type}' AND ExecutionStatus = 'Completed'`
    await eventually(`the end of ${type}`, async () => {
      for await (const found of temporal.workflow.list({ query })) return found
      return undefined
    })
  }
}

/** Nights are rarer still. */
async function rescreenOnce(temporal: Client): Promise<void> {
  await temporal.schedule.getHandle(scheduleIds.rescreening).trigger()
  await eventually('a nightly round', async () => {
    const query = `WorkflowType = '${workflowTypes.rescreening}' AND ExecutionStatus = 'Completed'`
    for await (const found of temporal.workflow.list({ query })) return found
    return undefined
  })
}

/** The comparison of a day. */
async function reconcileOnce(temporal: Client): Promise<void> {
  await temporal.schedule.getHandle(scheduleIds.reconciliation).trigger()
  await eventually('a comparison with Stripe', async () => {
    const type = workflowTypes.reconciliation
    const query = `WorkflowType = '${type}' AND ExecutionStatus = 'Completed'`
    for await (const found of temporal.workflow.list({ query })) return found
    return undefined
  })
}

interface ClaimedDomain {
  domain: string
  state: string
  records: { type: string; name: string; value: string }[]
}

/** A domain of the first tenant, proven as soon as it is claimed. */
async function connectDomain(story: Story, key: string): Promise<void> {
  const [tenant] = await story.all<{ id: string }>('/v1/tenants', key)
  const path = `/v1/tenants/${tenant?.id}/domain`
  const body = { domain: 'shop.histories.test' }
  const claimed = await story.api<ClaimedDomain>(path, { method: 'PUT', key, body })
  for (const { type, name, value } of claimed.records) {
    await story.sandbox('/dns', { type, name, value })
  }
  await story.sandbox('/certificates', { name: claimed.domain })
  await story.api(`${path}/check`, { method: 'POST', key })
  await eventually('the certificate of a domain', async () => {
    const { state } = await story.api<ClaimedDomain>(path, { key })
    return state === 'active' ? state : undefined
  })
}

/** A quarter in which nobody sold anything: a partner is warned, and its tier falls by hand. */
async function lowerTier(story: Story, { temporal, owner }: { temporal: Client; owner: string }) {
  const body = { deadlines: { tier_protection: 0 } }
  const headers = { 'If-Match': '*' }
  await story.api('/v1/programme', { method: 'PATCH', key: owner, headers, body })
  const period = '2099-09'
  await temporal.workflow.execute(workflowTypes.tierReview, {
    workflowId: workflowIds.tiers(period),
    taskQueue,
    args: [{ period }],
  })
  const warned = await story.all<{ partner: string }>('/v1/tiers/reviews?outcome=warned', owner)
  const [first] = warned
  if (!first) throw new Error('the story has a partner that reached a tier')
  const path = `/v1/partners/${first.partner}/tier-grace/apply`
  await story.api(path, { method: 'POST', key: owner, body: { reason: 'for the record' } })
}

async function record({ temporal, codec }: StackClient, directory: string): Promise<string[]> {
  mkdirSync(directory, { recursive: true })
  const written: string[] = []
  for await (const { workflowId, runId, type } of temporal.workflow.list()) {
    const number = written.filter((file) => file.startsWith(`${type}-`)).length + 1
    // Two histories of a kind suffice: the first partner and the second, and so on.
    if (number > 2) continue
    // What the story does not play keeps the history that it has.
    if (number === 1) removeOld(directory, type)
    const history = await temporal.workflow.getHandle(workflowId, runId).fetchHistory()
    const file = `${type}-${number}.json`
    // Stored plain: the keys of this stack are gone with it.
    const { namespace } = temporal.options
    const options = { codec, namespace, workflowId }
    const plain = await plainHistory(historyOf(history), options).catch((cause: unknown) => {
      throw new Error(`the history ${runId} of ${workflowId} does not open`, { cause })
    })
    writeFileSync(
      join(directory, file),
      `${JSON.stringify({ workflowId, ...plain }, withoutStack)}\n`,
    )
    written.push(file)
  }
  return written
}

function removeOld(directory: string, type: string): void {
  for (const file of readdirSync(directory)) {
    if (file.startsWith(`${type}-`)) rmSync(join(directory, file))
  }
}

type History = Parameters<typeof historyToJSON>[0]

/** Without the names of this machine: its host, its processes, its folders. */
function historyOf(history: History): object {
  const text = historyToJSON(history)
    .replace(/"\d+@[^"]*"/g, '"worker@host"')
    .replace(/"stackTrace":\s*"[^"]*"/g, '"stackTrace":""')
  return JSON.parse(text)
}

/** Stacks name folders of this machine; those of failures are inside of payloads. */
function withoutStack(name: string, value: unknown): unknown {
  if (name !== 'encodedAttributes') return value
  const payload = value as { data: string }
  const attributes = JSON.parse(Buffer.from(payload.data, 'base64').toString())
  const text = JSON.stringify({ ...attributes, stack_trace: '' })
  return { ...payload, data: Buffer.from(text).toString('base64') }
}

async function run({ env, progress, print }: CommandInput): Promise<number> {
  const stack = await startThrowaway({ env, progress, name: 'histories' })
  const client = openStackClient(stack)
  const { temporal } = client
  try {
    const story = createStory(stack.urls)
    const owner = stack.keys.super_admin ?? ''
    const owners = { first: owner, second: stack.keys.super_admin_2 ?? '' }
    const { memberKey } = await playDemo({
      story,
      temporal,
      owners,
      documents: join(stack.directory, 'documents'),
      stage: (_name, _why, work) => work(),
    })
    await passCourse(story, { owner, learner: memberKey })
    await connectDomain(story, owner)
    await sweepOnce(temporal)
    await proveAgain(story, temporal)
    await rescreenOnce(temporal)
    await reconcileOnce(temporal)
    await lowerTier(story, { temporal, owner })
    await acceptNewTerms(story, { temporal, owner })
    await leaveWithData(story, { temporal, owners })
    const files = await record(client, join(pathsOf(env).root, 'test', 'replay'))
    print({ files }, () => files.join('\n'))
    return 0
  } finally {
    await client.close()
    await stack.stop()
  }
}

await runCommand({
  name: 'histories',
  usage: 'npm run histories: records test/replay/*.json from the main story',
  run,
})
