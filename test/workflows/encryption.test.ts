/** What the engine keeps of processes says nothing without the keys, and obeys nothing plain. */
import { Client, ScheduleOverlapPolicy, WorkflowFailedError } from '@temporalio/client'
import { ApplicationFailure, type Payload, type PayloadCodec } from '@temporalio/common'
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { Worker } from '@temporalio/worker'
import { dataKeyStore } from '../../db/data-keys.ts'
import { taskQueue } from '../../domain/process-names.ts'
import { sealedPayloads } from '../../integrations/payload-codec.ts'
import { plainHistory } from '../../integrations/plain-history.ts'
import { createSealing } from '../../integrations/sealing.ts'
import { makeKek } from '../integrations/key-store.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { joinDevServer } from '../support/processes.ts'
import { suiteFacts } from '../support/suite.ts'
import { until } from '../support/until.ts'

const processes = 100
const keyEncryption = { keks: [makeKek('first')], reread: null }

let database: TestDatabase
let env: TestWorkflowEnvironment
let codec: PayloadCodec
let client: Client
let namespace: string

beforeAll(async () => {
  database = await createTestDatabase()
  env = await joinDevServer()
  namespace = env.namespace ?? 'default'
  codec = codecOf({ acceptPlaintext: false })
  client = clientWith(codec)
})
afterAll(async () => {
  await env.teardown()
  await database.drop()
})

function codecOf(options: { acceptPlaintext: boolean }): PayloadCodec {
  const store = dataKeyStore(database.db)
  const temporal = { namespace, ...options }
  return createSealing({ keyEncryption, store, temporal }).payloadCodec
}

function clientWith(some: PayloadCodec): Client {
  const { connection } = env.client
  return new Client({ connection, namespace, dataConverter: sealedPayloads(some) })
}

type Steps = Record<string, (input: never) => unknown>

async function withWorker<T>(activities: Steps, work: () => Promise<T>, with_ = codec): Promise<T> {
  const worker = await Worker.create({
    connection: env.nativeConnection,
    namespace,
    taskQueue,
    workflowBundle: { codePath: suiteFacts().bundle },
    dataConverter: sealedPayloads(with_),
    activities,
  })
  return worker.runUntil(work)
}

const start = (from: Client, workflowId: string, input: object) =>
  from.workflow.start('tierReview', { workflowId, taskQueue, args: [input] })

/** As anybody reads it who may read the engine, with the bytes of payloads as text too. */
async function rawHistory(workflowId: string): Promise<string> {
  const json = historyToJSON(await env.client.workflow.getHandle(workflowId).fetchHistory())
  const data = [...json.matchAll(/"data":\s*"([A-Za-z0-9+/=]+)"/g)]
  return [json, ...data.map(([, bytes = '']) => Buffer.from(bytes, 'base64').toString())].join('\n')
}

const marks = ['input', 'retry', 'detail', 'result', 'mail']
const markOf = (kind: string, i: number) => `planted-${kind}-${i}-${'marker'.repeat(2)}`
const idOf = (i: number) => `tiers:${i}`

/** Fails once, goes on, and is told at the end what cannot be told. */
function talkative(): Steps {
  const failed = new Set<string>()
  const number = (period: string) => Number(/\d+/.exec(period)?.[0])
  return {
    reviewTierPage: ({ period, after }: { period: string; after: string | null }) => {
      const i = number(period)
      if (!failed.has(period)) {
        failed.add(period)
        throw ApplicationFailure.create({
          message: markOf('retry', i),
          details: [{ why: markOf('detail', i) }],
        })
      }
      return after ? { promoted: 0, last: null } : { promoted: 1, last: markOf('result', i) }
    },
    mailTierChanges: ({ period }: { period: string }) => {
      throw ApplicationFailure.nonRetryable(markOf('mail', number(period)))
    },
  }
}

