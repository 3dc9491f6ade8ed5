/** Screening without a service: the operator's own list file, read again whenever it changes. */
import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { indexNames, type NamedKind, type NameIndex } from '../../domain/name-match.ts'
import { VendorError } from '../vendor-error.ts'
import { type ListEntry, readListRows } from './list-rows.ts'
import type { Screening } from './provider.ts'

interface LoadedList {
  /** By what a changed file is told. */
  stamp: string
  version: string
  lists: string
  indexes: Record<NamedKind, NameIndex<ListEntry>>
}

const stampOf = (path: string) => {
  const { mtimeMs, size, ino } = statSync(path)
  return `${mtimeMs}:${size}:${ino}`
}

function load(path: string): LoadedList {
  const stamp = stampOf(path)
  const bytes = readFileSync(path)
  const entries = readListRows(bytes.toString('utf8'))
  const indexOf = (kind: NamedKind) =>
    indexNames(
      entries
        .filter((entry) => entry.kind === null || entry.kind === kind)
        .map((entry) => ({ entry, names: [entry.name, ...entry.aliases] })),
      kind,
    )
  return {
    stamp,
    version: createHash('sha256').update(bytes).digest('hex'),
    lists: [...new Set(entries.map(({ list }) => list))].sort().join(','),
    indexes: { company: indexOf('company'), person: indexOf('person') },
  }
}

/**
 * Looks names up in the file at this path.
 * @throws Error that names the line, where the file cannot be read at the start. Later that is a
 * VendorError: what waits for screening waits until the file is mended.
 */
export function listFileScreening(path: string): Screening {
  let loaded = load(path)
  const current = (): LoadedList => {
    try {
      if (stampOf(path) !== loaded.stamp) loaded = load(path)
      return loaded
    } catch (error) {
      throw new VendorError({
        vendor: 'screening',
        failure: 'unknown',
        code: 'list_unreadable',
        message: error instanceof Error ? error.message : 'the list file cannot be read',
      })
    }
  }
  return {
    provider: 'file',
    async screen({ name, kind, threshold }) {
      const { version, lists, indexes } = current()
      const hits = indexes[kind].find(name, threshold).map(({ entry, score }) => ({
        list: entry.list,
        entryId: entry.id,
        entryName: entry.name,
        programs: [],
        score,
      }))
      return { provider: 'file', list: lists, listVersion: version, hits }
    },
    async listVersion() {
      return current().version
    },
  }
}
