/**
 * The table types that queries are checked against, made from a migrated database. A column with
 * a check constraint `in (…)` becomes a union of its words, so that they are written once, in SQL.
 */
import pg from 'pg'

interface Column {
  table: string
  column: string
  type: string
  nullable: boolean
  identity: boolean
  defaulted: boolean
}

const typescriptTypes: Record<string, string> = {
  bool: 'boolean',
  bytea: 'Buffer',
  int2: 'number',
  int4: 'number',
  int8: 'bigint',
  jsonb: 'Json',
  numeric: 'string',
  text: 'string',
  _text: 'string[]',
  timestamptz: 'Timestamp',
  tstzrange: 'string',
  uuid: 'string',
  xid8: 'string',
}

const header = `/**
 * Table types, generated from the migrations by \`npm run generate\`; not edited by hand.
 */
import type { ColumnType, GeneratedAlways } from 'kysely'

type Timestamp = ColumnType<Date, Date | string, Date | string>

/** Read as unknown, so that it is parsed before use; written as text. */
type Json = ColumnType<unknown, string, string>

/** A column that may be left out of an insert. */
type Defaulted<T> =
  T extends ColumnType<infer S, infer I, infer U>
    ? ColumnType<S, I | undefined, U>
    : ColumnType<T, T | undefined, T>
`

async function readColumns(client: pg.Client): Promise<Column[]> {
  const { rows } = await client.query<Column>(`
    select c.relname as "table", a.attname as "column", t.typname as type,
      not a.attnotnull as nullable, a.attidentity = 'a' as identity,
      -- What a trigger stamps on a row need not be given either.
      a.atthasdef or coalesce(col_description(a.attrelid, a.attnum) = 'stamped', false) as defaulted
    from pg_attribute a
    join pg_class c on c.oid = a.attrelid and c.relkind in ('r', 'p') and not c.relispartition
    join pg_type t on t.oid = a.atttypid
    where c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped
      and c.relname not like 'kysely\\_%'
    order by c.relname, a.attname`)
  return rows
}

/** The words of each column that a check constraint limits to a list, by `table.column`. */
async function readWords(client: pg.Client): Promise<Map<string, string[]>> {
  const { rows } = await client.query<{ table: string; column: string; definition: string }>(`
    select c.relname as "table", a.attname as "column", pg_get_constraintdef(k.oid) as definition
    from pg_constraint k
    join pg_class c on c.oid = k.conrelid
    join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
    where k.contype = 'c' and cardinality(k.conkey) = 1
      and c.relnamespace = 'public'::regnamespace`)
  const words = new Map<string, string[]>()
  for (const { table, column, definition } of rows) {
    const list = /^CHECK \(\(\w+ = (?:ANY \(ARRAY\[(.*)\]\)|('\w+'::text))\)\)$/.exec(definition)
    const found = [...(list?.[1] ?? list?.[2] ?? '').matchAll(/'(\w+)'::text/g)]
    if (found.length > 0)
      words.set(
        `${table}.${column}`,
        found.map((match) => `'${match[1]}'`),
      )
  }
  return words
}

const camel = (name: string) => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
const pascal = (name: string) => camel(`_${name}`)

function columnLine(column: Column, words: string[] | undefined): string {
  const base = words?.join(' | ') ?? typescriptTypes[column.type]
  if (!base) throw new Error(`${column.table}.${column.column}: no type known for ${column.type}`)
  const typed = column.nullable ? `${base} | null` : base
  const name = camel(column.column)
  if (column.identity) return `  ${name}: GeneratedAlways<${typed}>`
  return `  ${name}: ${column.defaulted ? `Defaulted<${typed}>` : typed}`
}

function render(columns: Column[], words: Map<string, string[]>): string {
  const tables = Map.groupBy(columns, (column) => column.table)
  const interfaces = [...tables].map(([table, own]) => {
    const lines = own.map((column) => columnLine(column, words.get(`${table}.${column.column}`)))
    return `export interface ${pascal(table)}Table {\n${lines.join('\n')}\n}\n`
  })
  const entries = [...tables.keys()].map((table) => `  ${camel(table)}: ${pascal(table)}Table`)
  return [header, ...interfaces, `export interface DB {\n${entries.join('\n')}\n}\n`].join('\n')
}

/** The text that `db/schema.ts` must have for the database behind the address. */
export async function schemaTypes(databaseUrl: string): Promise<string> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    return render(await readColumns(client), await readWords(client))
  } finally {
    await client.end()
  }
}
