/** The database of a stack: where it is, that it is migrated, and how it goes away again. */

import { processLogin, removeLogin, storeContextKey, storeLogin } from '../../db/context-keys.ts'
import { type Database, openDatabase, serverVersion } from '../../db/database.ts'
import { migrate } from '../../db/migrations.ts'
import {
  createDatabase,
  databaseExists,
  databaseUrl,
  dropDatabase,
  requireLoopback,
} from '../launch/databases.ts'
import type { LauncherEnvironment } from '../launch/environment.ts'
import { heldPorts } from '../launch/held-ports.ts'
import { NotReady } from '../launch/not-ready.ts'
import { freePort } from '../launch/ports.ts'
import { type PostgresServer, startPostgres } from '../launch/postgres.ts'
import type { Progress } from '../launch/progress.ts'
import { type Keks, openVault, vaultsOf } from './vault.ts'

export interface StackDatabase {
  url: string
  version: string
  /** Our own server; null where DATABASE_URL names somebody else's. */
  server: PostgresServer | null
  /** Ends what was started here; a throwaway database is dropped. */
  stop(): Promise<void>
}

export interface DatabaseOptions {
  env: LauncherEnvironment
  progress: Progress
  port: number
  /** `kept` is a throwaway on the server of `dev`, whose data can become that of `dev`. */
  purpose: 'dev' | 'throwaway' | 'kept'
  /** Name of a throwaway database, like `tributary_demo_4711`. */
  name: string
  /** What the product's processes sign contexts with; their login is made of it. */
  contextSecret: string
  /** Seals what an earlier version has written in clear. */
  keks: Keks
  /** Allows a database host that is not this machine. */
  yes?: boolean
}

export const devDatabase = 'tributary'

export async function provideDatabase(options: DatabaseOptions): Promise<StackDatabase> {
  const { env } = options
  const provided = env.databaseUrl ? await foreign(options, env.databaseUrl) : await own(options)
  const step = options.progress.step('migrations', 'bring the database to the newest schema')
  const login = processLogin(options.contextSecret)
  const applied = await withDatabase(provided.url, async ({ db }) => {
    const names = await migrate(db, vaultsOf(options.keks))
    await storeContextKey(db, options.contextSecret)
    await storeLogin(db, login)
    return names
  })
  step.done(applied.length === 0 ? 'up to date' : `${applied.length} applied`)
  if (provided.server || options.purpose === 'dev') return provided
  const stop = async () => {
    await provided.stop()
    await withDatabase(env.databaseUrl ?? provided.url, ({ db }) => removeLogin(db, login))
  }
  return { ...provided, stop }
}

async function own(options: DatabaseOptions): Promise<StackDatabase> {
  const { env, progress, port, purpose, name } = options
  const cluster = purpose === 'throwaway' ? 'throwaway' : 'dev'
  const server = await startPostgres({ env, progress, port, purpose: cluster, name })
  const database = purpose === 'dev' ? devDatabase : name
  if (!(await databaseExists(server.url, database))) await createDatabase(server.url, database)
  const stop = async () => {
    if (purpose === 'throwaway') return server.remove()
    if (purpose === 'dev') return server.stop()
    await dropDatabase(server.url, name)
    return server.adopted ? undefined : server.stop()
  }
  return { url: databaseUrl(server.url, database), version: server.version, server, stop }
}

/** For development the database of the address itself; for anything else one of our own in it. */
async function foreign(options: DatabaseOptions, address: string): Promise<StackDatabase> {
  const { purpose, name, yes = false } = options
  const version = await withDatabase(address, ({ db }) => serverVersion(db))
  options.progress.note(`PostgreSQL ${version}: the one that DATABASE_URL names`)
  if (purpose === 'kept') {
    throw new Error('--keep works with our own PostgreSQL only: unset DATABASE_URL')
  }
  if (purpose === 'dev') return { url: address, version, server: null, stop: async () => {} }
  requireLoopback(address, { yes, purpose: `the throwaway database ${name}` })
  await createDatabase(address, name)
  return {
    url: databaseUrl(address, name),
    version,
    server: null,
    stop: () => dropDatabase(address, name),
  }
}

/**
 * The database of `npm run dev` for a command: the one of DATABASE_URL, else our own, whose
 * server is started when it is stopped and stopped again afterwards.
 * @throws NotReady when there is none yet.
 */
export async function openDevDatabase(env: LauncherEnvironment, progress: Progress) {
  if (env.databaseUrl) return { url: env.databaseUrl, stop: async () => {} }
  const port = (await heldPorts(env)).postgres ?? (await freePort())
  const server = await startPostgres({ env, progress, port, purpose: 'dev' })
  const stop = async () => {
    if (!server.adopted) await server.stop()
  }
  if (await databaseExists(server.url, devDatabase)) {
    return { url: databaseUrl(server.url, devDatabase), stop }
  }
  await stop()
  throw new NotReady('there is no development database yet: run `npm run dev` once')
}

/**
 * Opens a small pool for one piece of work.
 * @param keks for work that reads or writes personal fields.
 */
export async function withDatabase<T>(
  url: string,
  work: (database: Database) => Promise<T>,
  keks?: Keks,
): Promise<T> {
  const keys = keks && openVault(url, keks)
  const database = openDatabase({
    url,
    ...(keys ? { vault: keys.vault } : {}),
    poolSize: 2,
    applicationName: 'tributary-script',
    onError: () => {},
  })
  try {
    return await work(database)
  } finally {
    await database.close()
    await keys?.close()
  }
}

/**
 * Any database of a PostgreSQL 18, for work that leaves nothing behind: the one of DATABASE_URL,
 * else that of a server of our own that is removed afterwards.
 */
export async function scratchDatabase(env: LauncherEnvironment, progress: Progress) {
  if (env.databaseUrl) return { url: env.databaseUrl, stop: async () => {} }
  const server = await startPostgres({
    env,
    progress,
    port: await freePort(),
    purpose: 'throwaway',
    inMemory: true,
  })
  return { url: server.url, stop: () => server.remove() }
}
