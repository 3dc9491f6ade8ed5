/** Makes the data of a finished demo that of `npm run dev`; what was there is moved aside. */
import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { databaseExists, renameDatabase } from '../launch/databases.ts'
import type { LauncherEnvironment } from '../launch/environment.ts'
import { NotReady } from '../launch/not-ready.ts'
import { pathsOf } from '../launch/paths.ts'
import type { Progress } from '../launch/progress.ts'
import { runningSupervisor } from '../launch/supervisor-lock.ts'
import { runningTemporal, stopTemporal } from '../launch/temporal-adopt.ts'
import { devDatabase } from './database.ts'
import type { ThrowawayStack } from './throwaway.ts'

/** Where `npm run dev` keeps secrets, keys and the sandbox's journal. */
export function devDirectory(env: LauncherEnvironment): string {
  return join(pathsOf(env).data, 'dev')
}

/** @throws NotReady while `npm run dev` uses the data that would be moved. */
export function refuseToKeep(env: LauncherEnvironment): void {
  const running = runningSupervisor(env)
  if (running) {
    throw new NotReady(`\`npm run dev\` is running (process ${running.pid}); stop it first`)
  }
}

/** Files that a stack has besides its database. */
const stackFiles = [
  'secrets.json',
  'keks.json',
  'docusign-key.pem',
  'audit-key.pem',
  'audit-heads.jsonl',
  'keys.json',
  'sandbox.journal',
  'tls',
]

/** Runs while the database server is up and nobody is connected to the databases. */
export async function keepAsDevelopment(
  env: LauncherEnvironment,
  stack: ThrowawayStack,
  progress: Progress,
): Promise<void> {
  const server = stack.database.server
  if (!server) throw new Error('there is no database server of our own to keep the data in')
  const stamp = new Date().toISOString().slice(0, 19).replace(/\D/g, '')
  if (await databaseExists(server.url, devDatabase)) {
    const before = `${devDatabase}_before_${stamp}`
    await renameDatabase(server.url, { from: devDatabase, to: before })
    progress.note(`the former development database is ${before} now`)
  }
  const from = basename(new URL(stack.database.url).pathname)
  await renameDatabase(server.url, { from, to: devDatabase })
  if (runningTemporal(env)) await stopTemporal(env)
  moveAside(env, stamp)
  const target = devDirectory(env)
  mkdirSync(target, { recursive: true })
  for (const file of stackFiles) {
    const source = join(stack.directory, file)
    if (existsSync(source)) cpSync(source, join(target, file), { recursive: true })
  }
}

/** The engine's state belongs to the former database: its processes know nothing of the new one. */
function moveAside(env: LauncherEnvironment, stamp: string): void {
  const { data } = pathsOf(env)
  const aside = join(data, `dev-before-${stamp}`)
  const dev = devDirectory(env)
  if (existsSync(dev)) renameSync(dev, aside)
  const engine = readdirSync(data).filter((file) => file.startsWith('temporal.db'))
  if (engine.length === 0) return
  mkdirSync(aside, { recursive: true })
  for (const file of engine) renameSync(join(data, file), join(aside, file))
  rmSync(join(data, 'temporal.json'), { force: true })
}
