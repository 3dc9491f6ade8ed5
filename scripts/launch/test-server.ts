import { execFile } from 'node:child_process'
import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import type { LauncherEnvironment } from './environment.ts'
import { type LockOwner, withLock } from './lock.ts'
import { NotReady, reasonOf } from './not-ready.ts'
import { cacheRoot, trustProblem } from './paths.ts'
import type { Progress, Step } from './progress.ts'
import { downloadBySdk, downloadedEarlier } from './sdk-download.ts'
import type { ChainStep } from './temporal-chain.ts'
import { executableProblem, onPath } from './temporal-cli.ts'

export interface TestServerOptions {
  env: LauncherEnvironment
  progress: Progress
}

const pinned = resolve(import.meta.dirname, '../../tools/temporal-test-server/pom.xml')
const mavenLimitMs = 10 * 60_000

/**
 * The executable of Temporal's time-skipping test server, for `TestWorkflowEnvironment`'s
 * `createTimeSkipping({ server: { executable: { type: 'existing-path', path } } })`.
 */
export async function provideTestServer(options: TestServerOptions): Promise<string> {
  const { env } = options
  const skipped: ChainStep[] = []
  const named = env.all.TEMPORAL_TEST_SERVER
  if (named) {
    const problem = executableProblem(named)
    if (!problem) return named
    skipped.push({ name: 'TEMPORAL_TEST_SERVER', reason: problem })
  } else {
    skipped.push({ name: 'TEMPORAL_TEST_SERVER', reason: 'not set' })
  }
  const downloaded = downloadedEarlier(env, 'test-server')
  const java = javaProgram(env)
  if (java) {
    try {
      return await fromMaven(options, java)
    } catch (error) {
      skipped.push({ name: 'Maven', reason: reasonOf(error) })
    }
  } else {
    skipped.push({ name: 'Maven', reason: 'there is no Java (no `java` on the PATH)' })
  }
  if (downloaded) return downloaded
  const result = await downloadBySdk(env, 'test-server')
  if ('path' in result) return result.path
  skipped.push({ name: "the SDK's download", reason: result.reason })
  throw new NotReady(missingMessage(skipped))
}

function missingMessage(steps: readonly ChainStep[]): string {
  const tried = steps.map(({ name, reason }) => `  - ${name}: ${reason}`)
  return [
    "Temporal's time-skipping test server is not to be had. Tried, in this order:",
    ...tried,
    'The two shortest ways out:',
    '  1. install Java 17 and Maven and run the tests again;',
    '  2. set TEMPORAL_TEST_SERVER to the executable.',
  ].join('\n')
}

async function fromMaven(options: TestServerOptions, java: string): Promise<string> {
  const { env, progress } = options
  const version = pinnedVersion()
  const base = join(cacheRoot(env), 'temporal-test-server')
  const directory = join(base, version)
  const wrapper = join(directory, 'temporal-test-server')
  if (isReady(wrapper, java)) return wrapper
  const maven = onPath(env.path, 'mvn')
  if (!maven) throw new Error('Maven is not installed (no `mvn` on the PATH)')
  const step = progress.step(`Temporal test server ${version}`, 'jumps over time in tests')
  try {
    await withLock(`${directory}.lock`, waitFor(version, step), async () => {
      if (!isReady(wrapper, java)) await copyJars({ maven, java, directory, env, step })
    })
    step.done(wrapper)
    return wrapper
  } catch (error) {
    step.failed(reasonOf(error))
    throw error
  }
}

function waitFor(version: string, step: Step) {
  return {
    what: `fetching the Temporal test server ${version}`,
    timeoutMs: mavenLimitMs,
    onWait: (owner: LockOwner) => step.update(`waiting for process ${owner.pid}: ${owner.what}`),
  }
}

/** The wrapper names the Java it was made with; another Java makes it anew. */
function isReady(wrapper: string, java: string): boolean {
  if (executableProblem(wrapper) || trustProblem(wrapper)) return false
  return readFileSync(wrapper, 'utf8').includes(`exec '${java}' `)
}

interface Copy {
  maven: string
  java: string
  directory: string
  env: LauncherEnvironment
  step: Step
}

async function copyJars({ maven, java, directory, env, step }: Copy): Promise<void> {
  const draft = `${directory}.draft-${process.pid}`
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { recursive: true })
  try {
    // Maven may leave files beside the description; the checkout stays as it is.
    const pom = join(draft, 'pom.xml')
    copyFileSync(pinned, pom)
    step.update('Maven fetches about 40 files (38 MB)')
    const args = ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', '-DincludeScope=runtime']
    await runMaven(maven, [...args, `-DoutputDirectory=${draft}`, ...repository(env)], env)
    const wrapper = join(draft, 'temporal-test-server')
    writeFileSync(wrapper, wrapperScript(java))
    chmodSync(wrapper, 0o755)
    if (existsSync(directory)) rmSync(directory, { recursive: true, force: true })
    renameSync(draft, directory)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

/** `exec` because the SDK stops the server by killing exactly the process it started. */
function wrapperScript(java: string): string {
  return [
    '#!/bin/sh',
    'DIR=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)',
    `exec '${java}' -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx256m \\`,
    '  -cp "$DIR/*" io.temporal.testserver.TestServer "$1"',
    '',
  ].join('\n')
}

function javaProgram(env: LauncherEnvironment): string | undefined {
  const home = env.all.JAVA_HOME
  const ofHome = home && join(home, 'bin', process.platform === 'win32' ? 'java.exe' : 'java')
  if (ofHome && !executableProblem(ofHome)) return ofHome
  return onPath(env.path, 'java')
}

/** Maven keeps its repository below the home directory; without one it goes into the cache. */
function repository(env: LauncherEnvironment): string[] {
  try {
    accessSync(env.home ?? '', constants.W_OK)
    return []
  } catch {
    return [`-Dmaven.repo.local=${join(cacheRoot(env), 'maven')}`]
  }
}

function runMaven(maven: string, args: readonly string[], env: LauncherEnvironment): Promise<void> {
  return new Promise((resolve, reject) => {
    const options = { env: { ...env.all, PATH: env.path }, timeout: mavenLimitMs }
    execFile(maven, args, options, (error, stdout) => {
      if (!error) return resolve()
      const line = String(stdout)
        .split('\n')
        .find((text) => text.startsWith('[ERROR]'))
      reject(new Error(`Maven failed: ${line?.slice(8, 300) ?? reasonOf(error)}`))
    })
  })
}

function pinnedVersion(): string {
  const text = readFileSync(pinned, 'utf8')
  const found = /<artifactId>temporal-test-server<\/artifactId>\s*<version>([\d.]+)</.exec(
    text.slice(text.indexOf('<dependency>')),
  )
  if (!found?.[1]) throw new Error(`${pinned} names no version of the test server`)
  return found[1]
}
