/** Seals the names and addresses that earlier versions have written in clear, once. */
import { type Kysely, sql } from 'kysely'
import {
  mailboxOf,
  mailboxPurpose,
  type PersonalTable,
  type PersonalTableName,
  personalTables,
} from './personal-fields.ts'
import { type ColumnType, unnested } from './rows.ts'
import type { FieldVault } from './sealed-fields.ts'

const batch = 500

/** Tables that are older than the sealing; younger ones were never written in clear. */
const onceClear: readonly PersonalTableName[] = [
  'accessMails',
  'applications',
  'customers',
  'invitations',
  'memberInvitations',
  'members',
  'notices',
  'partners',
  'people',
]

/** Tables that find a row by its address. */
const indexed = new Set(['member_invitations', 'members', 'people'])

type ClearRow = { id: string; organisation: string | null } & Record<string, string>

const snake = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

/** Makes a vault whose data keys are made in the transaction of `db`. */
export type VaultOf = (db: Kysely<unknown>) => FieldVault

/**
 * Part of migrating, between the migration that adds the sealed columns and the one that drops the
 * clear ones.
 * @throws Error where there are rows and no vault.
 */
export async function sealClearFields(db: Kysely<unknown>, vaultOf?: VaultOf): Promise<void> {
  let vault: FieldVault | undefined
  for (const name of onceClear) {
    const table: PersonalTable = personalTables[name]
    for (;;) {
      const rows = await findClearRows(db, table)
      if (rows.length === 0) break
      vault ??= vaultOf?.(db)
      if (!vault) throw new Error('there are names to seal: set KEKS or KEKS_FILE, and migrate')
      await sealRows(db, table, { rows, vault })
    }
  }
}

async function findClearRows(db: Kysely<unknown>, of: PersonalTable): Promise<ClearRow[]> {
  const owner = of.organisation === null ? sql`null::uuid` : sql.ref(of.organisation)
  const clear = Object.keys(of.columns).map((field) => sql.ref(snake(field)))
  const isClear = Object.values(of.columns).map((column) => sql`${sql.ref(column)} is null`)
  const { rows } = await sql<ClearRow>`
    select id, ${owner} as organisation, ${sql.join(clear)} from ${sql.table(of.table)}
    where ${sql.join(isClear, sql` and `)} order by id limit ${batch}`.execute(db)
  return rows
}

async function sealRows(
  db: Kysely<unknown>,
  { table, columns }: PersonalTable,
  { rows, vault }: { rows: ClearRow[]; vault: FieldVault },
): Promise<void> {
  const given: Record<string, string | Buffer>[] = rows.map(({ id }) => ({ id }))
  const types: Record<string, ColumnType> = { id: 'uuid' }
  const add = (column: string, values: Buffer[]) => {
    types[column] = 'bytea'
    for (const [i, value] of values.entries()) Object.assign(given[i] ?? {}, { [column]: value })
  }
  for (const [field, column] of Object.entries(columns)) {
    const texts = rows.map(({ id: row, organisation, [field]: text = '' }) => ({
      place: { organisation, table, column, row },
      text,
    }))
    add(column, await vault.sealMany(texts))
  }
  if (indexed.has(table)) {
    const found = rows.map(({ email = '' }) => vault.blindIndex(mailboxOf(email), mailboxPurpose))
    add('email_index', await Promise.all(found))
  }
  const names = Object.keys(types)
  const sets = names.slice(1).map((name) => sql`${sql.ref(name)} = ${sql.ref(`given.${name}`)}`)
  await sql`update ${sql.table(table)} as own set ${sql.join(sets)}
    from ${unnested(types, given)} as given (${sql.join(names.map((name) => sql.ref(name)))})
    where own.id = given.id`.execute(db)
}
