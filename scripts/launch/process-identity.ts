import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { poll } from './wait.ts'

/** A process number is used again after a while; with its start time it means one process. */
export interface ProcessIdentity {
  pid: number
  startTime: string
}

/** Undefined when no such process runs; a dead process nobody collected counts as gone. */
export function startTimeOf(pid: number): string | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined
  if (process.platform === 'linux') return linuxStartTime(pid)
  return process.platform === 'win32' ? windowsStartTime(pid) : psField(pid, 'lstart=')
}

export function identityOf(pid: number): ProcessIdentity | undefined {
  const startTime = startTimeOf(pid)
  return startTime === undefined ? undefined : { pid, startTime }
}

export function isAlive(pid: number): boolean {
  return startTimeOf(pid) !== undefined
}

export function isSame(recorded: ProcessIdentity): boolean {
  return startTimeOf(recorded.pid) === recorded.startTime
}

/** The program's short name, where it can be known. */
export function programOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return psField(pid, 'comm=')?.split('/').at(-1)
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim()
  } catch {
    return undefined
  }
}

function linuxStartTime(pid: number): string | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  } catch {
    return undefined
  }
  // The name in brackets may hold blanks and brackets: the fields are counted from its end.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const [state] = fields
  return state === 'Z' || state === 'X' ? undefined : fields[19]
}

/** Nothing cheap tells it there: a number that is used again counts as the same process. */
function windowsStartTime(pid: number): string | undefined {
  try {
    process.kill(pid, 0)
    return 'unknown'
  } catch {
    return undefined
  }
}

function psField(pid: number, field: string): string | undefined {
  try {
    const text = execFileSync('ps', ['-o', field, '-p', String(pid)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin' },
    }).trim()
    return text === '' ? undefined : text
  } catch {
    return undefined
  }
}

export interface Signal {
  name: NodeJS.Signals
  /** How long the process may take before the next signal. */
  waitMs: number
  /** Also to the children it started, for a process that leads its own group. */
  group?: boolean
}

export const stopGently: readonly Signal[] = [
  { name: 'SIGTERM', waitMs: 10_000 },
  { name: 'SIGKILL', waitMs: 5_000, group: true },
]

/** Sends the signals one after the other until the process is gone; says whether it is. */
export async function endProcess(
  target: ProcessIdentity,
  signals: readonly Signal[] = stopGently,
): Promise<boolean> {
  for (const signal of signals) {
    if (!isSame(target)) return true
    send(target.pid, signal)
    const gone = await poll(() => (isSame(target) ? undefined : true), {
      everyMs: 20,
      timeoutMs: signal.waitMs,
    })
    if (gone) return true
  }
  return !isSame(target)
}

export function send(pid: number, signal: Pick<Signal, 'name' | 'group'>): void {
  const grouped = signal.group && process.platform !== 'win32'
  try {
    process.kill(grouped ? -pid : pid, signal.name)
  } catch {
    if (!grouped) return
    send(pid, { name: signal.name })
  }
}
