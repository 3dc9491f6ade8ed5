import { execFile, spawn } from 'node:child_process'
import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readJson, writeJson } from '../../scripts/launch/json-file.ts'
import { pathsOf } from '../../scripts/launch/paths.ts'
import { freePort } from '../../scripts/launch/ports.ts'
import { identityOf, isAlive, isSame } from '../../scripts/launch/process-identity.ts'
import { listProcesses, stopStale } from '../../scripts/launch/process-records.ts'
import { type ProcessSpec, startProcess, stopProcess } from '../../scripts/launch/processes.ts'
import { recordedProgress, silentProgress } from '../../scripts/launch/progress.ts'
import { supervise } from '../../scripts/launch/supervise.ts'
import { poll } from '../../scripts/launch/wait.ts'
import { type Checkout, makeCheckout, program } from './checkout.ts'

/** Serves until SIGTERM, and writes the order of endings; `stubborn` ignores SIGTERM. */
const server = `
import { appendFileSync } from 'node:fs'
import { createServer } from 'node:http'
const [name, port, how, ends] = process.argv.slice(2)
process.on('SIGTERM', () => {
  if (how === 'stubborn') return
  appendFileSync(ends, name + '\\n')
  process.exit(0)
})
createServer((_, response) => response.end('ok')).listen(Number(port), '127.0.0.1', () => {
  console.log(name + ' listens')
})`

let checkout: Checkout
let source: string
beforeEach(() => {
  checkout = makeCheckout()
  source = program(checkout, 'server.ts', server)
})
afterEach(async () => {
  await stopStale(checkout.env, silentProgress())
  checkout.remove()
})

async function spec(name: string, how = 'polite'): Promise<ProcessSpec> {
  const port = await freePort()
  const args = [name, String(port), how, join(checkout.root, 'ends')]
  return { name, command: source, args, port, ready: { line: /listens/ }, graceMs: 60_000 }
}

function endings(): string[] {
  return readFileSync(join(checkout.root, 'ends'), 'utf8').trim().split('\n')
}

async function until(condition: () => boolean): Promise<boolean> {
  const yes = await poll(() => (condition() ? true : undefined), { everyMs: 25, timeoutMs: 90_000 })
  return yes ?? false
}

describe('startProcess', () => {
  it('returns when the child is ready, logs its output and writes it down', async () => {
    const described = await spec('api')
    const url = `http://127.0.0.1:${described.port}/`
    const api = await startProcess({ ...described, ready: { url } }, checkout.env)
    expect((await fetch(url)).ok).toBe(true)
    expect(readFileSync(api.logFile, 'utf8')).toContain('api listens')
    const known = { name: 'api', pid: api.pid, port: api.port, state: 'running' }
    expect(listProcesses(checkout.env)).toEqual([known])
    await stopProcess(api, checkout.env)
    expect(isAlive(api.pid)).toBe(false)
    expect(listProcesses(checkout.env)).toEqual([])
    expect(endings()).toEqual(['api'])
  })

  it('does not take an earlier run’s ready line for this one’s, and rotates a large log', async () => {
    const log = join(pathsOf(checkout.env).logs, 'api.log')
    await stopProcess(await startProcess(await spec('api'), checkout.env), checkout.env)
    const failing = {
      ...(await spec('api')),
      command: '/bin/sh',
      args: ['-c', 'echo no >&2; exit 4'],
    }
    const attempt = startProcess(failing, checkout.env)
    await expect(attempt).rejects.toThrow(/api did not start: it ended with code 4[\s\S]*no/)
    truncateSync(log, 11 * 1024 * 1024)
    await stopProcess(await startProcess(await spec('api'), checkout.env), checkout.env)
    expect(existsSync(`${log}.1`)).toBe(true)
    expect(readFileSync(log, 'utf8')).toBe('api listens\n')
  })

  it('gives up on a child that is not ready in time, and ends it', async () => {
    const never = { ...(await spec('api')), ready: { line: /never/ }, readyTimeoutMs: 300 }
    await expect(startProcess(never, checkout.env)).rejects.toThrow('not ready within 0.3 s')
    expect(listProcesses(checkout.env)).toEqual([])
  })

  it('says so when the program is not there', async () => {
    const absent = { name: 'api', command: join(checkout.root, 'absent') }
    await expect(startProcess(absent, checkout.env)).rejects.toThrow('it cannot be run')
  })
})

