import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { LauncherEnvironment } from './environment.ts'
import { readJson, writeJson } from './json-file.ts'
import { NotReady } from './not-ready.ts'
import { claimProblem, prepareDataDir, userId } from './paths.ts'
import {
  endProcess,
  identityOf,
  isSame,
  type ProcessIdentity,
  programOf,
  type Signal,
} from './process-identity.ts'

/** Who the server runs as, when it is not us. */
export interface Account {
  uid: number
  gid: number
}

export interface DataPlace {
  directory: string
  account: Account | undefined
}

/** Where the clusters of this checkout lie. PostgreSQL refuses to run as the super-user. */
export function clusterBase(env: LauncherEnvironment): string {
  const paths = prepareDataDir(env)
  if (!isSuperUser()) return join(paths.data, 'tmp')
  const shared = sharedBase(paths.hash)
  const problem = claimProblem(shared)
  if (problem) throw new NotReady(`${problem}; remove ${shared} and try again`)
  // A strict umask would lock the server's user out.
  chmodSync(shared, 0o755)
  return shared
}

export function devPlace(env: LauncherEnvironment): DataPlace {
  const paths = prepareDataDir(env)
  const recorded = recordedDevDirectory(env)
  if (recorded && existsSync(recorded)) {
    return { directory: recorded, account: accountFor(recorded) }
  }
  const directory = isSuperUser() ? join(clusterBase(env), 'dev') : join(paths.data, 'pg')
  const parent = dirname(directory)
  for (const name of readdirSync(parent)) {
    const isDraft = name.startsWith(`${basename(directory)}.new-`)
    if (isDraft) rmSync(join(parent, name), { recursive: true, force: true })
  }
  writeFileSync(paths.pgPath, `${directory}\n`)
  return { directory, account: accountFor(directory) }
}

/** The places outside the checkout go with their last cluster. */
export function tidyClusterBase(env: LauncherEnvironment): void {
  for (const base of [sharedBase(prepareDataDir(env).hash), memoryBaseOf(env)]) {
    try {
      rmdirSync(base)
    } catch {
      // It is absent, or holds clusters that are in use.
    }
  }
}

function sharedBase(hash: string): string {
  return `/var/tmp/tributary-${hash}`
}

/**
 * As last used; undefined when there never was one. A directory that was copied brings the path
 * of the original's cluster along, which is none of ours.
 */
export function recordedDevDirectory(env: LauncherEnvironment): string | undefined {
  const paths = prepareDataDir(env)
  try {
    const recorded = readFileSync(paths.pgPath, 'utf8').trim()
    const ours = [join(paths.data, 'pg'), join(sharedBase(paths.hash), 'dev')]
    return ours.includes(recorded) ? recorded : undefined
  } catch {
    return undefined
  }
}

const memoryFiles = '/dev/shm'
const tmpfs = 0x01021994
const roomBytes = 2 * 1024 ** 3

/**
 * Where clusters of many short-lived databases lie: each has more than a thousand files, and some
 * file systems of disks search long for room for a file where many were deleted.
 * @returns undefined where the machine has no such place, or too little memory
 */
function memoryBase(env: LauncherEnvironment): string | undefined {
  try {
    const { type, bavail, bsize } = statfsSync(memoryFiles)
    const room = Math.min(bavail * bsize, process.availableMemory() / 2)
    if (type !== tmpfs || room < roomBytes) return undefined
    const base = memoryBaseOf(env)
    if (claimProblem(base)) return undefined
    chmodSync(base, 0o755)
    return base
  } catch {
    return undefined
  }
}

function memoryBaseOf(env: LauncherEnvironment): string {
  return join(memoryFiles, `tributary-${prepareDataDir(env).hash}`)
}

let throwaways = 0

export interface ThrowawayWishes {
  /** Name of its directory. */
  name?: string | undefined
  /** In memory, where the machine has room for that. */
  inMemory?: boolean | undefined
}

export function throwawayPlace(env: LauncherEnvironment, wishes: ThrowawayWishes = {}): DataPlace {
  throwaways += 1
  const { name, inMemory = false } = wishes
  const base = (inMemory && memoryBase(env)) || clusterBase(env)
  mkdirSync(base, { recursive: true })
  const directory = join(base, name ?? `pg-${process.pid}-${throwaways}`)
  if (existsSync(directory)) throw new NotReady(`${directory} is in use`)
  writeJson(ownerFile(directory), identityOf(process.pid))
  return { directory, account: accountFor(directory) }
}

