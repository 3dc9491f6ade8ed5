/** The official server whose time can be skipped, started with the patience of a busy machine. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { Client, Connection } from '@temporalio/client'
import { guardThrowaway } from '../../scripts/launch/guard.ts'
import { freePort } from '../../scripts/launch/ports.ts'
import { accepts } from '../../scripts/launch/temporal-server.ts'
import { until } from './until.ts'

export interface SkippingServer {
  address: string
  stop(signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>
}

/**
 * The SDK would start it, too, but gives it five seconds.
 * @param java options for a server that runs in Java
 */
export async function startSkippingServer(program: string, java = ''): Promise<SkippingServer> {
  const port = await freePort()
  const env = { PATH: '/usr/bin:/bin', ...(java ? { JAVA_TOOL_OPTIONS: java } : {}) }
  const child = spawn(program, [String(port)], { env, stdio: 'ignore' })
  const ended = once(child, 'exit')
  const guard = child.pid ? guardThrowaway({ pid: child.pid, signal: 'KILL', remove: [] }) : null
  const stop = async (signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL') => {
    guard?.release()
    child.kill(signal)
    await ended
  }
  const hasEnded = ended.then(() => {
    throw new Error(`${program} ended with ${child.signalCode ?? child.exitCode}`)
  })
  await Promise.race([hasEnded, until(() => accepts(port))])
  // Who stops it wants its end.
  hasEnded.catch(() => {})
  return { address: `127.0.0.1:${port}`, stop }
}

/** With its classes as they lie in memory, Java starts in half the time. */
export const withArchive = (archive: string) =>
  existsSync(archive) ? `-XX:SharedArchiveFile=${archive}` : ''

/** Makes the archive, once for a checkout. Where that fails, servers start without it. */
export async function makeArchive(program: string, archive: string): Promise<void> {
  if (existsSync(archive)) return
  const draft = `${archive}.${process.pid}`
  try {
    const server = await startSkippingServer(program, `-XX:ArchiveClassesAtExit=${draft}`)
    try {
      await useAll(server.address)
    } finally {
      await server.stop('SIGTERM')
    }
    await rename(draft, archive)
  } catch {
    // A server that is no Java program has no classes.
  }
}

/** What the archive holds is what was used. */
async function useAll(address: string): Promise<void> {
  const connection = await Connection.connect({ address })
  try {
    const { workflow } = new Client({ connection })
    const handle = await workflow.start('nothing', { workflowId: 'nothing', taskQueue: 'nowhere' })
    await handle.signal('nothing')
    await handle.describe()
    await handle.fetchHistory()
    await handle.terminate()
  } finally {
    await connection.close()
  }
}
