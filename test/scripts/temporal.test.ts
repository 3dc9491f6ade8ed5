import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Client } from '@temporalio/client'
import { freePort } from '../../scripts/launch/ports.ts'
import { isAlive } from '../../scripts/launch/process-identity.ts'
import { silentProgress } from '../../scripts/launch/progress.ts'
import { provideTemporal, type TemporalServer } from '../../scripts/launch/temporal.ts'
import { stopTemporal } from '../../scripts/launch/temporal-adopt.ts'
import { connectTemporal, registerNamespace } from '../../scripts/launch/temporal-connection.ts'
import { provideTestServer } from '../../scripts/launch/test-server.ts'
import { poll } from '../../scripts/launch/wait.ts'
import { startSkipping } from '../support/processes.ts'
import { type Checkout, machineCheckout, program } from './checkout.ts'

const run = promisify(execFile)
/** On a machine that has no server yet, the first start builds one. */
const firstStartMs = 20 * 60_000

let checkout: Checkout
beforeAll(() => {
  checkout = machineCheckout()
})
afterAll(async () => {
  await stopTemporal(checkout.env)
  checkout.remove()
})

async function provide(purpose: 'dev' | 'throwaway', namespaces: string[] = []) {
  const ports = { temporal: await freePort(), temporalUi: await freePort() }
  const { env } = checkout
  const searchAttributes = { PartnerId: 'Keyword' } as const
  const progress = silentProgress()
  return provideTemporal({ purpose, env, progress, ports, namespaces, searchAttributes })
}

/** A schedule that is triggered starts its workflow: what a namespace must be good for. */
async function firesSchedules(server: TemporalServer, namespace: string): Promise<boolean> {
  const connection = await connectTemporal(server.address)
  try {
    const client = new Client({ connection, namespace })
    const schedule = await client.schedule.create({
      scheduleId: 'probe',
      spec: { intervals: [{ every: '1h' }] },
      action: { type: 'startWorkflow', workflowType: 'anything', taskQueue: 'nowhere' },
    })
    await schedule.trigger()
    const started = await poll(
      async () => ((await schedule.describe()).info.numActionsTaken > 0 ? true : undefined),
      { everyMs: 50, timeoutMs: 90_000 },
    )
    return started ?? false
  } finally {
    await connection.close()
  }
}

describe('a throwaway server', () => {
  it(
    'starts with its namespaces, takes more at run time, and is gone after stop',
    async () => {
      const names = Array.from({ length: 20 }, (_, index) => `file-${index}`)
      const server = await provide('throwaway', names)
      try {
        expect(server.namespace).toBe('file-0')
        expect(['path', 'download', 'built']).toContain(server.how)
        expect(server.uiUrl && (await fetch(server.uiUrl)).ok).toBe(true)
        await registerNamespace(server.address, 'later')
        await registerNamespace(server.address, 'later')
        expect(await firesSchedules(server, 'file-19')).toBe(true)
        expect(await firesSchedules(server, 'later')).toBe(true)
      } finally {
        await server.stop()
      }
      expect(server.pid !== null && isAlive(server.pid)).toBe(false)
    },
    firstStartMs,
  )

  it('ends when its launcher is killed', async () => {
    const source = program(
      checkout,
      'launch.ts',
      `import { provideTemporal } from 'LAUNCH/temporal.ts'
       import { silentProgress } from 'LAUNCH/progress.ts'
       const env = JSON.parse(process.argv[2] ?? '')
       const ports = { temporal: Number(process.argv[3]), temporalUi: null }
       const progress = silentProgress()
       const { pid } = await provideTemporal({ purpose: 'throwaway', env, progress, ports })
       console.log(pid)
       process.kill(process.pid, 'SIGKILL')`,
    )
    const args = [source, JSON.stringify(checkout.env), String(await freePort())]
    const launched = await run(process.execPath, args).catch((error: { stdout: string }) => error)
    const pid = Number(launched.stdout)
    expect(pid).toBeGreaterThan(0)
    const gone = await poll(() => (isAlive(pid) ? undefined : true), {
      everyMs: 50,
      timeoutMs: 90_000,
    })
    expect(gone).toBe(true)
  })
})

describe('the development server', () => {
  it('is adopted while it runs, and keeps its state through kill -9', async () => {
    const first = await provide('dev')
    expect(first.namespace).toMatch(/^tributary-[0-9a-f]{10}$/)
    const connection = await connectTemporal(first.address)
    const client = new Client({ connection, namespace: first.namespace })
    const start = { workflowId: 'w', taskQueue: 'nowhere', searchAttributes: { PartnerId: ['p'] } }
    await client.workflow.start('anything', start)
    await connection.close()
    const same = await provide('dev')
    expect(same).toMatchObject({ adopted: true, pid: first.pid, address: first.address })
    process.kill(first.pid ?? 0, 'SIGKILL')
    const second = await provide('dev')
    expect(second).toMatchObject({ adopted: false, namespace: first.namespace })
    const again = await connectTemporal(second.address)
    const handle = new Client({ connection: again, namespace: second.namespace }).workflow
    expect((await handle.getHandle('w').describe()).status.name).toBe('RUNNING')
    await again.close()
    await second.stop()
    expect(second.pid !== null && isAlive(second.pid)).toBe(false)
  })

  it('by its address is used as it is, with the namespaces that are asked for', async () => {
    const server = await provide('throwaway')
    const env = { ...checkout.env, temporalAddress: server.address, temporalNamespace: 'named' }
    const ports = { temporal: 0, temporalUi: null }
    const options = { purpose: 'dev' as const, env, progress: silentProgress(), ports }
    const found = await provideTemporal(options)
    expect(found).toMatchObject({ how: 'address', namespace: 'named', pid: null, uiUrl: null })
    await found.stop()
    expect(server.pid !== null && isAlive(server.pid)).toBe(true)
    await server.stop()
  })
})

describe('the time-skipping test server', () => {
  it(
    'starts from its pinned jars and passes forty days in no time',
    async () => {
      const options = { env: checkout.env, progress: silentProgress() }
      const path = await provideTestServer(options)
      expect(await provideTestServer(options)).toBe(path)
      const environment = await startSkipping(path)
      try {
        const before = await environment.currentTimeMs()
        await environment.sleep('40 days')
        const days = ((await environment.currentTimeMs()) - before) / 86_400_000
        expect(Math.floor(days)).toBe(40)
      } finally {
        await environment.teardown()
      }
    },
    firstStartMs,
  )
})
