/** `npm run dev`: everything runs in one terminal until Ctrl-C. */
import { writeFileSync } from 'node:fs'
import { type CommandInput, runCommand } from './command.ts'
import { heldPorts } from './launch/held-ports.ts'
import { pathsOf, prepareDataDir } from './launch/paths.ts'
import { choosePorts } from './launch/ports.ts'
import { startPostgres } from './launch/postgres.ts'
import { stopStale } from './launch/process-records.ts'
import { takeSupervisorLock } from './launch/supervisor-lock.ts'
import { banner } from './stack/banner.ts'
import { devDirectory } from './stack/keep.ts'
import { type KeptServer, keepAlive } from './stack/keep-alive.ts'
import { seedPartners } from './stack/seed.ts'
import { type Stack, startStack } from './stack/stack.ts'
import { type DevStatus, statusFile } from './stack/status.ts'

function statusOf(stack: Stack): DevStatus {
  const { address, how, namespace } = stack.temporal
  return {
    urls: stack.urls,
    psql: `psql ${stack.database.url}`,
    temporal: { address, how, namespace },
  }
}

/** Our own servers, which are watched; those of somebody else are not. */
function ownServers(
  stack: Stack,
  input: CommandInput,
  ports: Awaited<ReturnType<typeof choosePorts>>,
) {
  const { env, progress } = input
  const servers: KeptServer[] = []
  if (stack.database.server) {
    const { pid, port } = stack.database.server
    const restart = async () => (await startPostgres({ env, progress, port, purpose: 'dev' })).pid
    servers.push({ name: 'postgres', pid, port, restart })
  }
  if (stack.temporal.pid !== null) {
    const { restartTemporal: restart } = stack
    servers.push({ name: 'temporal', pid: stack.temporal.pid, port: ports.temporal, restart })
  }
  return servers
}

/** Resolves when a person or the system asks to stop; a second request kills at once. */
function stopRequested(onSecond: () => void): Promise<void> {
  return new Promise((resolve) => {
    let asked = false
    const ask = () => {
      if (asked) onSecond()
      asked = true
      resolve()
    }
    process.on('SIGINT', ask).on('SIGTERM', ask)
  })
}

async function run(input: CommandInput): Promise<number> {
  const { env, progress, print } = input
  prepareDataDir(env)
  const lock = takeSupervisorLock(env, 'npm run dev')
  let stack: Stack | undefined
  const stopping = stopRequested(() => {
    void stack?.stop()
    process.exit(1)
  })
  try {
    await stopStale(env, progress)
    const ports = await choosePorts({ env, progress, held: await heldPorts(env) })
    stack = await startStack({
      env,
      home: env,
      progress,
      purpose: 'dev',
      ports,
      directory: devDirectory(env),
      root: pathsOf(env).root,
      run: 'dev',
    })
    const keys = await seedPartners(stack, devDirectory(env), progress)
    const status = statusOf(stack)
    writeFileSync(statusFile(env), JSON.stringify(status, null, 2), { mode: 0o600 })
    const watch = keepAlive(ownServers(stack, input, ports), progress)
    print(
      { ready: true, ...status, keys },
      () => `${banner(status, keys)}\n  Ctrl-C stops everything.`,
    )
    await stopping
    progress.note('stopping')
    await watch.stop()
    await stack.stop()
    return 0
  } finally {
    lock.release()
  }
}

await runCommand({
  name: 'dev',
  usage: 'npm run dev: everything runs here until Ctrl-C',
  run,
})
