/**
 * Personal fields: sealed on their way into the database and opened on their way out, so that
 * queries name them like any other column. What is sealed opens only in the row and column, and for
 * the organisation, that it was sealed for.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { createHmac, randomBytes } from 'node:crypto'
import { type RawBuilder, sql } from 'kysely'
import type pg from 'pg'

/** Where a text is stored. */
export interface FieldPlace {
  /** The partner that it belongs to; null for the platform owner. */
  organisation: string | null
  table: string
  column: string
  /** The id of the row. */
  row: string
}

/** What seals and opens; many at once need one look-up of keys. */
export interface FieldVault {
  sealMany(texts: { place: FieldPlace; text: string }[]): Promise<Buffer[]>
  /** @throws Error where one of them was sealed for another place, or was changed. */
  openMany(sealed: { place: FieldPlace; bytes: Uint8Array }[]): Promise<string[]>
  /** The same bytes for the same text and purpose, for columns that are unique or looked up. */
  blindIndex(text: string, purpose: string): Promise<Buffer>
}

class TextToSeal {
  readonly place: FieldPlace
  readonly text: string

  constructor(place: FieldPlace, text: string) {
    this.place = place
    this.text = text
  }
}

class TextToIndex {
  readonly purpose: string
  readonly text: string

  constructor(purpose: string, text: string) {
    this.purpose = purpose
    this.text = text
  }
}

/** A value for a sealed column. */
export function sealed(place: FieldPlace, text: string): RawBuilder<Buffer> {
  return sql<Buffer>`${new TextToSeal(place, text)}::bytea`
}

/** A value for the column by which a sealed text is found; write texts that count as one alike. */
export function blindly(purpose: string, text: string): RawBuilder<Buffer> {
  return sql<Buffer>`${new TextToIndex(purpose, text)}::bytea`
}

// Sixteen bytes that no document and no hash begins with.
const mark = Buffer.from('0072696275746172792d7365616c6564', 'hex')
const markLiteral = sql.lit(`\\x${mark.toString('hex')}`)

/** A sealed column of a query. */
export interface SealedColumn {
  table: string
  column: string
  /** The name of the table in this query, where it is another one. */
  as?: string
  /** The column that names the partner it belongs to; null where that is the platform owner. */
  organisation: string | null
}

/**
 * The text of a sealed column, where it stands: the place is read from the row that holds it, so
 * that bytes of another row do not open.
 */
export function opened({ table, column, as = table, organisation }: SealedColumn) {
  const owner = organisation === null ? sql`null::uuid` : sql.ref(organisation)
  const place = sql`convert_to(json_build_array(${owner}, ${sql.lit(table)}, ${sql.lit(column)},
    ${sql.ref(`${as}.id`)})::text, 'UTF8')`
  return sql<string>`(${markLiteral}::bytea || int4send(octet_length(${place})) || ${place}
    || ${sql.ref(`${as}.${column}`)})`
}

const lengthBytes = 4

/** The place and the bytes of a value that `opened` selected; undefined for any other value. */
function sealedValue(value: unknown): { place: FieldPlace; bytes: Buffer } | undefined {
  if (!Buffer.isBuffer(value) || !value.subarray(0, mark.length).equals(mark)) return undefined
  const start = mark.length + lengthBytes
  const end = start + value.readInt32BE(mark.length)
  const [organisation, table, column, row] = JSON.parse(value.subarray(start, end).toString())
  return { place: { organisation, table, column, row }, bytes: value.subarray(end) }
}

const instead = new AsyncLocalStorage<FieldVault>()

/** Has all queries of this work seal and open with another vault than that of their connection. */
export function sealingWith<T>(vault: FieldVault, work: () => Promise<T>): Promise<T> {
  return instead.run(vault, work)
}

/**
 * A vault for rows that nobody keeps: it remembers the texts and gives out random bytes for them,
 * so that no key is made for organisations that never were.
 */
export function temporaryVault(): FieldVault {
  const texts = new Map<string, string>()
  const indexKey = randomBytes(32)
  const nameOf = ({ organisation, table, column, row }: FieldPlace, bytes: Uint8Array) =>
    JSON.stringify([organisation, table, column, row, Buffer.from(bytes).toString('hex')])
  return {
    async sealMany(given) {
      return given.map(({ place, text }) => {
        const bytes = randomBytes(16)
        texts.set(nameOf(place, bytes), text)
        return bytes
      })
    },
    async openMany(sealedTexts) {
      return sealedTexts.map(({ place, bytes }) => {
        const text = texts.get(nameOf(place, bytes))
        if (text === undefined) throw new Error('this was not sealed here')
        return text
      })
    },
    async blindIndex(text, purpose) {
      return createHmac('sha256', indexKey)
        .update(JSON.stringify([purpose, text]))
        .digest()
    },
  }
}

export type RunQuery = (text: string, values: readonly unknown[]) => Promise<pg.QueryResult>

/** The same queries, with their personal fields sealed before and opened after. */
export function withVault(run: RunQuery, usual: FieldVault | undefined): RunQuery {
  return async (text, values) => {
    const vault = instead.getStore() ?? usual
    const result = await run(text, await sealValues(values, vault))
    await openRows(result.rows ?? [], vault)
    return result
  }
}

function vaultOf(vault: FieldVault | undefined): FieldVault {
  if (vault) return vault
  throw new Error('personal fields are read or written, and no vault was given')
}

async function sealValues(
  values: readonly unknown[],
  vault: FieldVault | undefined,
): Promise<readonly unknown[]> {
  const texts = values.filter((value) => value instanceof TextToSeal)
  const indexed = values.filter((value) => value instanceof TextToIndex)
  if (texts.length === 0 && indexed.length === 0) return values
  const bytes = new Map<unknown, Buffer>()
  const sealedTexts = texts.length > 0 ? await vaultOf(vault).sealMany(texts) : []
  for (const [i, text] of texts.entries()) bytes.set(text, sealedTexts[i] as Buffer)
  for (const one of indexed) {
    bytes.set(one, await vaultOf(vault).blindIndex(one.text, one.purpose))
  }
  return values.map((value) => bytes.get(value) ?? value)
}

async function openRows(
  rows: Record<string, unknown>[],
  vault: FieldVault | undefined,
): Promise<void> {
  const found = rows.flatMap((row) =>
    Object.keys(row).flatMap((name) => {
      const value = sealedValue(row[name])
      return value ? [{ row, name, ...value }] : []
    }),
  )
  if (found.length === 0) return
  // Nothing is left of what was erased, and no key opens it.
  const kept = found.filter(({ bytes }) => bytes.length > 0)
  for (const { row, name, place } of found) row[name] = erasedText(place)
  if (kept.length === 0) return
  const texts = await vaultOf(vault).openMany(kept)
  for (const [i, { row, name }] of kept.entries()) row[name] = texts[i]
}

/** What stands where a text was erased: an empty column. */
function erasedText({ column }: FieldPlace): string {
  return /email|recipient/.test(column) ? 'erased@erased.invalid' : 'erased'
}
