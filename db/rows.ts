/**
 * Many rows in one parameter for each column: PostgreSQL takes arrays several times faster than
 * lists of values. What is the same in all rows is passed once.
 */
import { type RawBuilder, sql } from 'kysely'

export type ColumnType =
  | 'uuid'
  | 'text'
  | 'bigint'
  | 'integer'
  | 'boolean'
  | 'timestamptz'
  | 'bytea'
  | 'jsonb'

type Value = string | number | bigint | boolean | Date | Buffer | null

/** The columns of some rows, each with its type in the database. */
export type Columns<Row> = { [Name in keyof Row & string]-?: ColumnType }

interface Column {
  name: string
  type: ColumnType
  values: Value[]
}

function columnsOf<Row>(columns: Columns<Row>, rows: readonly Row[]): Column[] {
  return Object.entries(columns).map(([name, type]) => ({
    name,
    type: type as ColumnType,
    values: rows.map((row) => row[name as keyof Row] as Value),
  }))
}

const typed = (value: unknown, type: string) => sql`${value}::${sql.raw(type)}`

const arrays = (columns: Column[]) =>
  sql.join(columns.map(({ values, type }) => typed(arrayText(values, type), `${type}[]`)))

/** `unnest(…)` of the rows: a table of these columns, in this order. */
export function unnested<Row>(columns: Columns<Row>, rows: readonly Row[]): RawBuilder<unknown> {
  return sql`unnest(${arrays(columnsOf(columns, rows))})`
}

/** Says of rows that are stamped with their partner's place when that was. */
interface Placing<Row> {
  partner: keyof Row & string
  /** An instant; a column of the row, or SQL over `given`. */
  at: (column: (name: keyof Row & string) => RawBuilder<unknown>) => RawBuilder<unknown>
}

/**
 * `(a, b) select … from unnest(…)`: what follows `insert into` and the table's name.
 * @param placing stamps the rows here, where a trigger would look up every row on its own.
 */
export function columnsAndRows<Row>(
  columns: Columns<Row>,
  rows: readonly Row[],
  placing?: Placing<Row>,
): RawBuilder<unknown> {
  const all = columnsOf(columns, rows)
  // One column at least makes the rows.
  const varying = all.filter(({ values }, i) => i === 0 || values.some((one) => one !== values[0]))
  const names = (some: Column[]) => sql.join(some.map(({ name }) => sql.ref(name)))
  const select = (column: Column) =>
    varying.includes(column)
      ? sql.ref(`given.${column.name}`)
      : typed(column.values[0] ?? null, column.type)
  const given = sql`unnest(${arrays(varying)}) as given (${names(varying)})`
  const selected = sql.join(all.map(select))
  if (!placing) return sql`(${names(all)}) select ${selected} from ${given}`
  const named = (name: string) => select(all.find((column) => column.name === name) as Column)
  return sql`(${names(all)}, reseller_id, master_id)
    select ${selected}, place.reseller_id, place.master_id from ${given}
    left join lateral (
      select
        case when stands.placed_since <= moment.at then stands.reseller_id
          else (place_of(stands.id, moment.at)).reseller_id end as reseller_id,
        case when stands.placed_since <= moment.at then stands.master_id
          else (place_of(stands.id, moment.at)).master_id end as master_id
      from (select ${placing.at(named)} as at offset 0) moment, partners stands
      where stands.id = ${named(placing.partner)} offset 0) place on true`
}

function arrayText(values: Value[], type: ColumnType): string {
  const write = type === 'text' || type === 'jsonb' ? quoted : plain
  return `{${values.map((value) => (value === null ? 'NULL' : write(value))).join(',')}}`
}

function quoted(value: Value): string {
  const text = String(value)
  return /["\\]/.test(text) ? `"${text.replace(/["\\]/g, '\\$&')}"` : `"${text}"`
}

function plain(value: Value): string {
  if (value instanceof Date) return value.toISOString()
  if (Buffer.isBuffer(value)) return `"\\\\x${value.toString('hex')}"`
  return String(value)
}
