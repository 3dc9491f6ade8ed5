import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import type { LauncherEnvironment } from './environment.ts'
import { readJson, writeJson } from './json-file.ts'
import { tryLock } from './lock.ts'
import { NotReady } from './not-ready.ts'
import { cacheRoot, prepareDataDir } from './paths.ts'
import { portOwner } from './port-owner.ts'
import type { Progress } from './progress.ts'

export const preferredPorts = {
  api: 4400,
  sandbox: 4401,
  sandboxTls: 4402,
  smtp: 4403,
  postgres: 4404,
  temporal: 4405,
  temporalUi: 4406,
} as const

export type PortRole = keyof typeof preferredPorts
export type Ports = Record<PortRole, number>

export const portRoles = Object.keys(preferredPorts) as readonly PortRole[]

const firstSubstitute = 4410
/** Other people's Temporal lives there: ours must never be mistaken for it. */
const temporalDefaultPort = 7233

export interface PortChoice {
  env: LauncherEnvironment
  progress: Progress
  /** Roles whose server of ours runs already, with the port it has. */
  held?: Partial<Ports>
  /** Fail instead of stepping over a busy port. */
  strict?: boolean
}

/** One port per role: the stored one, else the preferred one, else the next free from 4410. */
export async function choosePorts(choice: PortChoice): Promise<Ports> {
  const { env, progress, held = {} } = choice
  const paths = prepareDataDir(env)
  const wanted: Ports = { ...preferredPorts, ...storedPorts(paths.ports), ...held }
  const reserve = portReservations(env)
  const taken = new Set<number>(Object.values(held))
  const chosen: Partial<Ports> = { ...held }
  for (const role of portRoles) {
    if (chosen[role] !== undefined) continue
    const [first, ...later] = new Set([wanted[role], preferredPorts[role]])
    const usable = async (port: number) =>
      port !== temporalDefaultPort && !taken.has(port) && (await reserve(port)) === undefined
    let port = first
    if (port === undefined || !(await usable(port))) {
      const reason = busyReason(wanted[role], await reserve(wanted[role]))
      if (choice.strict) throw new NotReady(`port ${wanted[role]} (${role}) is ${reason}`)
      port = await substitute(later, { usable, avoid: new Set(Object.values(wanted)) })
      progress.note(`port ${wanted[role]} is ${reason}: using ${port} for ${role}`)
    }
    chosen[role] = port
    taken.add(port)
  }
  writeJson(paths.ports, chosen)
  return chosen as Ports
}

interface Search {
  usable: (port: number) => Promise<boolean>
  /** Ports that other roles would like to keep. */
  avoid: ReadonlySet<number>
}

async function substitute(first: readonly number[], { usable, avoid }: Search): Promise<number> {
  for (const port of first) if (await usable(port)) return port
  for (let port = firstSubstitute; port < 65_536; port += 1) {
    if (!avoid.has(port) && (await usable(port))) return port
  }
  throw new NotReady('no free port left on 127.0.0.1')
}

/**
 * Between choosing a port and listening on it seconds pass: the reservation keeps a second
 * checkout that starts meanwhile from choosing the same one. It ends with this process.
 */
function portReservations(env: LauncherEnvironment) {
  const directory = join(cacheRoot(env), 'ports')
  const { root } = prepareDataDir(env)
  return async (port: number): Promise<string | undefined> => {
    if (!(await isFree(port))) return portOwner(port) ?? 'somebody else'
    const attempt = tryLock(join(directory, String(port)), root)
    if ('lock' in attempt || attempt.owner.pid === process.pid) return undefined
    return `process ${attempt.owner.pid} in ${attempt.owner.what}`
  }
}

function busyReason(port: number, owner: string | undefined): string {
  if (port === temporalDefaultPort) return 'left to other Temporal servers'
  return owner ? `busy (${owner})` : 'taken by another role'
}

function storedPorts(file: string): Partial<Ports> {
  const found = readJson(file)
  if (typeof found !== 'object' || found === null) return {}
  const stored: Partial<Ports> = {}
  for (const role of portRoles) {
    const port: unknown = (found as Record<string, unknown>)[role]
    if (typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536) {
      stored[role] = port
    }
  }
  return stored
}

/** The ports of this checkout as last chosen, without looking whether they are free. */
export function knownPorts(env: LauncherEnvironment): Ports {
  return { ...preferredPorts, ...storedPorts(prepareDataDir(env).ports) }
}

export async function isFree(port: number): Promise<boolean> {
  const server = await listen(port)
  if (!server) return false
  await close(server)
  return true
}

/** A port for a throwaway server on the loopback address. */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = await listen(0)
    if (!server) throw new NotReady('no free port left on 127.0.0.1')
    const address = server.address()
    await close(server)
    if (typeof address === 'object' && address && address.port !== temporalDefaultPort) {
      return address.port
    }
  }
}

function listen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => resolve(server))
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
