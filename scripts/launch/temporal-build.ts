import { createHash } from 'node:crypto'
import {
  accessSync,
  chmodSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import type { LauncherEnvironment } from './environment.ts'
import { type GoTools, goBuild, staleOf } from './go-build.ts'
import { type LockOwner, withLock } from './lock.ts'
import { cacheRoot, trustProblem } from './paths.ts'
import type { Progress, Step } from './progress.ts'
import { executableProblem, inspectCli, onPath } from './temporal-cli.ts'

export interface BuildOptions {
  env: LauncherEnvironment
  progress: Progress
  /** The module that pins the versions. */
  sources?: string
}

const pinnedSources = resolve(import.meta.dirname, '..', '..', 'tools', 'temporal')
const lockTimeoutMs = 30 * 60_000

interface Plan {
  sources: string
  directory: string
  executable: string
  lock: string
  /** For people: which versions are built. */
  title: string
}

/** The server built before from the same pinned versions, by whichever checkout. */
export function builtEarlier(env: LauncherEnvironment, sources?: string): string | undefined {
  const { executable } = planOf(env, sources)
  return executableProblem(executable) || trustProblem(executable) ? undefined : executable
}

/** Builds the pinned Temporal server through the Go module proxy; throws the reason it cannot. */
export async function buildTemporal(options: BuildOptions): Promise<string> {
  const { env, progress, sources } = options
  const plan = planOf(env, sources)
  const go = onPath(env.path, 'go')
  if (!go) throw new Error('Go is not installed (no `go` on the PATH nor in /usr/local/go)')
  mkdirSync(plan.directory, { recursive: true })
  const step = progress.step(
    `building ${plan.title}`,
    'once for this machine, about 4 minutes on two cores',
  )
  try {
    await withLock(plan.lock, waitFor(plan, step), async () => {
      if (!builtEarlier(env, sources))
        await build(plan, { go, env: goEnvironment(env, plan), step })
    })
    step.done(plan.executable)
    return plan.executable
  } catch (error) {
    step.failed('see below')
    throw error
  }
}

function waitFor(plan: Plan, step: Step) {
  return {
    what: `building ${plan.title} from ${plan.sources}`,
    timeoutMs: lockTimeoutMs,
    onWait: (owner: LockOwner, waitedMs: number) => {
      const seconds = Math.round(waitedMs / 1_000)
      step.update(`waiting ${seconds} s for process ${owner.pid}: ${owner.what}`)
    },
  }
}

async function build(plan: Plan, tools: GoTools): Promise<void> {
  for (const left of readdirSync(plan.directory)) {
    if (left.startsWith('draft-')) rmSync(join(plan.directory, left), { force: true })
  }
  const draft = join(plan.directory, `draft-${process.pid}`)
  try {
    const stale = await staleOf(tools, plan.sources)
    await goBuild(tools, { sources: plan.sources, output: draft, packages: stale })
    chmodSync(draft, 0o755)
    const finding = await inspectCli(draft)
    if ('reason' in finding) throw new Error(`the build does not run: ${finding.reason}`)
    renameSync(draft, plan.executable)
    rmSync(ownGoCaches(plan), { recursive: true, force: true })
  } finally {
    rmSync(draft, { force: true })
  }
}

/** The key changes with every pinned version: another checkout may pin another one. */
function planOf(env: LauncherEnvironment, sources = pinnedSources): Plan {
  const module = readFileSync(join(sources, 'go.mod'), 'utf8')
  const sums = readFileSync(join(sources, 'go.sum'), 'utf8')
  const cli = pinnedVersion(module, 'github.com/temporalio/cli')
  const server = pinnedVersion(module, 'go.temporal.io/server')
  const hash = createHash('sha256').update(module).update('\0').update(sums).digest('hex')
  const platform = `${process.platform}-${process.arch}`
  const key = `cli${cli}-server${server}-${platform}-${hash.slice(0, 12)}`
  const base = join(cacheRoot(env), 'temporal')
  const suffix = process.platform === 'win32' ? '.exe' : ''
  return {
    sources,
    directory: join(base, key),
    executable: join(base, key, `temporal${suffix}`),
    lock: join(base, `${key}.lock`),
    title: `Temporal ${server}`,
  }
}

function pinnedVersion(module: string, path: string): string {
  const line = module.split('\n').find((text) => text.trim().split(' ')[0] === path)
  return line?.trim().split(' ')[1]?.replace(/^v/, '') ?? 'unknown'
}

/** Three gigabytes that a build leaves; after it nobody needs them. */
function ownGoCaches(plan: Plan): string {
  return join(plan.directory, 'go')
}

/** Go keeps its caches below the home directory; without one they go into ours. */
function goEnvironment(env: LauncherEnvironment, plan: Plan): Record<string, string> {
  const base = { ...env.all, PATH: env.path, CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '' }
  if (env.home && isWritable(env.home)) return { ...base, HOME: env.home }
  const own = ownGoCaches(plan)
  return {
    GOCACHE: join(own, 'build'),
    GOPATH: own,
    GOMODCACHE: join(own, 'mod'),
    GOTELEMETRY: 'off',
    ...base,
    HOME: own,
    GOFLAGS: '-modcacherw',
  }
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK)
    return true
  } catch {
    return false
  }
}
