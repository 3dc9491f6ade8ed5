/** `npm run reset`: forgets all development data of this checkout. */
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { CommandError, type CommandInput, runCommand } from './command.ts'
import { isLoopback } from './launch/databases.ts'
import { pathsOf } from './launch/paths.ts'
import { removePostgres } from './launch/postgres.ts'
import { stopStale } from './launch/process-records.ts'
import { runningSupervisor } from './launch/supervisor-lock.ts'
import { runningTemporal, stopTemporal } from './launch/temporal-adopt.ts'

async function confirmed(data: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new CommandError('this deletes data; say --yes to do it without being asked', 2)
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await terminal.question(`Delete ${data} with the development database? [y/N] `)
  terminal.close()
  return /^y(es)?$/i.test(answer.trim())
}

async function run({ env, progress, flags, print }: CommandInput): Promise<number> {
  if (env.databaseUrl && !isLoopback(env.databaseUrl)) {
    throw new CommandError('DATABASE_URL names another machine; nothing is deleted there', 2)
  }
  const running = runningSupervisor(env)
  if (running) {
    throw new CommandError(`npm run dev is running (process ${running.pid}); stop it first`, 3)
  }
  const { data } = pathsOf(env)
  if (flags.yes !== true && !(await confirmed(data))) return 1
  await stopStale(env, progress)
  if (runningTemporal(env)) await stopTemporal(env)
  await removePostgres(env)
  rmSync(data, { recursive: true, force: true })
  print({ reset: true, removed: data }, () => 'reset; the next npm run dev starts afresh')
  return 0
}

await runCommand({
  name: 'reset',
  usage: 'npm run reset [-- --yes]: forgets the development data of this checkout',
  flags: { yes: { type: 'boolean', describe: 'do not ask' } },
  run,
})
