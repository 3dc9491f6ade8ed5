/** What runs in this checkout, gathered from what its parts wrote down and from asking them. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { LauncherEnvironment } from '../launch/environment.ts'
import { runningPostgres } from '../launch/postgres.ts'
import { listProcesses } from '../launch/process-records.ts'
import { runningTemporal } from '../launch/temporal-adopt.ts'
import { devDirectory } from './keep.ts'
import { readKeys } from './programme.ts'

export const devStatusSchema = z.object({
  urls: z.object({
    api: z.string(),
    docs: z.string(),
    sandbox: z.string(),
    mailbox: z.string(),
    temporal_ui: z.string().nullable(),
  }),
  psql: z.string(),
  temporal: z.object({ address: z.string(), how: z.string(), namespace: z.string() }),
})

/** What `npm run status` shows besides what it looks up. */
export type DevStatus = z.infer<typeof devStatusSchema>

export const statusFile = (env: LauncherEnvironment) => join(devDirectory(env), 'status.json')

async function isReady(api: string): Promise<boolean> {
  try {
    return (await fetch(`${api}/readyz`, { signal: AbortSignal.timeout(3_000) })).ok
  } catch {
    return false
  }
}

async function runningProcesses(env: LauncherEnvironment) {
  const postgres = await runningPostgres(env)
  const temporal = runningTemporal(env)
  const server = (name: string, found: { pid: number } | undefined, port: number | null) => ({
    name,
    pid: found?.pid ?? null,
    port,
    state: found ? 'running' : 'stopped',
  })
  return [
    server('postgres', postgres, postgres?.port ?? null),
    server('temporal', temporal, temporal ? Number(temporal.address.split(':')[1]) : null),
    ...listProcesses(env),
  ]
}

/** @returns null before the first `npm run dev`. */
export async function readStatus(env: LauncherEnvironment) {
  if (!existsSync(statusFile(env))) return null
  const status = devStatusSchema.parse(JSON.parse(readFileSync(statusFile(env), 'utf8')))
  return {
    ready: await isReady(status.urls.api),
    ...status,
    keys: readKeys(devDirectory(env)),
    processes: await runningProcesses(env),
  }
}
