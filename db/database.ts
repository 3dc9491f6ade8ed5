/** The connection to PostgreSQL, and the two types under which it travels. */
import { Kysely, PostgresDialect, type PostgresPool, sql, type Transaction } from 'kysely'
import pg from 'pg'
import { isOldPlan } from './prepared.ts'
import { executorOf } from './query-executor.ts'
import type { DB } from './schema.ts'
import { type FieldVault, type RunQuery, withVault } from './sealed-fields.ts'

/** Anything that can run a query: the pool or an open transaction. */
export type Db = Kysely<DB>

/** An open transaction; functions that lock or that write several rows demand it. */
export type Trx = Transaction<DB>

const int8 = 20
const types = new pg.TypeOverrides()
types.setTypeParser(int8, (text) => BigInt(text))

const settings: Record<string, string> = {
  timezone: 'UTC',
  idle_in_transaction_session_timeout: '60s',
  // Pages that are cached or on flash cost about the same in any order.
  random_page_cost: '1.1',
}

export interface Database {
  db: Db
  /** Waits for open queries and closes the pool. */
  close(): Promise<void>
}

/**
 * Opens the database as who logs in: for its owner, who migrates and keeps it. The product goes
 * through `openTenancy`.
 */
export function openDatabase(options: PoolOptions & { vault?: FieldVault }): Database {
  const pool = openPool(options)
  const db = kyselyOf(async () => {
    const client = await pool.connect()
    return { client, run: withVault(client.query.bind(client) as RunQuery, options.vault) }
  })
  return { db, close: () => pool.end() }
}

/**
 * Kysely on connections whose queries run as `run` says.
 * @param options.pipeline lets statements of a transaction go out while others are answered.
 */
export function kyselyOf(
  connect: () => Promise<{ client: pg.PoolClient; run: RunQuery }>,
  { pipeline = false }: { pipeline?: boolean } = {},
): Db {
  const pool = {
    async connect() {
      const { client, run } = await connect()
      const { processID } = client as unknown as { processID: number }
      return { processID, query: run, release: (error?: Error | boolean) => client.release(error) }
    },
    end: () => Promise.resolve(),
  } as unknown as PostgresPool
  const dialect = new PostgresDialect({ pool })
  const driver = dialect.createDriver()
  const executor = executorOf({ driver, dialect }, pipeline)
  return new Kysely<DB>({ config: { dialect }, driver, executor, dialect })
}

/**
 * A connection has read the catalog and made its plans; the next work after a pause must not pay
 * for that again.
 */
const idleTimeoutMillis = 300_000

export interface PoolOptions {
  url: string
  poolSize: number
  applicationName: string
  /** The role that is taken, where it is not the one that logs in. */
  role?: string
  /** Statements are sent without waiting for the answers to those before. */
  pipeline?: boolean
  onError: (error: Error) => void
}

/**
 * A pool that outlives its connections: a backend that dies must never take the process with it,
 * so the pool and each of its clients have an error handler, and the query in flight fails instead.
 */
export function openPool(options: PoolOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.poolSize,
    application_name: options.applicationName,
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis,
    types,
    pipeline: options.pipeline ?? false,
    options: Object.entries(settings)
      .concat(options.role ? [['role', options.role]] : [])
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
  })
  // The driver hangs the whole client on the error of a lost connection; no log needs it.
  const lost = (error: Error) => options.onError(Object.assign(error, { client: undefined }))
  pool.on('error', lost)
  pool.on('connect', (client) => client.on('error', lost))
  return pool
}

/** Shut down, starting, out of connections, or broken off on the way. */
const awayCodes =
  /^(57P0[123]|08...|53300|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENOTFOUND)$/
const awayWords = /^(Connection terminated|timeout exceeded when trying to connect|Client has enc)/

/**
 * Whether the database went away under a query, or could not be reached: what was asked may have
 * been done, where the answer to its commit was lost. One whose tables changed under a transaction
 * is away for that one.
 */
export function isDatabaseAway(error: unknown): boolean {
  const { code = '', message = '' } = (error ?? {}) as { code?: unknown; message?: unknown }
  return awayCodes.test(String(code)) || awayWords.test(String(message)) || isOldPlan(error)
}

/** Runs one unit of work whole or not at all; within a transaction it is part of that. */
export function inTransaction<T>(db: Db, work: (trx: Trx) => Promise<T>): Promise<T> {
  if (db.isTransaction) return work(db as Trx)
  return db.transaction().execute(work)
}

/**
 * Reads that are asked for at once go out in one message and fail together; within a transaction
 * they are part of that.
 */
export function readTogether<T>(db: Db, read: (one: Db) => Promise<T>): Promise<T> {
  return db.isTransaction ? read(db) : db.connection().execute(read)
}

/** Whoever holds a name until the transaction ends keeps others waiting for it. */
export async function lockName(trx: Trx, name: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(lock_key(${name}))`.execute(trx)
}

/** The database's clock: the only "now" of books and deadlines. */
export async function databaseNow(db: Db): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(db)
  const now = rows[0]?.now
  if (!now) throw new Error('the database did not tell the time')
  return now
}

/** Resolves when the database answers. */
export async function ping(db: Db): Promise<void> {
  await sql`select 1`.execute(db)
}

export async function serverVersion(db: Db): Promise<string> {
  const { rows } = await sql<{ serverVersion: string }>`show server_version`.execute(db)
  return rows[0]?.serverVersion.split(' ')[0] ?? 'unknown'
}
