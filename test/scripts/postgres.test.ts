import { execFile } from 'node:child_process'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  statSync,
} from 'node:fs'
import { userInfo } from 'node:os'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import {
  createDatabase,
  databaseExists,
  databaseUrl,
  dropDatabase,
  isLoopback,
  renameDatabase,
  requireLoopback,
} from '../../scripts/launch/databases.ts'
import { freePort } from '../../scripts/launch/ports.ts'
import {
  type PostgresOptions,
  type PostgresServer,
  removePostgres,
  runningPostgres,
  startPostgres,
} from '../../scripts/launch/postgres.ts'
import { postmasterOf } from '../../scripts/launch/postgres-data.ts'
import { isAlive } from '../../scripts/launch/process-identity.ts'
import { recordedProgress, silentProgress } from '../../scripts/launch/progress.ts'
import { poll } from '../../scripts/launch/wait.ts'
import { type Checkout, makeCheckout, program } from './checkout.ts'

const run = promisify(execFile)

let checkout: Checkout
beforeAll(() => {
  checkout = makeCheckout()
})
afterAll(async () => {
  await removePostgres(checkout.env)
  checkout.remove()
})

async function start(options: Partial<PostgresOptions> = {}): Promise<PostgresServer> {
  const port = await freePort()
  const { env } = checkout
  return startPostgres({ purpose: 'dev', port, env, progress: silentProgress(), ...options })
}

async function ask<T>(url: string, sql: string): Promise<T> {
  const client = new Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<{ answer: T }>(sql)
  await client.end()
  const [row] = rows
  if (!row) throw new Error('no answer')
  return row.answer
}

async function setting(url: string, name: string): Promise<string> {
  return ask(url, `select current_setting('${name}') as answer`)
}

describe('the development server', () => {
  it('runs with its own settings, never as root, on the loopback address alone', async () => {
    const server = await start()
    expect(server.version).toMatch(/^18\./)
    expect(server.adopted).toBe(false)
    expect(await setting(server.url, 'listen_addresses')).toBe('127.0.0.1')
    expect(await setting(server.url, 'unix_socket_directories')).toBe('')
    expect(await setting(server.url, 'max_connections')).toBe('200')
    expect(await setting(server.url, 'TimeZone')).toBe('UTC')
    expect(await setting(server.url, 'fsync')).toBe('on')
    const provider = `select datlocprovider::text || ' ' || datlocale as answer from pg_database
                       where datname = 'template1'`
    expect(await ask(server.url, provider)).toBe('b C.UTF-8')
    const owner = statSync(server.dataDirectory)
    expect(owner.mode & 0o777).toBe(0o700)
    if (userInfo().uid === 0) expect(owner.uid).toBeGreaterThan(0)
    else expect(owner.uid).toBe(userInfo().uid)
    expect(readFileSync(`${checkout.root}/.data/pg.path`, 'utf8').trim()).toBe(server.dataDirectory)
  })

  it('is adopted while it runs, and keeps what was committed through kill -9', async () => {
    const first = await start()
    expect(first.adopted).toBe(true)
    expect(await runningPostgres(checkout.env)).toMatchObject({ pid: first.pid, port: first.port })
    await createDatabase(first.url, 'kept')
    process.kill(first.pid, 'SIGKILL')
    const second = await start()
    expect(second.adopted).toBe(false)
    expect(second.pid).not.toBe(first.pid)
    expect(await databaseExists(second.url, 'kept')).toBe(true)
    await second.stop()
    expect(isAlive(second.pid)).toBe(false)
    expect(await runningPostgres(checkout.env)).toBeUndefined()
  })

  it('is started once when two commands want it at the same moment', async () => {
    const both = await Promise.all([start(), start()])
    expect(both[0].pid).toBe(both[1].pid)
    expect(both.map(({ adopted }) => adopted).sort()).toEqual([false, true])
    await both[0].stop()
  })

  it('of another checkout is not used by a copy of its directory', async () => {
    const theirs = await start()
    const copy = makeCheckout()
    mkdirSync(`${copy.root}/.data`)
    copyFileSync(`${checkout.root}/.data/pg.path`, `${copy.root}/.data/pg.path`)
    expect(await runningPostgres(copy.env)).toBeUndefined()
    await removePostgres(copy.env)
    expect(isAlive(theirs.pid)).toBe(true)
    await theirs.stop()
    copy.remove()
  })

  it('names its log when it cannot start', async () => {
    const failing = start({ settings: { max_connections: 'many' } })
    await expect(failing).rejects.toThrow(/did not start: it ended with[\s\S]*max_connections/)
  })
})

