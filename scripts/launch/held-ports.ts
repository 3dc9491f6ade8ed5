import type { LauncherEnvironment } from './environment.ts'
import type { Ports } from './ports.ts'
import { runningPostgres } from './postgres.ts'
import { runningTemporal } from './temporal-adopt.ts'

/** The ports of our servers that still run: they are busy because of us and stay as they are. */
export async function heldPorts(env: LauncherEnvironment): Promise<Partial<Ports>> {
  const held: Partial<Ports> = {}
  const postgres = await runningPostgres(env)
  if (postgres) held.postgres = postgres.port
  const temporal = runningTemporal(env)
  if (temporal) {
    held.temporal = portOf(`http://${temporal.address}`)
    if (temporal.uiUrl) held.temporalUi = portOf(temporal.uiUrl)
  }
  return held
}

function portOf(url: string): number {
  return Number(new URL(url).port)
}
