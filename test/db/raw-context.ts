/** Contexts as a stranger to the code would make them: signed here, sent over a bare connection. */
import { createHmac } from 'node:crypto'
import pg from 'pg'
import { levelRoles, processRoles } from '../../db/roles.ts'
import type { ContextLevel } from '../../db/tenancy.ts'

export interface Claims {
  level: ContextLevel
  partnerId?: string | null
  customerId?: string | null
  actor?: string
  onBehalfOf?: string
  /** Seconds from now at which it ends. */
  expiresIn?: number
  processId: number
}

export function signed(claims: Claims, secret: string): string {
  const said = [
    claims.level,
    claims.partnerId ?? '',
    claims.customerId ?? '',
    '',
    claims.actor ?? 'key:test',
    claims.onBehalfOf ?? 'member:test',
    '',
    'test',
    String(Math.floor(Date.now() / 1000) + (claims.expiresIn ?? 60)),
    String(claims.processId),
  ].join('|')
  return `${said}|${createHmac('sha256', secret).update(said).digest('hex')}`
}

export interface RawConnection {
  client: pg.Client
  processId: number
  close(): Promise<void>
}

/** A connection like those of the API: its login, and the role that may become a level. */
export async function connectRaw(
  url: string,
  role: string | null = processRoles.api,
): Promise<RawConnection> {
  const client = new pg.Client({
    connectionString: url,
    ...(role === null ? {} : { options: `-c role=${role}` }),
  })
  client.on('error', () => {})
  await client.connect()
  const { processID } = client as unknown as { processID: number }
  return { client, processId: processID, close: () => client.end() }
}

/** Work in a transaction with this role and token, of which nothing remains. */
export async function inContext<T>(
  { client }: RawConnection,
  { level, token }: { level: ContextLevel; token: string },
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  await client.query('begin')
  try {
    await client.query('select set_config($1, $2, true), set_config($3, $4, true)', [
      ...['role', levelRoles[level]],
      ...['app.context', token],
    ])
    return await work(client)
  } finally {
    await client.query('rollback')
  }
}

export interface Outcome {
  /** The SQLSTATE of the refusal, or null. */
  code: string | null
  message: string
  rows: Record<string, unknown>[]
  count: number
}

/** What a statement did, tried on a savepoint so that the transaction goes on. */
export async function tried(client: pg.Client, statement: string): Promise<Outcome> {
  await client.query('savepoint tried')
  try {
    const { rows, rowCount } = await client.query(statement)
    return { code: null, message: '', rows: rows ?? [], count: rowCount ?? 0 }
  } catch (error) {
    const { code = '', message } = error as pg.DatabaseError
    return { code, message, rows: [], count: 0 }
  } finally {
    await client.query('rollback to savepoint tried')
  }
}