describe('a throwaway server', () => {
  it('trades a power cut for speed and leaves nothing behind', async () => {
    const server = await start({ purpose: 'throwaway', settings: { work_mem: '8MB' } })
    expect(await setting(server.url, 'fsync')).toBe('off')
    expect(await setting(server.url, 'synchronous_commit')).toBe('on')
    expect(await setting(server.url, 'work_mem')).toBe('8MB')
    await server.remove()
    expect(existsSync(server.dataDirectory)).toBe(false)
    expect(existsSync(server.logFile)).toBe(false)
  })

  it('lies in memory where it is wanted and there is room, and leaves nothing there', async () => {
    const memory = '/dev/shm/tributary-'
    const { type = 0, bavail = 0, bsize = 0 } = existsSync('/dev/shm') ? statfsSync('/dev/shm') : {}
    const room = Math.min(bavail * bsize, process.availableMemory() / 2)
    const isRoomy = type === 0x01021994 && room > 3 * 1024 ** 3
    const server = await start({ purpose: 'throwaway', inMemory: true })
    if (isRoomy) expect(server.dataDirectory.startsWith(memory)).toBe(true)
    expect(await ask(server.url, 'select 1 as answer')).toBe(1)
    await server.remove()
    expect(existsSync(server.dataDirectory)).toBe(false)
    if (isRoomy) expect(existsSync(dirname(server.dataDirectory))).toBe(false)
  })

  it('ends and is removed when its launcher is killed', async () => {
    const source = program(
      checkout,
      'launch.ts',
      `import { startPostgres } from 'LAUNCH/postgres.ts'
       import { silentProgress } from 'LAUNCH/progress.ts'
       const env = JSON.parse(process.argv[2] ?? '')
       const port = Number(process.argv[3])
       const options = { purpose: 'throwaway', port, env, progress: silentProgress() }
       const server = await startPostgres(options)
       console.log(server.dataDirectory)
       process.kill(process.pid, 'SIGKILL')`,
    )
    const args = [source, JSON.stringify(checkout.env), String(await freePort())]
    const launched = await run(process.execPath, args).catch((error: { stdout: string }) => error)
    const directory = launched.stdout.trim()
    const gone = await poll(() => (existsSync(directory) ? undefined : true), {
      everyMs: 50,
      timeoutMs: 90_000,
    })
    expect(directory).not.toBe('')
    expect(gone).toBe(true)
    expect(postmasterOf(directory)).toBeUndefined()
  })
})

describe('the programs', () => {
  it('are copied once and made anew when a file is lost', async () => {
    // The shared copy of the super-user serves all checkouts: only a private one is damaged.
    const privateCopy = `${checkout.root}/cache/tributary/postgres`
    if (!existsSync(privateCopy)) return expect(userInfo().uid).toBe(0)
    const progress = recordedProgress()
    rmSync(`${privateCopy}/${(await run('ls', [privateCopy])).stdout.trim()}/bin/initdb`)
    const server = await start({ purpose: 'throwaway', progress })
    await server.remove()
    expect(progress.lines.join('\n')).toContain('PostgreSQL programs')
  })
})

describe('databases', () => {
  it('are created from a template, renamed under open connections, and dropped', async () => {
    const server = await start()
    const { url } = server
    await createDatabase(url, 'tributary_template')
    const filled = new Client({ connectionString: databaseUrl(url, 'tributary_template') })
    await filled.connect()
    await filled.query('create table t (n int)')
    await filled.end()
    await createDatabase(url, 'tributary_copy', { template: 'tributary_template' })
    const open = new Client({ connectionString: databaseUrl(url, 'tributary_copy') })
    open.on('error', () => {})
    await open.connect()
    await open.query('select n from t')
    await renameDatabase(url, { from: 'tributary_copy', to: 'tributary_new' })
    expect(await databaseExists(url, 'tributary_copy')).toBe(false)
    const again = new Client({ connectionString: databaseUrl(url, 'tributary_new') })
    again.on('error', () => {})
    await again.connect()
    await dropDatabase(url, 'tributary_new')
    await dropDatabase(url, 'tributary_new')
    expect(await databaseExists(url, 'tributary_new')).toBe(false)
    await expect(createDatabase(url, 'x"; drop table t')).rejects.toThrow('not a database name')
  })

  it.each([
    ['postgres://a@localhost:5432/x', true],
    ['postgres://a@127.8.0.1/x', true],
    ['postgres://a@[::1]:5432/x', true],
    ['postgres://a@localhost/x?host=/var/run/postgresql', true],
    ['postgres://a@db.example.com/x', false],
    ['postgres://a@localhost/x?host=db.example.com', false],
    ['postgres://a@127.0.0.1.example.com/x', false],
    ['postgres:///x', false],
  ])('of %s are on this machine: %s', (url, expected) => {
    expect(isLoopback(url)).toBe(expected)
  })

  it('on another machine need an explicit yes', () => {
    const url = 'postgres://a:secret@db.example.com/x'
    const purpose = 'create and drop databases'
    const refused = () => requireLoopback(url, { yes: false, purpose })
    expect(refused).toThrow(/db\.example\.com is not this machine: add --yes/)
    expect(refused).not.toThrow(/secret/)
    expect(() => requireLoopback(url, { yes: true, purpose })).not.toThrow()
  })
})
