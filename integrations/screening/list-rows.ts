/** The list file of an operator: CSV with a header, read strictly; refusals name the line. */
import type { NamedKind } from '../../domain/name-match.ts'

export interface ListEntry {
  id: string
  name: string
  /** Null where the list does not say; it is looked at for both. */
  kind: NamedKind | null
  aliases: string[]
  country: string | null
  list: string
}

export const listColumns = ['id', 'name', 'kind', 'aliases', 'country', 'list'] as const

interface Row {
  line: number
  fields: string[]
}

function refuse(line: number, problem: string): never {
  throw new Error(`line ${line}: ${problem}`)
}

/** Fields of RFC 4180: quoted ones may hold commas, line ends and doubled quotes. */
function rowsOf(text: string): Row[] {
  const rows: Row[] = []
  const pattern = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n|\n|$)/y
  let line = 1
  let row: Row = { line, fields: [] }
  for (;;) {
    const found = pattern.exec(text)
    if (!found) refuse(line, 'a quote stands where none may stand, or is never closed')
    const [whole, quoted, plain, end] = found
    row.fields.push(quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'))
    line += whole.split('\n').length - 1
    if (end === ',') continue
    if (row.fields.length > 1 || row.fields[0] !== '') rows.push(row)
    if (pattern.lastIndex >= text.length) return rows
    row = { line, fields: [] }
  }
}

function entryOf({ line, fields }: Row): ListEntry {
  if (fields.length !== listColumns.length) {
    refuse(line, `has ${fields.length} fields, expected ${listColumns.length}`)
  }
  const [id, name, kind, aliases, country, list] = fields.map((field) => field.trim()) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ]
  if (id === '') refuse(line, 'id is empty')
  if (!/[\p{Letter}\p{Number}]/u.test(name)) refuse(line, 'name has no letters')
  if (kind !== 'company' && kind !== 'person' && kind !== '') {
    refuse(line, `kind is "${kind}", expected company, person or nothing`)
  }
  if (country !== '' && !/^[A-Z]{2}$/.test(country)) {
    refuse(line, `country is "${country}", expected two capital letters or nothing`)
  }
  if (!/^[A-Za-z0-9_.-]{1,60}$/.test(list)) {
    refuse(line, `list is "${list}", expected letters, digits, "_", "." or "-"`)
  }
  return {
    ...{ id, name, list },
    kind: kind === '' ? null : kind,
    aliases: aliases
      .split(';')
      .map((alias) => alias.trim())
      .filter((alias) => alias !== ''),
    country: country === '' ? null : country,
  }
}

/**
 * All entries of a list file.
 * @throws Error that names the line and says what was expected there; also for a file without
 * entries, because a file that was cut off must not clear everybody.
 */
export function readListRows(text: string): ListEntry[] {
  const [header, ...rows] = rowsOf(text.replace(/^\u{feff}/u, ''))
  if (header?.fields.join(',') !== listColumns.join(',')) {
    refuse(1, `the header is not ${listColumns.join(',')}`)
  }
  const seen = new Map<string, number>()
  const entries = rows.map((row) => {
    const entry = entryOf(row)
    const key = `${entry.list} ${entry.id}`
    const before = seen.get(key)
    if (before) refuse(row.line, `the list ${entry.list} has ${entry.id} on line ${before} already`)
    seen.set(key, row.line)
    return entry
  })
  if (entries.length === 0) refuse(2, 'there are no entries')
  return entries
}
