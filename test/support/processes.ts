/** Processes with stand-ins for their steps, on the official server whose time can be skipped. */
import { activityInfo } from '@temporalio/activity'
import { TestWorkflowEnvironment } from '@temporalio/testing'
import { Worker } from '@temporalio/worker'
import type { ActivityDeps } from '../../activities/deps.ts'
import { type Activities, createActivities } from '../../activities/index.ts'
import { taskQueue } from '../../domain/process-names.ts'
import { quietRuntime } from './product.ts'
import { startSkippingServer, withArchive } from './skipping-server.ts'
import { suiteFacts, takeNamespace } from './suite.ts'
import { until } from './until.ts'

type StepName = keyof Activities
type Input = Record<string, unknown>

export type StandIns = { [Name in StepName]?: (input: never) => unknown }

export interface StepCall {
  step: StepName
  input: Input
  /** When the process asked for the step, by the clock of the server. */
  at: number
}

export interface SteppedWorker {
  /** Every step that was run, in order. */
  calls: StepCall[]
  /** The names alone, without mails unless they are wanted. */
  steps(options?: { mails: boolean }): string[]
  /** Resolves when the step has been run so many times. */
  ran(step: StepName, times?: number): Promise<void>
  runUntil<T>(work: () => Promise<T>): Promise<T>
}

const stepNames = Object.keys(createActivities({} as ActivityDeps)) as StepName[]

/**
 * A server of its own: the clock is one for all that runs on it. When nothing runs any more it
 * jumps on to whatever timers are left, so that times are compared at steps, not at the end.
 */
export async function startSkipping(
  program = suiteFacts().testServer,
): Promise<TestWorkflowEnvironment> {
  quietRuntime()
  const { testServerArchive } = suiteFacts()
  const server = await startSkippingServer(program, withArchive(testServerArchive))
  const { address } = server
  const env = await sdk.create({
    address,
    server: { type: 'existing' },
    supportsTimeSkipping: true,
  })
  const teardown = env.teardown.bind(env)
  return Object.assign(env, {
    async teardown() {
      await endWorkers(env)
      await teardown()
      await server.stop()
    },
  })
}

/** What `createTimeSkipping` calls; it is not to be had with a server that runs already. */
const sdk = TestWorkflowEnvironment as unknown as {
  create(options: object): Promise<TestWorkflowEnvironment>
}

const workersOf = new WeakMap<TestWorkflowEnvironment, Set<Worker>>()

/**
 * A test that is out of time leaves its worker behind: it would ask a server that is gone for work
 * until the last file has run.
 */
async function endWorkers(env: TestWorkflowEnvironment): Promise<void> {
  const workers = workersOf.get(env) ?? []
  for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown()
  await until(() =>
    [...workers].every((worker) =>
      ['STOPPED', 'FAILED', 'INITIALIZED'].includes(worker.getState()),
    ),
  )
}

/** The suite's development server, in a namespace of this file, for what needs no skipping. */
export function joinDevServer(): Promise<TestWorkflowEnvironment> {
  quietRuntime()
  return TestWorkflowEnvironment.createFromExistingServer({
    address: suiteFacts().temporalAddress,
    namespace: takeNamespace(),
  })
}

/** What steps answer without which no process goes on. */
const usual: StandIns = { screenApplication: () => 'clear' }

/** A worker whose steps answer what the test says, or nothing. */
export async function steppedWorker(
  env: TestWorkflowEnvironment,
  standIns: StandIns = {},
): Promise<SteppedWorker> {
  const calls: StepCall[] = []
  const activities = Object.fromEntries(
    stepNames.map((step) => [
      step,
      async (input: Input) => {
        calls.push({ step, input, at: activityInfo().scheduledTimestampMs })
        const standIn = standIns[step] ?? usual[step]
        return (standIn as ((input: Input) => unknown) | undefined)?.(input)
      },
    ]),
  )
  const worker = await Worker.create({
    connection: env.nativeConnection,
    namespace: env.namespace ?? 'default',
    taskQueue,
    workflowBundle: { codePath: suiteFacts().bundle },
    activities,
    shutdownForceTime: '30 seconds',
  })
  workersOf.set(env, (workersOf.get(env) ?? new Set()).add(worker))
  return {
    calls,
    steps: ({ mails } = { mails: false }) =>
      calls.map(({ step }) => step).filter((step) => mails || !step.startsWith('mail')),
    ran: (step, times = 1) =>
      until(() => calls.filter((call) => call.step === step).length >= times),
    runUntil: (work) => worker.runUntil(work),
  }
}

/** Answers one after the other; the last one repeats. */
export function inTurn<T>(...answers: T[]): () => T {
  let next = 0
  return () => {
    const answer = answers[Math.min(next, answers.length - 1)] as T
    next += 1
    return answer
  }
}
