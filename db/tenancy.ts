/**
 * The only way to the database: every statement runs in a transaction that says, signed, for whom
 * it acts, and under the role of that level. Policies (guards.ts) make of it what is seen.
 */
import { createHmac } from 'node:crypto'
import type pg from 'pg'
import { type Db, kyselyOf, openPool, type Trx } from './database.ts'
import { levelRoles, type ProcessRole } from './roles.ts'
import { type FieldVault, type RunQuery, withVault } from './sealed-fields.ts'

/** `sign_in` looks up who is there, `intake` takes what comes without a key. */
export type ContextLevel = keyof typeof levelRoles

/** For whom a transaction acts. */
export interface TenantContext {
  level: ContextLevel
  /** The organisation; for an applicant its application. */
  partnerId: string | null
  customerId: string | null
  /** Where the request comes from, for what is allowed from there; it is kept nowhere. */
  address?: string | null
  /** Who does it, like `member:…`, `key:…` or `system:worker`. */
  actor: string
  onBehalfOf: string | null
  requestId: string | null
  /** What it is part of: a route or a step. */
  action: string
}

export interface Tenancy {
  /** A database that sees and changes only what the context may; each statement has its own. */
  dbFor(context: TenantContext | (() => TenantContext)): Db
  /** One unit of work in the context, whole or not at all. */
  withTenant<T>(context: TenantContext, work: (trx: Trx) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** A transaction that takes longer than this has lost its context; nothing waits that long. */
const contextLifeSeconds = 900

/** What separates claims, or would end a line of a log, is no part of one. */
const claim = (value: string | null) => (value ?? '').replaceAll(/[^\x20-\x7b\x7d-\x7e]/g, '?')

/** The claims of a context for one connection, with their signature. */
function signedClaims(context: TenantContext, processId: number, secret: string): string {
  // house: allow clock, because a context ends by the clock, whatever the books say.
  const now = Math.floor(Date.now() / 1000)
  const said = [
    context.level,
    claim(context.partnerId),
    claim(context.customerId),
    claim(context.address ?? null),
    claim(context.actor),
    claim(context.onBehalfOf),
    claim(context.requestId),
    claim(context.action),
    String(now + contextLifeSeconds),
    String(processId),
  ].join('|')
  return `${said}|${createHmac('sha256', secret).update(said).digest('hex')}`
}

/**
 * A client whose transactions begin with their context. A statement outside of a transaction gets
 * one of its own: without a transaction there is no context, and without a context no row.
 */
function contextClient(
  client: pg.PoolClient,
  context: TenantContext,
  { contextSecret, vault }: { contextSecret: string; vault?: FieldVault | undefined },
) {
  const plain = client.query.bind(client) as unknown as RunQuery
  const run = withVault(plain, vault)
  const { processID } = client as unknown as { processID: number }
  let open = false

  /** Statements in one message, the first of which begins a transaction in this context. */
  async function inOne(begins: string, ...others: string[]): Promise<pg.QueryResult[]> {
    const token = client.escapeLiteral(signedClaims(context, processID, contextSecret))
    const role = levelRoles[context.level]
    const takeUp = `select set_config('role', '${role}', true),
      set_config('app.context', ${token}, true)`
    const all = [begins, 'set local search_path to default', takeUp, ...others]
    try {
      return (await plain(all.join('\n;\n'), [])) as unknown as pg.QueryResult[]
    } catch (error) {
      open = false
      await rollBack()
      throw error
    }
  }

  async function begin(text: string): Promise<pg.QueryResult> {
    return (await inOne(text))[0] as pg.QueryResult
  }

  /** What carries no values apart is over with its message: its locks are held no longer. */
  const atOnce = withVault(async (text) => {
    const results = await inOne('begin', text, 'commit')
    return results.at(-2) as pg.QueryResult
  }, vault)

  /** A connection that cannot even roll back is ended: nobody gets it with another's context. */
  async function rollBack(): Promise<void> {
    await plain('rollback', []).catch(() => (client as unknown as pg.Client).end())
  }

  async function alone(text: string, values: readonly unknown[]): Promise<pg.QueryResult> {
    if (values.length === 0) return atOnce(text, values)
    await begin('begin')
    try {
      const result = await run(text, values)
      await plain('commit', [])
      return result
    } catch (error) {
      // The first error is the one that tells.
      await rollBack()
      throw error
    }
  }

  return {
    client,
    run: async (text: string, values: readonly unknown[]) => {
      if (/^(begin|start transaction)\b/.test(text)) {
        open = true
        return begin(text)
      }
      if (!open) return alone(text, values)
      if (text === 'commit' || text === 'rollback') open = false
      return run(text, values)
    },
  }
}

/**
 * Opens a pool for a process of the product.
 * @param options.role what the process may be; its rights begin with a context of a level.
 * @param options.contextSecret signs contexts; the database knows it (`storeContextKey`).
 */
export function openTenancy(options: {
  url: string
  poolSize: number
  applicationName: string
  role: ProcessRole
  contextSecret: string
  /** Seals and opens personal fields. */
  vault?: FieldVault | undefined
  onError: (error: Error) => void
}): Tenancy {
  const pool = openPool(options)
  const dbFor: Tenancy['dbFor'] = (context) =>
    kyselyOf(async () => {
      const now = typeof context === 'function' ? context() : context
      return contextClient(await pool.connect(), now, options)
    })
  return {
    dbFor,
    withTenant: (context, work) => dbFor(context).transaction().execute(work),
    close: () => pool.end(),
  }
}
