/** What a database has to know of the product's processes: the key of contexts, and their login. */
import { createHash, createHmac } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import { processRoles } from './roles.ts'

const blockLength = 64

/** The two blocks of HMAC-SHA256 for this secret, so that the database needs sha256 alone. */
function padsOf(secret: string): { inner: Buffer; outer: Buffer } {
  const bytes = Buffer.from(secret)
  const key = Buffer.alloc(blockLength)
  const short = bytes.length > blockLength ? createHash('sha256').update(bytes).digest() : bytes
  short.copy(key)
  const padded = (pad: number) => Buffer.from(key.map((byte) => byte ^ pad))
  return { inner: padded(0x36), outer: padded(0x5c) }
}

/**
 * Lets the database check contexts that this secret signs, beside those of the secret before:
 * while one follows another, processes of both run.
 */
export async function storeContextKey<T>(db: Kysely<T>, secret: string): Promise<void> {
  const { inner, outer } = padsOf(secret)
  const fingerprint = createHash('sha256').update(inner).update(outer).digest()
  await sql`
    insert into context_keys (fingerprint, inner_pad, outer_pad)
    values (${fingerprint}, ${inner}, ${outer})
    on conflict (fingerprint) do update set created_at = clock_timestamp()`.execute(db)
  await sql`
    delete from context_keys where fingerprint not in (
      select fingerprint from context_keys order by created_at desc limit 2)`.execute(db)
}

export interface ProcessLogin {
  name: string
  password: string
}

/** The login of a stack of our own, made of its secret, so that nothing more has to be kept. */
export function processLogin(secret: string): ProcessLogin {
  const name = `tributary_${createHash('sha256').update(secret).digest('hex').slice(0, 12)}`
  return { name, password: createHmac('sha256', secret).update('login').digest('hex') }
}

/** A login that owns nothing and may do nothing but become what a process is. */
export async function storeLogin<T>(db: Kysely<T>, login: ProcessLogin): Promise<void> {
  const name = sql.id(login.name)
  const { rows } = await sql`select from pg_roles where rolname = ${login.name}`.execute(db)
  if (rows.length === 0) await sql`create role ${name} login noinherit`.execute(db)
  await sql`alter role ${name} password ${sql.lit(login.password)}`.execute(db)
  for (const role of Object.values(processRoles)) {
    await sql`grant ${sql.id(role)} to ${name} with inherit false, set true`.execute(db)
  }
}

export async function removeLogin<T>(db: Kysely<T>, login: ProcessLogin): Promise<void> {
  await sql`drop role if exists ${sql.id(login.name)}`.execute(db)
}

/** The same database for another login. */
export function urlFor(databaseUrl: string, { name, password }: ProcessLogin): string {
  const url = new URL(databaseUrl)
  url.username = name
  url.password = password
  return url.href
}