describe('histories', () => {
  it('hold none of 500 marks that were planted in inputs, results and failures', async () => {
    await withWorker(talkative(), async () => {
      const all = Array.from({ length: processes }, (_, i) => i)
      const handles = await Promise.all(
        all.map((i) => start(client, idOf(i), { period: markOf('input', i) })),
      )
      const results = await Promise.all(handles.map((handle) => handle.result()))
      expect(results).toEqual(handles.map(() => ({ promoted: 1 })))
    })
    let found = 0
    let planted = 0
    for (let i = 0; i < processes; i++) {
      const workflowId = idOf(i)
      const raw = await rawHistory(workflowId)
      expect(raw).toContain('Encoded failure')
      found += marks.filter((kind) => raw.includes(markOf(kind, i))).length
      expect(raw).not.toContain('planted')
      const history = await env.client.workflow.getHandle(workflowId).fetchHistory()
      const parsed = JSON.parse(historyToJSON(history))
      const plain = JSON.stringify(await plainHistory(parsed, { codec, namespace, workflowId }))
      const texts = [...plain.matchAll(/"data":"([^"]+)"/g)].map(([, bytes = '']) =>
        Buffer.from(bytes, 'base64').toString(),
      )
      planted += marks.filter((kind) => texts.some((text) => text.includes(markOf(kind, i)))).length
      if (i > 0) continue
      const workflowBundle = { codePath: suiteFacts().bundle }
      await Worker.runReplayHistory({ workflowBundle }, JSON.parse(plain), workflowId)
    }
    expect({ found, planted }).toEqual({ found: 0, planted: processes * marks.length })
  })

  it('tell why a process failed to those with the keys only', async () => {
    const why = 'the reason that Ada was refused'
    const failing = {
      reviewTierPage: () => {
        throw ApplicationFailure.nonRetryable(why, 'refused', { name: 'Ada' })
      },
    }
    const error = await withWorker(failing, async () => {
      const handle = await start(client, 'tiers:failing', { period: '2026-10' })
      return handle.result().catch((thrown) => thrown)
    })
    expect(error).toBeInstanceOf(WorkflowFailedError)
    expect(error.cause.cause).toMatchObject({
      message: why,
      type: 'refused',
      details: [{ name: 'Ada' }],
    })
    expect(await rawHistory('tiers:failing')).not.toContain('Ada')
  })
})

describe('a process', () => {
  const steps = () => {
    const ran: unknown[] = []
    const reviewTierPage = (input: unknown) => {
      ran.push(input)
      return { promoted: 0, last: null }
    }
    return { ran, reviewTierPage }
  }

  const refusals = async (workflowId: string) => {
    const { events } = await env.client.workflow.getHandle(workflowId).fetchHistory()
    return (events ?? []).filter((event) => event.workflowTaskFailedEventAttributes).length
  }

  /** Starts it with a payload that somebody made who has no key. */
  async function startWith(payload: Payload, workflowId: string): Promise<void> {
    const forging = clientWith({ encode: async () => [payload], decode: async (some) => some })
    await start(forging, workflowId, {})
  }

  async function inputOf(workflowId: string): Promise<Payload> {
    const { events } = await env.client.workflow.getHandle(workflowId).fetchHistory()
    const started = events?.[0]?.workflowExecutionStartedEventAttributes
    return started?.input?.payloads?.[0] as Payload
  }

  it('does nothing with an input that was sealed for another one, or is plain', async () => {
    const { ran, reviewTierPage } = steps()
    await withWorker({ reviewTierPage }, async () => {
      await (await start(client, 'tiers:first', { period: 'of the first' })).result()
      expect(ran).toHaveLength(1)
      await startWith(await inputOf('tiers:first'), 'tiers:stolen')
      await start(env.client, 'tiers:plain', { period: 'plain' })
      await until(async () => (await refusals('tiers:stolen')) > 0)
      await until(async () => (await refusals('tiers:plain')) > 0)
    })
    expect(ran).toHaveLength(1)
    const told = await rawHistory('tiers:stolen')
    expect(told).not.toContain('another place')
    for (const id of ['tiers:stolen', 'tiers:plain']) {
      await env.client.workflow.getHandle(id).terminate()
    }
  })

  it('that began plain goes on where plain payloads are accepted for a while', async () => {
    const { ran, reviewTierPage } = steps()
    await start(env.client, 'tiers:older', { period: 'older' })
    const accepting = codecOf({ acceptPlaintext: true })
    const result = await withWorker(
      { reviewTierPage },
      () => clientWith(accepting).workflow.getHandle('tiers:older').result(),
      accepting,
    )
    expect(result).toEqual({ promoted: 0 })
    expect(ran).toEqual([{ period: 'older', after: null }])
    expect((await rawHistory('tiers:older')).includes('promoted')).toBe(false)
  })

  it('of a schedule gets the result of the run before', async () => {
    const { ran, reviewTierPage } = steps()
    const schedule = await client.schedule.create({
      scheduleId: 'sealed-rounds',
      spec: {},
      action: {
        type: 'startWorkflow',
        workflowType: 'tierReview',
        workflowId: 'rounds',
        taskQueue,
        args: [{ period: 'scheduled' }],
      },
      policies: { overlap: ScheduleOverlapPolicy.BUFFER_ALL },
    })
    await withWorker({ reviewTierPage }, async () => {
      for (const rounds of [1, 2]) {
        await schedule.trigger()
        await until(() => ran.length === rounds)
        // Runs are named by the second in which they begin.
        await new Promise((resolve) => setTimeout(resolve, 1_100))
      }
    })
    await schedule.delete()
    expect(ran).toEqual([1, 2].map(() => ({ period: 'scheduled', after: null })))
  })
})