describe('stopStale', () => {
  it('stops what an earlier supervisor left, and leaves a reused number alone', async () => {
    const left = await startProcess(await spec('worker'), checkout.env)
    const stranger = spawn('sleep', ['60'])
    const root = pathsOf(checkout.env).root
    const reused = {
      ...identityOf(stranger.pid ?? 0),
      startTime: '1',
      name: 'api',
      port: null,
      root,
    }
    const worker = { name: 'worker', pid: left.pid, startTime: left.startTime, port: null, root }
    writeJson(pathsOf(checkout.env).processes, [worker, reused])
    const progress = recordedProgress()
    await stopStale(checkout.env, progress)
    expect(isSame(left)).toBe(false)
    expect(isAlive(stranger.pid ?? 0)).toBe(true)
    expect(progress.lines).toEqual([`worker of an earlier run (process ${left.pid}): stopped`])
    expect(listProcesses(checkout.env)).toEqual([])
    stranger.kill('SIGKILL')
  })

  it('leaves the children of the checkout alone from which this directory was copied', async () => {
    const theirs = await startProcess(await spec('worker'), checkout.env)
    const copy = makeCheckout()
    const records: unknown = readJson(pathsOf(checkout.env).processes)
    writeJson(pathsOf(copy.env).processes, records)
    expect(listProcesses(copy.env)).toEqual([])
    expect(await stopStale(copy.env, silentProgress())).toEqual([])
    expect(isSame(theirs)).toBe(true)
    copy.remove()
  })

  it('starts afresh from a file that was cut off', async () => {
    writeJson(pathsOf(checkout.env).processes, [])
    writeFileSync(pathsOf(checkout.env).processes, '[{"name":')
    expect(await stopStale(checkout.env, silentProgress())).toEqual([])
  })
})

describe('supervise', () => {
  it('starts a dead child again, says why, and stops all in the given order', async () => {
    const progress = recordedProgress()
    const supervisor = supervise({ env: checkout.env, progress, restartDelayMs: 50 })
    const first = await supervisor.start(await spec('api'))
    await supervisor.start(await spec('worker'))
    process.kill(first.pid, 'SIGKILL')
    const state = () => supervisor.list().find(({ name }) => name === 'api')
    expect(await until(() => state()?.pid !== first.pid && state()?.state === 'running')).toBe(true)
    expect(progress.lines).toContain('api ended (SIGKILL): starting it again')
    expect(await until(() => progress.lines.includes('api runs again'))).toBe(true)
    await supervisor.stop(['worker', 'api'])
    expect(endings()).toEqual(['worker', 'api'])
    expect(supervisor.list().map(({ state }) => state)).toEqual(['stopped', 'stopped'])
    expect(listProcesses(checkout.env)).toEqual([])
  })

  it('kills at once when it is told to stop a second time', async () => {
    const options = { env: checkout.env, progress: silentProgress() }
    const supervisor = supervise(options)
    const stubborn = { ...(await spec('api', 'stubborn')), graceMs: 60_000 }
    const api = await supervisor.start(stubborn)
    const first = supervisor.stop()
    expect(isAlive(api.pid)).toBe(true)
    await Promise.all([first, supervisor.stop()])
    expect(isAlive(api.pid)).toBe(false)
  })

  it('leaves no child behind when it is killed', async () => {
    const parent = program(
      checkout,
      'supervisor.ts',
      `import { startProcess } from 'LAUNCH/processes.ts'
       const [env = '', spec = ''] = process.argv.slice(2)
       const ready = { line: /listens/ }
       const described = { ...JSON.parse(spec), ready, exitWithParent: true }
       const child = await startProcess(described, JSON.parse(env))
       console.log(child.pid)
       process.kill(process.pid, 'SIGKILL')`,
    )
    const { ready: _, ...described } = await spec('worker')
    const args = [parent, JSON.stringify(checkout.env), JSON.stringify(described)]
    const output = await new Promise<string>((resolve) => {
      execFile(process.execPath, args, (_error, stdout) => resolve(stdout))
    })
    const pid = Number(output)
    expect(pid).toBeGreaterThan(0)
    expect(await until(() => !isAlive(pid))).toBe(true)
    expect(endings()).toEqual(['worker'])
  })
})
