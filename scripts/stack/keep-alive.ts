/** Brings PostgreSQL and Temporal back when they die under a running `npm run dev`. */
import { setTimeout as pause } from 'node:timers/promises'
import { reasonOf } from '../launch/not-ready.ts'
import { isAlive } from '../launch/process-identity.ts'
import type { Progress } from '../launch/progress.ts'

export interface KeptServer {
  name: string
  pid: number
  port: number
  /** Starts it again from the same data, at the same place. @returns its new process. */
  restart(): Promise<number>
}

const lookEveryMs = 500
const restartAfterMs = 1_000

export interface KeepAlive {
  /** The servers with the processes they have now. */
  list(): { name: string; pid: number; port: number; state: 'running' | 'restarting' }[]
  stop(): Promise<void>
}

/** Looks at each server twice a second; one that is gone is started again after a second. */
export function keepAlive(servers: KeptServer[], progress: Progress): KeepAlive {
  const stopping = new AbortController()
  const restarting = new Set<string>()

  async function watch(server: KeptServer): Promise<void> {
    while (!stopping.signal.aborted) {
      await pause(lookEveryMs, undefined, { signal: stopping.signal }).catch(() => {})
      if (stopping.signal.aborted || isAlive(server.pid)) continue
      restarting.add(server.name)
      progress.note(`${server.name} ended: starting it again`)
      await pause(restartAfterMs, undefined, { signal: stopping.signal }).catch(() => {})
      if (stopping.signal.aborted) return
      try {
        server.pid = await server.restart()
        restarting.delete(server.name)
      } catch (error) {
        progress.note(`${server.name} does not start: ${reasonOf(error)}`)
      }
    }
  }

  const watching = Promise.all(servers.map(watch))
  return {
    list: () =>
      servers.map(({ name, pid, port }) => ({
        name,
        pid,
        port,
        state: restarting.has(name) ? 'restarting' : 'running',
      })),
    async stop() {
      stopping.abort()
      await watching
    },
  }
}
