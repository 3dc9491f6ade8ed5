import { setTimeout as delay } from 'node:timers/promises'
import type { LauncherEnvironment } from './environment.ts'
import { reasonOf } from './not-ready.ts'
import { send } from './process-identity.ts'
import { forgetProcess, livingProcesses } from './process-records.ts'
import { type ProcessSpec, type RunningProcess, startProcess, stopProcess } from './processes.ts'
import type { Progress } from './progress.ts'

export interface SupervisorOptions {
  env: LauncherEnvironment
  progress: Progress
  /** A child that dies is started again after this time. */
  restartDelayMs?: number
  onRestart?: (restart: Restart) => void
}

export interface Restart {
  name: string
  /** How the child ended, or why the last attempt failed. */
  reason: string
  attempt: number
}

export type ChildState = 'starting' | 'running' | 'restarting' | 'stopped'

export interface SupervisedProcess {
  name: string
  pid: number | null
  port: number | null
  state: ChildState
}

export interface Supervisor {
  /** Starts the child and keeps it running; fails if it does not become ready the first time. */
  start(spec: ProcessSpec): Promise<RunningProcess>
  list(): SupervisedProcess[]
  /** Stops all in the given order, the unnamed last; a second call kills at once. */
  stop(order?: readonly string[]): Promise<void>
}

interface Child {
  spec: ProcessSpec
  state: ChildState
  running: RunningProcess | undefined
  /** A start under way, which a stop has to wait for. */
  starting: Promise<unknown>
}

export function supervise(options: SupervisorOptions): Supervisor {
  const { env, progress, restartDelayMs = 1_000 } = options
  const children = new Map<string, Child>()
  const stopping = new AbortController()
  const { signal } = stopping
  let end: Promise<void> | undefined

  async function launch(child: Child): Promise<RunningProcess> {
    const running = await startProcess({ ...child.spec, signal }, env)
    child.running = running
    child.state = 'running'
    void running.exited.then((exit) => {
      if (signal.aborted) return
      forgetProcess(env, running.name)
      child.starting = restart(child, exit.signal ?? `code ${exit.code}`)
    })
    return running
  }

  async function restart(child: Child, reason: string): Promise<void> {
    const { name } = child.spec
    let why = reason
    for (let attempt = 1; !signal.aborted; attempt += 1) {
      child.state = 'restarting'
      child.running = undefined
      progress.note(`${name} ended (${why}): starting it again`)
      options.onRestart?.({ name, reason: why, attempt })
      await delay(restartDelayMs, undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      try {
        await launch(child)
        progress.note(`${name} runs again`)
        return
      } catch (error) {
        why = reasonOf(error)
      }
    }
  }

  async function stopInOrder(order: readonly string[]): Promise<void> {
    const unnamed = [...children.keys()].filter((name) => !order.includes(name))
    for (const name of [...order, ...unnamed]) {
      const child = children.get(name)
      if (!child) continue
      await child.starting
      if (child.running) await stopProcess(child.running, env, child.spec.graceMs)
      child.state = 'stopped'
    }
  }

  return {
    async start(spec) {
      const child: Child = { spec, state: 'starting', running: undefined, starting: noStart }
      children.set(spec.name, child)
      const started = launch(child)
      child.starting = started.catch(() => {
        child.state = 'stopped'
      })
      return started
    },
    list: () =>
      [...children.values()].map(({ spec, state, running }) => {
        const pid = running?.pid ?? null
        return { name: spec.name, pid, port: spec.port ?? null, state }
      }),
    stop(order = []) {
      if (end !== undefined) killAtOnce(env)
      stopping.abort()
      end ??= stopInOrder(order)
      return end
    },
  }
}

const noStart = Promise.resolve()

function killAtOnce(env: LauncherEnvironment): void {
  for (const { pid } of livingProcesses(env)) send(pid, { name: 'SIGKILL', group: true })
}
