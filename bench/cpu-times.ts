/** Processor time of processes, as Linux counts it: other load spoils it less than seconds. */
import { readdirSync, readFileSync } from 'node:fs'

/** A process, with its children where the work is theirs. */
export interface Watched {
  pid: number
  children?: boolean
}

/** Milliseconds by process. */
export type CpuMs = Record<string, number>

/** A clock tick of /proc, whatever the kernel itself counts in. */
const tickMs = 10

interface ProcessTimes {
  parent: number
  own: number
  /** Of children that ended and were waited for. */
  ended: number
}

/** @returns undefined where the system does not tell. */
function timesOf(pid: number | string): ProcessTimes | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in brackets may hold blanks and brackets: the fields are counted from its end.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const ticks = (at: number) => Number(fields[at] ?? 0)
    return { parent: ticks(1), own: ticks(11) + ticks(12), ended: ticks(13) + ticks(14) }
  } catch {
    return undefined
  }
}

function cpuMsOf({ pid, children = false }: Watched): number {
  const times = timesOf(pid)
  if (!times) return 0
  if (!children) return times.own * tickMs
  const living = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(timesOf)
    .filter((one) => one?.parent === pid)
  return living.reduce((sum, one) => sum + (one?.own ?? 0), times.own + times.ended) * tickMs
}

/** The process that started another one. */
export const parentOf = (pid: number) => timesOf(pid)?.parent

/** What processes take from now on. @returns what tells it, by name. */
export function watchCpu(watched: Record<string, Watched>): () => CpuMs {
  const names = Object.keys(watched)
  const now = () => names.map((name) => cpuMsOf(watched[name] as Watched))
  const before = now()
  return () => {
    const after = now()
    return Object.fromEntries(names.map((name, i) => [name, (after[i] ?? 0) - (before[i] ?? 0)]))
  }
}

/** Of so many pieces of work together: what one took of each process, and of all. */
export function perPiece(found: CpuMs[], pieces: number): CpuMs {
  const names = Object.keys(found[0] ?? {})
  const each = names.map((name) => {
    const sum = found.reduce((all, one) => all + (one[name] ?? 0), 0)
    return [name, Math.round(sum / pieces)] as const
  })
  return Object.fromEntries([...each, ['all', each.reduce((sum, [, ms]) => sum + ms, 0)]])
}
