import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { LauncherEnvironment } from './environment.ts'
import { readJson, writeJson } from './json-file.ts'
import { prepareDataDir } from './paths.ts'
import { endProcess, isSame, type ProcessIdentity } from './process-identity.ts'
import type { TemporalHow } from './temporal-cli.ts'
import { askTemporal } from './temporal-connection.ts'

/** The development server of this checkout, as written down when it was started. */
export interface RememberedTemporal extends ProcessIdentity {
  address: string
  uiUrl: string | null
  how: TemporalHow
  why: string
  version: string
  /** A directory that was copied brings the record of the original along. */
  root: string
}

export function rememberTemporal(
  env: LauncherEnvironment,
  server: Omit<RememberedTemporal, 'root'>,
): void {
  writeJson(fileOf(env), { ...server, root: prepareDataDir(env).root })
}

export function forgetTemporal(env: LauncherEnvironment): void {
  rmSync(fileOf(env), { force: true })
}

/** The development server, if it runs. */
export function runningTemporal(env: LauncherEnvironment): RememberedTemporal | undefined {
  const found = readJson(fileOf(env))
  const isOurs = isRemembered(found) && found.root === prepareDataDir(env).root
  return isOurs && isSame(found) ? found : undefined
}

/** Stops the development server if it runs; its state stays. */
export async function stopTemporal(env: LauncherEnvironment): Promise<void> {
  const found = runningTemporal(env)
  if (found) await endProcess(found)
  forgetTemporal(env)
}

/** A server that runs and answers is kept; one that hangs is ended, since it holds the state. */
export async function adoptTemporal(
  env: LauncherEnvironment,
): Promise<RememberedTemporal | undefined> {
  const found = runningTemporal(env)
  if (!found) return undefined
  const answer = await askTemporal(found.address)
  if ('version' in answer) return found
  await endProcess(found)
  forgetTemporal(env)
  return undefined
}

function fileOf(env: LauncherEnvironment): string {
  return join(prepareDataDir(env).data, 'temporal.json')
}

function isRemembered(value: unknown): value is RememberedTemporal {
  if (typeof value !== 'object' || value === null) return false
  const { pid, startTime, address } = value as Partial<RememberedTemporal>
  return typeof pid === 'number' && typeof startTime === 'string' && typeof address === 'string'
}
