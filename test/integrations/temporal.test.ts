import type { Client } from '@temporalio/client'
import { TransportError } from '@temporalio/worker'
import { DomainError } from '../../domain/errors.ts'
import {
  connectionOptions,
  isTemporalAway,
  type ProcessToStart,
  processStarter,
  temporalClient,
} from '../../integrations/temporal.ts'
import { freePort } from '../../scripts/launch/ports.ts'
import { suiteFacts, takeNamespace } from '../support/suite.ts'

let client: Client
let processes: ReturnType<typeof processStarter>
beforeAll(() => {
  client = clientAt(suiteFacts().temporalAddress, takeNamespace())
  processes = processStarter(client)
})
afterAll(() => client.connection.close())

function clientAt(address: string, namespace: string): Client {
  return temporalClient({ address, namespace, apiKey: undefined, tls: false })
}

let made = 0

function order(): ProcessToStart {
  made += 1
  return { type: 'webhookInbox', workflowId: `test:${made}`, input: { vendor: 'stripe' } }
}

const handleOf = ({ workflowId }: ProcessToStart) => client.workflow.getHandle(workflowId)
const runOf = async (process: ProcessToStart) => (await handleOf(process).describe()).runId

async function signalsOf(process: ProcessToStart): Promise<string[]> {
  const { events } = await handleOf(process).fetchHistory()
  return (events ?? []).flatMap(
    (event) => event.workflowExecutionSignaledEventAttributes?.signalName ?? [],
  )
}

/** Whatever a call throws. */
async function errorOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await call
  } catch (error) {
    return error
  }
  throw new Error('expected the call to fail')
}

describe('startOnce', () => {
  test('starts a process with its input and says so', async () => {
    const process = order()
    expect(await processes.startOnce(process)).toBe(true)
    const described = await handleOf(process).describe()
    expect(described).toMatchObject({
      type: 'webhookInbox',
      taskQueue: 'tributary',
      status: { name: 'RUNNING' },
    })
    expect(await described.staticSummary()).toBe('Events of a vendor')
  })

  test('leaves a process alone that is running or has ended', async () => {
    const process = order()
    await processes.startOnce(process)
    const first = await runOf(process)
    expect(await processes.startOnce(process)).toBe(false)
    await handleOf(process).terminate()
    expect(await processes.startOnce(process)).toBe(false)
    expect(await runOf(process)).toBe(first)
  })

  test('called at the same time from many places starts one process', async () => {
    const process = order()
    const started = await Promise.all(
      Array.from({ length: 10 }, () => processes.startOnce(process)),
    )
    expect(started.filter(Boolean)).toHaveLength(1)
  })
})

describe('ensureRunning', () => {
  test('leaves a running process alone and starts one again that has failed', async () => {
    const process = order()
    await processes.ensureRunning(process)
    const first = await runOf(process)
    await processes.ensureRunning(process)
    expect(await runOf(process)).toBe(first)
    await handleOf(process).terminate()
    await processes.ensureRunning(process)
    expect(await runOf(process)).not.toBe(first)
    expect((await handleOf(process).describe()).status.name).toBe('RUNNING')
  })
})

describe('wake', () => {
  test('starts the process with the signal waiting for it', async () => {
    const process = order()
    await processes.wake({ ...process, signal: 'inboxWake' })
    expect((await handleOf(process).describe()).status.name).toBe('RUNNING')
    expect(await signalsOf(process)).toEqual(['inboxWake'])
  })

  test('signals the process that is running, and starts no second one', async () => {
    const process = order()
    await processes.startOnce(process)
    const first = await runOf(process)
    await processes.wake({ ...process, signal: 'inboxWake' })
    await processes.wake({ ...process, signal: 'balanceAvailable' })
    expect(await runOf(process)).toBe(first)
    expect(await signalsOf(process)).toEqual(['inboxWake', 'balanceAvailable'])
  })

  test('starts the process again after it has ended', async () => {
    const process = order()
    await processes.wake({ ...process, signal: 'inboxWake' })
    const first = await runOf(process)
    await handleOf(process).terminate()
    await processes.wake({ ...process, signal: 'inboxWake' })
    expect(await runOf(process)).not.toBe(first)
  })
})

describe('a server that is away', () => {
  test('is known by a refused connection, for every kind of call', async () => {
    const away = clientAt(`127.0.0.1:${await freePort()}`, 'default')
    const starter = processStarter(away)
    const patient = (call: () => Promise<unknown>) =>
      errorOf(away.connection.withDeadline(Date.now() + 700, call))
    const errors = await Promise.all([
      patient(() => starter.startOnce(order())),
      patient(() => starter.ensureRunning(order())),
      patient(() => starter.wake({ ...order(), signal: 'inboxWake' })),
      patient(() => away.workflow.getHandle('test:away').describe()),
    ])
    await away.connection.close()
    expect(errors.map(isTemporalAway)).toEqual([true, true, true, true])
  })

  test('is known through the errors that carry its error, and from the worker’s side', async () => {
    const answered = (code: number) =>
      Object.assign(new Error('no'), { code, details: '', metadata: {} })
    const [late, busy, unavailable] = [4, 8, 14]
    for (const code of [late, busy, unavailable]) {
      expect(isTemporalAway(answered(code))).toBe(true)
      expect(isTemporalAway(new Error('call failed', { cause: answered(code) }))).toBe(true)
    }
    const [invalid, missing, forbidden] = [3, 5, 7]
    for (const code of [invalid, missing, forbidden]) {
      expect(isTemporalAway(answered(code))).toBe(false)
    }
    expect(isTemporalAway(new TransportError('connection refused'))).toBe(true)
  })

  test('is not what is meant by another refusal', async () => {
    const missing = await errorOf(client.workflow.getHandle('test:missing').describe())
    const signal = await errorOf(client.workflow.getHandle('test:missing').signal('inboxWake'))
    const others = [missing, signal, new TypeError('a mistake'), new DomainError('gone', 'gone')]
    expect(others.map(isTemporalAway)).toEqual([false, false, false, false])
    for (const odd of [null, undefined, 'text', 14, {}]) expect(isTemporalAway(odd)).toBe(false)
  })
})

describe('the connection', () => {
  const plain = { address: 'temporal:7233', namespace: 'default', apiKey: undefined, tls: false }

  test('is encrypted where it is asked for, and always where a key is sent', () => {
    expect(connectionOptions(plain)).toEqual({ address: 'temporal:7233' })
    expect(connectionOptions({ ...plain, tls: true })).toEqual({
      address: 'temporal:7233',
      tls: true,
    })
    expect(connectionOptions({ ...plain, apiKey: 'key' })).toEqual({
      address: 'temporal:7233',
      apiKey: 'key',
      tls: true,
    })
  })

  test('is made when it is first used, so that a process starts without the server', async () => {
    const away = clientAt('127.0.0.1:1', 'default')
    expect(away.options.namespace).toBe('default')
    await away.connection.close()
  })
})
