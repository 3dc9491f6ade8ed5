import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import type { Name, Records } from './records.ts'

export interface Reader {
  get<K extends Name>(name: K, id: string): Records[K] | undefined
  all<K extends Name>(name: K): Records[K][]
}

export interface Tx extends Reader {
  put<K extends Name>(name: K, record: Records[K]): Records[K]
  drop(name: Name, id: string): void
}

export interface Changed {
  name: Name
  id: string
}

export interface Store extends Reader {
  /** All changes of one call become one journal line, or none of them happens. */
  write<T>(what: string, act: (tx: Tx) => T): T
  onCommit(listen: (changed: Changed[]) => void): void
  close(): void
}

type Row = Records[Name]

interface Line {
  at: string
  what: string
  put?: [Name, Row][]
  drop?: [Name, string][]
}

type Tables = Map<Name, Map<string, Row>>

/** Records are never changed in place: a new object replaces the old one under the same id. */
export function openStore(file: string | null): Store {
  const tables: Tables = new Map()
  const journal = file === null ? null : openJournal(file, tables)
  const listeners: ((changed: Changed[]) => void)[] = []
  const reader = createReader(tables)
  let busy = false

  function write<T>(what: string, act: (tx: Tx) => T): T {
    if (busy) throw new Error(`"${what}" was started inside another write`)
    busy = true
    const before = new Map<string, Changed & { old: Row | undefined }>()
    const remember = (name: Name, id: string): void => {
      const key = `${name}/${id}`
      if (!before.has(key)) before.set(key, { name, id, old: tableOf(tables, name).get(id) })
    }
    try {
      const result = act({
        ...reader,
        put(name, record) {
          remember(name, record.id)
          tableOf(tables, name).set(record.id, record)
          return record
        },
        drop(name, id) {
          remember(name, id)
          tableOf(tables, name).delete(id)
        },
      })
      if (before.size > 0) journal?.append(lineOf(what, [...before.values()], tables))
      return result
    } catch (error) {
      for (const { name, id, old } of before.values()) {
        if (old === undefined) tableOf(tables, name).delete(id)
        else tableOf(tables, name).set(id, old)
      }
      before.clear()
      throw error
    } finally {
      busy = false
      const changed = [...before.values()].map(({ name, id }) => ({ name, id }))
      if (changed.length > 0) for (const listen of listeners) listen(changed)
    }
  }

  return {
    ...reader,
    write,
    onCommit: (listen) => void listeners.push(listen),
    close: () => journal?.close(),
  }
}

function createReader(tables: Tables): Reader {
  return {
    get: <K extends Name>(name: K, id: string) => tableOf(tables, name).get(id) as Records[K],
    all: <K extends Name>(name: K) => [...tableOf(tables, name).values()] as Records[K][],
  }
}

function tableOf(tables: Tables, name: Name): Map<string, Row> {
  const found = tables.get(name)
  if (found) return found
  const made = new Map<string, Row>()
  tables.set(name, made)
  return made
}

function lineOf(what: string, changed: Changed[], tables: Tables): Line {
  const line: Line = { at: new Date().toISOString(), what }
  for (const { name, id } of changed) {
    const row = tableOf(tables, name).get(id)
    if (row === undefined) line.drop = [...(line.drop ?? []), [name, id]]
    else {
      line.put ??= []
      line.put.push([name, row])
    }
  }
  return line
}

interface Journal {
  append(line: Line): void
  close(): void
}

function openJournal(file: string, tables: Tables): Journal {
  mkdirSync(dirname(file), { recursive: true })
  let size = existsSync(file) ? replay(file, tables) : 0
  const descriptor = openSync(file, size === 0 ? 'w' : 'r+', 0o600)
  // What stands behind the last whole line was never answered for, so it is cut off.
  ftruncateSync(descriptor, size)
  return {
    append(line) {
      const bytes = Buffer.from(`${JSON.stringify(line)}\n`)
      let written = 0
      try {
        while (written < bytes.length) {
          const rest = bytes.length - written
          written += writeSync(descriptor, bytes, written, rest, size + written)
        }
      } catch (error) {
        ftruncateSync(descriptor, size)
        throw error
      }
      size += bytes.length
    },
    close: () => closeSync(descriptor),
  }
}

/** Answers the number of bytes that hold whole lines. */
function replay(file: string, tables: Tables): number {
  const bytes = readFileSync(file)
  let start = 0
  for (let number = 1; ; number += 1) {
    const end = bytes.indexOf(10, start)
    if (end < 0) return start
    const line = parseLine(bytes.toString('utf8', start, end), `${file}, line ${number}`)
    for (const [name, row] of line.put ?? []) tableOf(tables, name).set(row.id, row)
    for (const [name, id] of line.drop ?? []) tableOf(tables, name).delete(id)
    start = end + 1
  }
}

function parseLine(text: string, where: string): Line {
  try {
    return JSON.parse(text) as Line
  } catch {
    throw new Error(`${where}: this is not a journal of the sandbox (not JSON)`)
  }
}
