import { Client } from 'pg'
import { NotReady, reasonOf } from './not-ready.ts'

export interface CreateOptions {
  /** The database whose content the new one starts with; nobody may be connected to it. */
  template?: string
}

export async function createDatabase(
  adminUrl: string,
  name: string,
  options: CreateOptions = {},
): Promise<void> {
  const template = options.template ? ` template ${quoted(options.template)}` : ''
  await asAdmin(adminUrl, (client) => client.query(`create database ${quoted(name)}${template}`))
}

/** Ends the connections that are still open; an absent database is as good as dropped. */
export async function dropDatabase(adminUrl: string, name: string): Promise<void> {
  await asAdmin(adminUrl, (client) =>
    client.query(`drop database if exists ${quoted(name)} with (force)`),
  )
}

export interface Renaming {
  from: string
  to: string
}

export async function renameDatabase(adminUrl: string, { from, to }: Renaming): Promise<void> {
  await asAdmin(adminUrl, async (client) => {
    await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
        where datname = $1 and pid <> pg_backend_pid()`,
      [from],
    )
    await client.query(`alter database ${quoted(from)} rename to ${quoted(to)}`)
  })
}

export async function databaseExists(adminUrl: string, name: string): Promise<boolean> {
  const { rowCount } = await asAdmin(adminUrl, (client) =>
    client.query('select 1 from pg_database where datname = $1', [name]),
  )
  return (rowCount ?? 0) > 0
}

/** The same server and user, another database. */
export function databaseUrl(serverUrl: string, name: string): string {
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  return url.href
}

/** Whether the server is this machine; the `host` parameter outweighs the host of the URL. */
export function isLoopback(url: string): boolean {
  const parsed = new URL(url)
  const hosts = parsed.searchParams.getAll('host')
  const named = hosts.length > 0 ? hosts : [decodeURIComponent(parsed.hostname)]
  return named.every(isLoopbackHost)
}

function isLoopbackHost(host: string): boolean {
  if (host.startsWith('/')) return true
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase()
  return bare === 'localhost' || bare === '::1' || /^127(\.\d{1,3}){3}$/.test(bare)
}

export interface Consent {
  yes: boolean
  /** What would happen there, for example "create and drop databases". */
  purpose: string
}

/** A server on another machine may be somebody's real one: that takes an explicit yes. */
export function requireLoopback(url: string, { yes, purpose }: Consent): void {
  if (yes || isLoopback(url)) return
  throw new NotReady(
    `the database server ${new URL(url).host} is not this machine: ` +
      `add --yes to let this command ${purpose} there, or unset DATABASE_URL`,
  )
}

function quoted(name: string): string {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(name)) {
    throw new Error(`not a database name: ${JSON.stringify(name)}`)
  }
  return `"${name}"`
}

async function asAdmin<T>(adminUrl: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: adminUrl, connectionTimeoutMillis: 5_000 })
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (error) {
    throw new NotReady(
      `PostgreSQL at ${new URL(adminUrl).host} is not reachable: ${reasonOf(error)}`,
    )
  }
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/**
 * Ends sessions of others on a database, as a network or a server in trouble would.
 * @param share of them, between 0 and 1
 * @returns how many were ended
 */
export async function endSomeSessions(url: string, { share }: { share: number }): Promise<number> {
  return asAdmin(url, async (client) => {
    const { rowCount } = await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid() and random() < $1`,
      [share],
    )
    return rowCount ?? 0
  })
}
