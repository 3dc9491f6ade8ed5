import { createHash } from 'node:crypto'
import { accessSync, constants, lstatSync, mkdirSync, realpathSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { LauncherEnvironment } from './environment.ts'
import { NotReady, reasonOf } from './not-ready.ts'

export interface CheckoutPaths {
  root: string
  /** Ten hex digits that name this checkout wherever several share a place. */
  hash: string
  /** Everything that belongs to this checkout and may be deleted. */
  data: string
  logs: string
  ports: string
  processes: string
  devLock: string
  /** Where the development cluster lies; a clone in a closed directory keeps it elsewhere. */
  pgPath: string
}

export function pathsOf(env: LauncherEnvironment): CheckoutPaths {
  const root = realpathSync(env.root ?? resolve(import.meta.dirname, '..', '..'))
  const data = join(root, '.data')
  return {
    root,
    hash: createHash('sha256').update(root).digest('hex').slice(0, 10),
    data,
    logs: join(data, 'logs'),
    ports: join(data, 'ports.json'),
    processes: join(data, 'processes.json'),
    devLock: join(data, 'dev.lock'),
    pgPath: join(data, 'pg.path'),
  }
}

/** The data directory, made when absent; a checkout we may not write to is told plainly. */
export function prepareDataDir(env: LauncherEnvironment): CheckoutPaths {
  const paths = pathsOf(env)
  try {
    mkdirSync(paths.logs, { recursive: true })
    accessSync(paths.data, constants.W_OK)
  } catch (error) {
    throw new NotReady(`cannot write to ${paths.data}: ${reasonOf(error)}`)
  }
  return paths
}

/** What is fetched or built once for all checkouts of one user. */
export function cacheRoot(env: LauncherEnvironment): string {
  if (env.cacheDir) {
    const chosen = resolve(env.cacheDir, 'tributary')
    const problem = claimProblem(chosen)
    if (problem) throw new NotReady(`TRIBUTARY_CACHE_DIR cannot be used: ${problem}`)
    return chosen
  }
  const candidates = [
    env.xdgCacheHome && join(env.xdgCacheHome, 'tributary'),
    env.home && join(env.home, '.cache', 'tributary'),
    '/var/tmp/tributary',
    // The shared name may already belong to somebody else of this machine.
    `/var/tmp/tributary-${userId()}`,
  ]
  const problems: string[] = []
  for (const candidate of candidates) {
    if (!candidate) continue
    const problem = claimProblem(candidate)
    if (!problem) return candidate
    problems.push(problem)
  }
  throw new NotReady(
    `no directory for the cache: ${problems.join('; ')}. Set TRIBUTARY_CACHE_DIR to one.`,
  )
}

export function userId(): number {
  return process.getuid?.() ?? 0
}

/** Makes the directory ours, or says why it is not to be trusted with programs we run. */
export function claimProblem(directory: string): string | undefined {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o755 })
    accessSync(directory, constants.W_OK)
  } catch (error) {
    return reasonOf(error)
  }
  return trustProblem(directory)
}

/** Programs are run from here only if nobody but us or root can have put them there. */
export function trustProblem(path: string): string | undefined {
  if (!process.getuid) return undefined
  for (const found of [lstatSync(path), statSync(path)]) {
    const foreign = found.uid !== userId() && found.uid !== 0
    if (foreign) return `${path} belongs to user ${found.uid}, not to us`
    const open = !found.isSymbolicLink() && (found.mode & 0o002) !== 0
    if (open) return `${path} is writable for everybody`
  }
  return undefined
}