export function ownerFile(directory: string): string {
  return `${directory}.owner.json`
}

/** Removes the throwaway clusters whose launcher died before it could. */
export async function sweepThrowaways(env: LauncherEnvironment): Promise<void> {
  for (const base of [clusterBase(env), memoryBaseOf(env)]) {
    if (existsSync(base)) await sweep(base, env)
  }
}

async function sweep(base: string, env: LauncherEnvironment): Promise<void> {
  for (const name of readdirSync(base)) {
    if (!name.endsWith('.owner.json')) continue
    const file = join(base, name)
    const owner = readJson(file)
    if (isIdentity(owner) && isSame(owner)) continue
    const directory = file.slice(0, -'.owner.json'.length)
    const server = postmasterOf(directory)
    if (server) await endProcess(server.process, fastShutdown)
    for (const left of readdirSync(base)) {
      const isOf = left === basename(directory) || left.startsWith(`${basename(directory)}.new-`)
      if (isOf) rmSync(join(base, left), { recursive: true, force: true })
    }
    rmSync(file, { force: true })
    rmSync(join(prepareDataDir(env).logs, `${basename(directory)}.log`), { force: true })
  }
}

export const fastShutdown: readonly Signal[] = [
  { name: 'SIGINT', waitMs: 20_000 },
  { name: 'SIGQUIT', waitMs: 5_000 },
  { name: 'SIGKILL', waitMs: 5_000 },
]

export interface Postmaster {
  process: ProcessIdentity
  port: number
}

/** The living server of a data directory, by the file it keeps there. */
export function postmasterOf(directory: string): Postmaster | undefined {
  const [pidLine, , , portLine] = postmasterLines(directory)
  const found = identityOf(Number(pidLine))
  if (!found || programOf(found.pid)?.startsWith('postgres') === false) return undefined
  return { process: found, port: Number(portLine) }
}

/**
 * After a crash the number in the file may meanwhile belong to another program of ours, and the
 * server would refuse to start because of it.
 */
export function forgetDeadPostmaster(directory: string): void {
  if (postmasterLines(directory).length > 0 && !postmasterOf(directory)) {
    rmSync(join(directory, 'postmaster.pid'), { force: true })
  }
}

function postmasterLines(directory: string): string[] {
  try {
    return readFileSync(join(directory, 'postmaster.pid'), 'utf8').split('\n')
  } catch {
    return []
  }
}

function isIdentity(value: unknown): value is ProcessIdentity {
  return typeof value === 'object' && value !== null && 'pid' in value && 'startTime' in value
}

function isSuperUser(): boolean {
  return process.getuid !== undefined && userId() === 0
}

/** An existing cluster runs as its owner; a new one of the super-user as an existing nobody. */
function accountFor(directory: string): Account | undefined {
  if (!isSuperUser()) {
    if (!existsSync(directory)) return undefined
    const owner = statSync(directory).uid
    if (process.getuid && owner !== userId()) {
      throw new NotReady(
        `${directory} belongs to user ${owner}: run as that user, or remove it as that user`,
      )
    }
    return undefined
  }
  if (existsSync(directory)) {
    const { uid, gid } = statSync(directory)
    if (uid !== 0) return { uid, gid }
  }
  return unprivilegedAccount()
}

/** initdb wants a user with an entry; nobody exists nearly everywhere. */
function unprivilegedAccount(): Account {
  const entries = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const wanted of ['nobody', 'postgres', 'daemon']) {
    const fields = entries.map((line) => line.split(':')).find(([name]) => name === wanted)
    const uid = Number(fields?.[2])
    const gid = Number(fields?.[3])
    if (uid > 0 && gid > 0) return { uid, gid }
  }
  throw new NotReady(
    'PostgreSQL does not run as root, and this machine has no user "nobody" to run it as: ' +
      'work as an ordinary user, or set DATABASE_URL',
  )
}

export function ownedDirectory(directory: string, account: Account | undefined): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  if (account) chownSync(directory, account.uid, account.gid)
}
