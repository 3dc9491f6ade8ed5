/** `npm run doctor`: what is missing or in the way, and the one command that mends it. */
import { accessSync, constants } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { ping } from '../db/database.ts'
import { type CommandInput, runCommand } from './command.ts'
import type { LauncherEnvironment } from './launch/environment.ts'
import { heldPorts } from './launch/held-ports.ts'
import { reasonOf } from './launch/not-ready.ts'
import { pathsOf, prepareDataDir } from './launch/paths.ts'
import { portOwner } from './launch/port-owner.ts'
import { isFree, knownPorts } from './launch/ports.ts'
import { postgresBinaries } from './launch/postgres-binaries.ts'
import { silentProgress } from './launch/progress.ts'
import { builtEarlier } from './launch/temporal-build.ts'
import { inspectCli, onPath } from './launch/temporal-cli.ts'
import { askTemporal } from './launch/temporal-connection.ts'
import { withDatabase } from './stack/database.ts'
import { readStatus } from './stack/status.ts'

interface Finding {
  check: string
  ok: boolean
  found: string
  /** The command or change that mends it; null where all is well. */
  fix: string | null
}

const fine = (check: string, found: string): Finding => ({ check, ok: true, found, fix: null })
const wrong = (check: string, found: string, fix: string): Finding => ({
  check,
  ok: false,
  found,
  fix,
})

const neededBytes = 2 * 1024 ** 3

async function checkDisk(env: LauncherEnvironment): Promise<Finding> {
  const { bavail, bsize } = await statfs(pathsOf(env).root)
  const free = bavail * bsize
  const found = `${(free / 1024 ** 3).toFixed(1)} GiB free`
  return free >= neededBytes
    ? fine('disk', found)
    : wrong('disk', found, 'free 2 GiB for the database and the build of Temporal')
}

function checkWriting(env: LauncherEnvironment): Finding {
  const { data } = prepareDataDir(env)
  try {
    accessSync(data, constants.W_OK)
    return fine('writing', data)
  } catch (error) {
    return wrong('writing', reasonOf(error), `make ${data} writable for you`)
  }
}

async function checkDatabase(env: LauncherEnvironment): Promise<Finding> {
  if (env.databaseUrl) {
    return withDatabase(env.databaseUrl, ({ db }) => ping(db)).then(
      () => fine('PostgreSQL', 'the one of DATABASE_URL answers'),
      (error) => wrong('PostgreSQL', reasonOf(error), 'correct DATABASE_URL or unset it'),
    )
  }
  try {
    return fine('PostgreSQL', postgresBinaries(env, silentProgress()).postgres)
  } catch (error) {
    return wrong('PostgreSQL', reasonOf(error), 'npm ci, or set DATABASE_URL to a server of yours')
  }
}

async function checkTemporal(env: LauncherEnvironment): Promise<Finding> {
  if (env.temporalAddress) {
    const answer = await askTemporal(env.temporalAddress, {
      apiKey: env.temporalApiKey,
      tls: env.temporalTls,
      connectTimeoutMs: 3_000,
    })
    return 'reason' in answer
      ? wrong('Temporal', answer.reason, 'correct TEMPORAL_ADDRESS or unset it')
      : fine('Temporal', `${answer.version} at ${env.temporalAddress}`)
  }
  const file = env.temporalCli ?? onPath(env.path, 'temporal') ?? builtEarlier(env)
  if (file) {
    const inspected = await inspectCli(file)
    return 'reason' in inspected
      ? wrong('Temporal', `${file}: ${inspected.reason}`, 'update it, or take it off the PATH')
      : fine('Temporal', `${inspected.cli.version} from ${file}`)
  }
  return onPath(env.path, 'go')
    ? fine('Temporal', 'none yet; the next start downloads it or builds it with Go (4 minutes)')
    : wrong(
        'Temporal',
        'no server, no `temporal` and no Go on this machine',
        'install the Temporal CLI or Go, or set TEMPORAL_ADDRESS',
      )
}

async function checkPorts(env: LauncherEnvironment): Promise<Finding[]> {
  const held: Record<string, number> = await heldPorts(env)
  const running = (await readStatus(env))?.ready === true
  const findings = Object.entries(knownPorts(env)).map(async ([role, port]) => {
    const check = `port of ${role}`
    if (held[role] === port || running) return fine(check, `${port}, ours`)
    if (await isFree(port)) return fine(check, `${port}, free`)
    return fine(check, `${port} is busy (${portOwner(port) ?? 'unknown'}); another will be taken`)
  })
  return Promise.all(findings)
}

async function run({ env, print }: CommandInput): Promise<number> {
  const findings = [
    fine('Node', process.version),
    await checkDisk(env),
    checkWriting(env),
    await checkDatabase(env),
    await checkTemporal(env),
    ...(await checkPorts(env)),
  ]
  const ok = findings.every((finding) => finding.ok)
  print({ ok, findings }, () =>
    findings
      .map(({ check, ok: good, found, fix }) =>
        [`${good ? '✓' : '✗'} ${check}: ${found}`, ...(fix ? [`    ${fix}`] : [])].join('\n'),
      )
      .join('\n'),
  )
  return ok ? 0 : 3
}

await runCommand({
  name: 'doctor',
  usage: 'npm run doctor: what is missing or in the way, and what mends it',
  run,
})
