import { execFile } from 'node:child_process'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { NotReady } from './not-ready.ts'
import type { Account, DataPlace } from './postgres-data.ts'
import { ownedDirectory } from './postgres-data.ts'

const run = promisify(execFile)

export const superUser = 'tributary'

const hostRules = `# Only this machine, only over the loopback address.
host all         all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
`

/** Made beside its place and renamed: a cluster that was cut off never looks like one. */
export async function initialise(initdb: string, place: DataPlace): Promise<void> {
  const { directory, account } = place
  if (existsSync(join(directory, 'PG_VERSION'))) return
  const parent = dirname(directory)
  const draft = mkdtempSync(join(parent, `${basename(directory)}.new-`))
  ownedDirectory(draft, account)
  try {
    await run(initdb, initArguments(draft), { ...as(account), cwd: draft, env: plainEnvironment() })
    const rules = join(draft, 'pg_hba.conf')
    writeFileSync(rules, hostRules)
    appendFileSync(join(draft, 'postgresql.conf'), "\nlisten_addresses = '127.0.0.1'\n")
    chmodSync(draft, 0o700)
    if (account) chownSync(rules, account.uid, account.gid)
    rmSync(directory, { recursive: true, force: true })
    renameSync(draft, directory)
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    const { stderr } = error as { stderr?: string }
    throw new NotReady(`initdb failed: ${stderr?.trim() || String(error)}`)
  }
}

/** The built-in locale does not depend on what the machine has installed. */
function initArguments(directory: string): string[] {
  return [
    `--pgdata=${directory}`,
    `--username=${superUser}`,
    '--auth=trust',
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
    '--no-sync',
    '--no-instructions',
  ]
}

export interface ServerSettings {
  port: number
  /** A throwaway cluster need not survive a power cut; a killed process it survives anyway. */
  throwaway: boolean
  extra: Readonly<Record<string, string>>
}

export function serverArguments(directory: string, settings: ServerSettings): string[] {
  const durability: Record<string, string> = settings.throwaway
    ? { fsync: 'off', full_page_writes: 'off' }
    : {}
  const all: Record<string, string> = {
    port: String(settings.port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: '200',
    timezone: 'UTC',
    log_timezone: 'UTC',
    jit: 'off',
    log_checkpoints: 'off',
    ...durability,
    ...settings.extra,
  }
  const options = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  return ['-D', directory, ...options]
}

export function as(account: Account | undefined): { uid?: number; gid?: number } {
  return account ? { uid: account.uid, gid: account.gid } : {}
}

/** Variables such as PGDATA or LC_ALL of the caller must not reach the server. */
export function plainEnvironment(): Record<string, string> {
  return { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin', HOME: '/' }
}

export function urlOf(port: number, database = 'postgres'): string {
  return `postgres://${superUser}@127.0.0.1:${port}/${database}`
}

export interface Answer {
  version: string
  dataDirectory: string
}

/** A real query over TCP: a server that only listens is not ready yet. */
export async function askServer(port: number): Promise<Answer | undefined> {
  const client = new Client({ connectionString: urlOf(port), connectionTimeoutMillis: 2_000 })
  client.on('error', () => {})
  try {
    await client.connect()
    const { rows } = await client.query<{ version: string; directory: string }>(
      `select current_setting('server_version') as version,
              current_setting('data_directory') as directory`,
    )
    const [row] = rows
    return row && { version: row.version.split(' ')[0] ?? '', dataDirectory: row.directory }
  } catch {
    return undefined
  } finally {
    await client.end().catch(() => {})
  }
}
