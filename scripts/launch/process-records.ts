import type { LauncherEnvironment } from './environment.ts'
import { readJson, writeJson } from './json-file.ts'
import { prepareDataDir } from './paths.ts'
import { endProcess, isSame, type ProcessIdentity } from './process-identity.ts'
import type { Progress } from './progress.ts'

/** A child of the supervisor as written down for `status` and for the next start. */
export interface ProcessRecord extends ProcessIdentity {
  name: string
  port: number | null
  /** A directory that was copied brings the records of the original along. */
  root: string
}

export interface ProcessState {
  name: string
  pid: number
  port: number | null
  state: 'running' | 'dead'
}

export function listProcesses(env: LauncherEnvironment): ProcessState[] {
  return readRecords(env).map((record) => {
    const { name, pid, port } = record
    return { name, pid, port, state: isSame(record) ? 'running' : 'dead' }
  })
}

export function recordProcess(env: LauncherEnvironment, record: Omit<ProcessRecord, 'root'>): void {
  const { name, pid, startTime, port } = record
  const { root } = prepareDataDir(env)
  const others = readRecords(env).filter((other) => other.name !== name)
  writeJson(fileOf(env), [...others, { name, pid, startTime, port, root }])
}

export function forgetProcess(env: LauncherEnvironment, name: string): void {
  const records = readRecords(env)
  const left = records.filter((record) => record.name !== name)
  if (left.length < records.length) writeJson(fileOf(env), left)
}

/**
 * Ends what a killed supervisor left running. A number that another program got meanwhile is
 * only forgotten: the start time tells the two apart.
 */
export async function stopStale(
  env: LauncherEnvironment,
  progress: Progress,
): Promise<readonly ProcessRecord[]> {
  const records = readRecords(env)
  const living = records.filter(isSame)
  await Promise.all(
    living.map(async (record) => {
      const gone = await endProcess(record)
      const result = gone ? 'stopped' : 'could not be stopped'
      progress.note(`${record.name} of an earlier run (process ${record.pid}): ${result}`)
    }),
  )
  if (records.length > 0) writeJson(fileOf(env), [])
  return living
}

/** The recorded processes that still run. */
export function livingProcesses(env: LauncherEnvironment): ProcessRecord[] {
  return readRecords(env).filter(isSame)
}

function readRecords(env: LauncherEnvironment): ProcessRecord[] {
  const { processes, root } = prepareDataDir(env)
  const found = readJson(processes)
  if (!Array.isArray(found)) return []
  return found.filter(isRecord).filter((record) => record.root === root)
}

function isRecord(value: unknown): value is ProcessRecord {
  if (typeof value !== 'object' || value === null) return false
  const { name, pid, startTime } = value as Partial<ProcessRecord>
  return typeof name === 'string' && typeof pid === 'number' && typeof startTime === 'string'
}

function fileOf(env: LauncherEnvironment): string {
  return prepareDataDir(env).processes
}
