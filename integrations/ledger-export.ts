/** The books of a month as files for an accounting program: a table, or one object a line. */
import { stringify } from 'csv-stringify/sync'
import { decimalAmount } from '../domain/currencies.ts'
import { wireAmount } from '../domain/money.ts'
import { formulaSafe } from './documents.ts'

/** Minor units of the currency beside it; a string is a word. */
export type ExportedRow = Record<string, bigint | string | null> & { currency: string }

export type ExportFormat = 'csv' | 'jsonl'

/** Amounts are decimal numbers of their currency; everything else is guarded against formulas. */
function cellsOf(columns: readonly string[], row: ExportedRow): string[] {
  return columns.map((column) => {
    const value = row[column] ?? null
    if (value === null) return ''
    return typeof value === 'bigint' ? decimalAmount(value, row.currency) : formulaSafe(value)
  })
}

const csvOf = (rows: string[][]) =>
  stringify(rows, {
    record_delimiter: 'windows',
    // Readers take a lone line break for the end of a row too.
    quoted_match: /[\r\n]/,
  })

/** What stands before the first row. */
export function exportHead(format: ExportFormat, columns: readonly string[]): string {
  return format === 'csv' ? `\uFEFF${csvOf([[...columns]])}` : ''
}

/** Rows in the order of the columns; amounts are minor units in JSON, as everywhere in the API. */
export function exportRows(
  format: ExportFormat,
  columns: readonly string[],
  rows: ExportedRow[],
): string {
  if (format === 'csv') return csvOf(rows.map((row) => cellsOf(columns, row)))
  return rows.map((row) => `${JSON.stringify(plain(columns, row))}\n`).join('')
}

function plain(columns: readonly string[], row: ExportedRow): object {
  return Object.fromEntries(
    columns.map((column) => {
      const value = row[column] ?? null
      return [column, typeof value === 'bigint' ? wireAmount(value) : value]
    }),
  )
}
