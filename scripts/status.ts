/** `npm run status`: what runs, where, and with which keys. */
import { type CommandInput, runCommand } from './command.ts'
import { readStatus } from './stack/status.ts'

const notStarted = {
  ready: false,
  urls: null,
  keys: null,
  psql: null,
  processes: [],
  temporal: null,
}

async function run({ env, print }: CommandInput): Promise<number> {
  const status = await readStatus(env)
  if (!status) {
    print(notStarted, () => 'nothing has been started yet: npm run dev')
    return 3
  }
  print(status, () =>
    [
      status.ready ? 'ready' : 'not ready: npm run dev starts everything, npm run doctor looks',
      ...Object.entries(status.urls).map(([name, url]) => `  ${name.padEnd(16)} ${url ?? '-'}`),
      ...Object.entries(status.keys).map(([role, key]) => `  ${role.padEnd(16)} ${key ?? '-'}`),
      `  ${'psql'.padEnd(16)} ${status.psql}`,
      `  ${'temporal'.padEnd(16)} ${status.temporal.address} (${status.temporal.how})`,
      ...status.processes.map(
        ({ name, pid, port, state }) =>
          `  ${name.padEnd(16)} ${state}, process ${pid ?? '-'}, port ${port ?? '-'}`,
      ),
    ].join('\n'),
  )
  return status.ready ? 0 : 3
}

await runCommand({
  name: 'status',
  usage: 'npm run status [-- --json]: what runs, where, and with which keys',
  run,
})
