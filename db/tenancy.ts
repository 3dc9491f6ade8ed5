/**
 * The only way to the database: every statement runs in a transaction that says, signed, for whom
 * it acts, and under the role of that level. Policies (guards.ts) make of it what is seen.
 */
import { createHmac } from 'node:crypto'
import type pg from 'pg'
import { type Db, kyselyOf, openPool, type Trx } from './database.ts'
import { isOldPlan, type PreparedNames, preparedNames } from './prepared.ts'
import { levelRoles, type ProcessRole } from './roles.ts'
import { type FieldVault, withVault } from './sealed-fields.ts'

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
  /**
   * Its statements are each about a few rows that an index finds, so that one plan is as good for
   * these values as for any others, and is made once in a connection instead of six times.
   */
  isOfFew?: boolean
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

interface Parts {
  contextSecret: string
  vault?: FieldVault | undefined
  names: PreparedNames
}

interface Transaction {
  state: 'none' | 'wanted' | 'open' | 'broken' | 'over'
  /** How it begins. */
  begin: string
}

type Send = () => Promise<pg.QueryResult>

/**
 * A client whose transactions begin with their context. A statement outside of a transaction gets
 * one of its own: without a transaction there is no context, and without a context no row. What
 * belongs together is sent together: the beginning goes out with the first statement.
 */
function contextClient(client: pg.PoolClient, context: TenantContext, parts: Parts) {
  const { contextSecret, vault, names } = parts
  const { processID, connection } = client as unknown as Connected
  const role = levelRoles[context.level]
  const transaction: Transaction = { state: 'none', begin: 'begin' }
  let corked = false
  let batch: { sends: Send[]; answers: Promise<pg.QueryResult[]> } | undefined

  /** What is asked for at once goes out at once: a write costs more than a small statement. */
  function withTheNext(): void {
    if (corked) return
    corked = true
    connection.stream.cork()
    process.nextTick(() => {
      corked = false
      connection.stream.uncork()
    })
  }

  const plain = (text: string) => {
    withTheNext()
    return client.query(text)
  }

  const send = (text: string, values: readonly unknown[]): Promise<pg.QueryResult> => {
    if (values.length === 0) return plain(text)
    withTheNext()
    const name = names.of(role, text)
    return client.query({ text, values: [...values], ...(name ? { name } : {}) })
  }

  /** Begins a transaction in this context, in one message with what has no values apart. */
  function beginning(begin: string, ...others: string[]): string {
    const token = client.escapeLiteral(signedClaims(context, processID, contextSecret))
    const generic = context.isOfFew
      ? `,\n      set_config('plan_cache_mode', 'force_generic_plan', true)`
      : ''
    const takeUp = `select set_config('role', '${role}', true),
      set_config('app.context', ${token}, true)${generic}`
    return [begin, 'set local search_path to default', takeUp, ...others].join('\n;\n')
  }

  /**
   * One after the other in the server, without waiting for answers: where one fails, its
   * transaction is over for all after it. @throws the first error, which is the one that tells.
   */
  async function together(...sends: Send[]): Promise<pg.QueryResult[]> {
    const answers = await Promise.allSettled(sends.map((one) => one()))
    const failed = answers.find((answer) => answer.status === 'rejected')
    if (failed) throw failed.reason
    return answers.map((answer) => (answer as PromiseFulfilledResult<pg.QueryResult>).value)
  }

  /** A connection that cannot even roll back is ended: nobody gets it with another's context. */
  async function rollBack(): Promise<void> {
    await plain('rollback').catch(() => (client as unknown as pg.Client).end())
  }

  /** In a transaction of their own, which is over with its message: no lock is held longer. */
  async function inOneMessage(sends: Send[]): Promise<pg.QueryResult[]> {
    try {
      const results = await together(
        () => plain(beginning('begin')),
        ...sends,
        () => plain('commit'),
      )
      return results.slice(1, -1)
    } catch (error) {
      await rollBack()
      throw error
    }
  }

  /** What comes without a transaction; all of a moment share one, and fail together. */
  async function alone(text: string, values: readonly unknown[]): Promise<pg.QueryResult> {
    const sends = batch?.sends ?? []
    const place = sends.push(() => send(text, values)) - 1
    // Reads that begin in the same turn come before this does.
    batch ??= {
      sends,
      answers: new Promise((resolve) => process.nextTick(resolve)).then(() => {
        batch = undefined
        return inOneMessage(sends)
      }),
    }
    return (await batch.answers)[place] as pg.QueryResult
  }

  async function aloneTwice(text: string, values: readonly unknown[]): Promise<pg.QueryResult> {
    try {
      return await alone(text, values)
    } catch (error) {
      if (!isOldPlan(error)) throw error
      names.forget()
      return alone(text, values)
    }
  }

  /** The first statement of a transaction; without its beginning there is none. */
  async function first(text: string, values: readonly unknown[]): Promise<pg.QueryResult> {
    let begun = false
    const begin = async () => {
      const answer = await plain(beginning(transaction.begin))
      begun = true
      return answer
    }
    transaction.state = 'open'
    try {
      return (await together(begin, () => send(text, values)))[1] as pg.QueryResult
    } catch (error) {
      if (!begun) transaction.state = 'broken'
      throw error
    }
  }

  async function statement(text: string, values: readonly unknown[]): Promise<pg.QueryResult> {
    switch (transaction.state) {
      case 'none':
        return aloneTwice(text, values)
      case 'wanted':
        return first(text, values)
      case 'open':
        return send(text, values)
      case 'broken':
        throw new Error('the transaction could not begin')
      // Of statements that were asked for at once one may fail: those after it change nothing.
      case 'over':
        throw new Error('the transaction is over')
    }
  }

  async function end(text: string): Promise<pg.QueryResult> {
    const { state } = transaction
    transaction.state = 'over'
    if (state === 'open') return plain(text)
    if (state === 'broken') await rollBack()
    const command = state === 'broken' ? 'ROLLBACK' : text.toUpperCase()
    return { command, rows: [], rowCount: null, oid: 0, fields: [] }
  }

  const run = withVault(statement, vault)

  return {
    client,
    run: async (text: string, values: readonly unknown[]): Promise<pg.QueryResult> => {
      if (/^(begin|start transaction)\b/.test(text)) {
        Object.assign(transaction, { state: 'wanted', begin: text })
        return { command: 'BEGIN', rows: [], rowCount: null, oid: 0, fields: [] }
      }
      if (text === 'commit' || text === 'rollback') return end(text)
      try {
        return await run(text, values)
      } catch (error) {
        if (isOldPlan(error)) names.forget()
        throw error
      }
    },
  }
}

/** What the driver has and its types do not name. */
interface Connected {
  processID: number
  connection: { stream: { cork(): void; uncork(): void } }
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
  const pool = openPool({ ...options, pipeline: true })
  const parts = { ...options, names: preparedNames() }
  const dbFor: Tenancy['dbFor'] = (context) =>
    kyselyOf(
      async () => {
        const now = typeof context === 'function' ? context() : context
        return contextClient(await pool.connect(), now, parts)
      },
      { pipeline: true },
    )
  return {
    dbFor,
    withTenant: (context, work) => dbFor(context).transaction().execute(work),
    close: () => pool.end(),
  }
}
