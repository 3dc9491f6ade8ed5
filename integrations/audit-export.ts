/** The audit trail as files: one JSON object a line, or a table for a spreadsheet. */
import { stringify } from 'csv-stringify/sync'
import { formulaSafe } from './documents.ts'

/** An event as the API shows it. */
export interface ExportedEvent {
  id: string
  [field: string]: string | number | null | string[]
}

export function eventsAsJsonLines(events: ExportedEvent[]): string {
  return events.map((event) => `${JSON.stringify(event)}\n`).join('')
}

const cell = (value: string | number | null | string[] | undefined): string => {
  if (value === null || value === undefined) return ''
  if (typeof value === 'number') return String(value)
  return formulaSafe(Array.isArray(value) ? value.join(' ') : value)
}

/** @param columns the names of the fields, in the order of the columns. */
export function eventsAsCsv(columns: string[], events: ExportedEvent[]): string {
  const rows = events.map((event) => columns.map((column) => cell(event[column])))
  return stringify([columns, ...rows], {
    bom: true,
    record_delimiter: 'windows',
    // Readers take a lone line break for the end of a row too.
    quoted_match: /[\r\n]/,
  })
}
