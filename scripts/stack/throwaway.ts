/** A stack for one run: free ports, a folder of its own, and nothing left of it afterwards. */
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { NewProgramme } from '../../db/programmes.ts'
import type { LauncherEnvironment } from '../launch/environment.ts'
import { pathsOf } from '../launch/paths.ts'
import { freePort, type Ports, portRoles } from '../launch/ports.ts'
import type { Progress } from '../launch/progress.ts'
import { type Stack, startStack } from './stack.ts'

export interface ThrowawayOptions {
  env: LauncherEnvironment
  progress: Progress
  /** What it is for, like `demo`; names its database and folder. */
  name: string
  yes?: boolean
  /** Builds it so that its data can become that of `npm run dev`. */
  keep?: boolean
  /** What the programme has otherwise than that of the demo. */
  programme?: Partial<NewProgramme>
  /** Its Temporal can be killed and started again. */
  temporalRevives?: boolean
  /** Addresses of modules that are loaded into the worker, made from the stack's folder. */
  workerPreload?: (directory: string) => readonly string[]
}

export interface ThrowawayStack extends Stack {
  /** Deleted with the stack. */
  directory: string
}

async function freePorts(): Promise<Ports> {
  const ports = new Set<number>()
  while (ports.size < portRoles.length) ports.add(await freePort())
  const [...free] = ports
  return Object.fromEntries(portRoles.map((role, i) => [role, free[i] ?? 0])) as Ports
}

/** Starts a stack that is forgotten when it stops. */
export async function startThrowaway(options: ThrowawayOptions): Promise<ThrowawayStack> {
  const { env, progress, name, yes, keep, programme, workerPreload, temporalRevives } = options
  const { root, data } = pathsOf(env)
  const run = `${name}_${process.pid}_${Date.now().toString(36)}`
  const directory = join(data, 'runs', run)
  mkdirSync(directory, { recursive: true })
  const forget = () => rmSync(directory, { recursive: true, force: true })
  try {
    const stack = await startStack({
      env: { ...env, root: directory },
      home: env,
      progress,
      purpose: keep ? 'kept' : 'throwaway',
      ports: await freePorts(),
      directory,
      root,
      run,
      ...(yes === undefined ? {} : { yes }),
      ...(programme ? { programme } : {}),
      ...(workerPreload ? { workerPreload: workerPreload(directory) } : {}),
      ...(temporalRevives ? { temporalState: join(directory, 'temporal.db') } : {}),
    })
    const end = async (between?: () => Promise<void>) => {
      await stack.stop(between)
      forget()
    }
    // Once: a second time nothing of it is there any more.
    let ended: Promise<void> | undefined
    const stop = (between?: () => Promise<void>) => {
      ended ??= end(between)
      return ended
    }
    return { ...stack, directory, stop }
  } catch (error) {
    forget()
    throw error
  }
}
