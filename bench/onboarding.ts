/** `bench onboarding`: partners brought in, beside processes with as many steps that do nothing. */
import { Client } from '@temporalio/client'
import { NativeConnection, Worker } from '@temporalio/worker'
import { sql } from 'kysely'
import type { Db } from '../db/database.ts'
import type { LauncherEnvironment } from '../scripts/launch/environment.ts'
import type { Progress } from '../scripts/launch/progress.ts'
import { poll } from '../scripts/launch/wait.ts'
import { withDatabase } from '../scripts/stack/database.ts'
import { openStackClient } from '../scripts/stack/sealing.ts'
import { startThrowaway, type ThrowawayStack } from '../scripts/stack/throwaway.ts'
import { createStory, type Story } from '../scripts/story/client.ts'
import { type CpuMs, parentOf, perPiece, type Watched, watchCpu } from './cpu-times.ts'
import { type Cost, costOf } from './history-costs.ts'
import { machine, median, rounded, spread, timed } from './rounds.ts'

export interface OnboardingBench {
  env: LauncherEnvironment
  progress: Progress
  /** Partners of one round. */
  applications: number
  rounds: number
}

interface Parts {
  stack: ThrowawayStack
  story: Story
  temporal: Client
  db: Db
  progress: Progress
}

interface Round {
  ours: Taken
  empty: Taken
  control: Taken
}

/** What a part of a round took: seconds, and milliseconds of processor time by process. */
interface Taken {
  seconds: number
  cpu: CpuMs
}

const queue = 'bench-empty-steps'
const postsAtOnce = 8
const patienceMs = 600_000

export async function benchOnboarding({ env, progress, ...size }: OnboardingBench) {
  const stack = await startThrowaway({
    env,
    progress,
    name: 'bench',
    // Everybody does at once what is asked, so that the product alone is measured.
    programme: { onboarding: { autoApproval: [{ name: 'everybody' }] } },
  })
  const { temporal, close } = openStackClient(stack)
  try {
    const story = createStory(stack.urls)
    await story.sandbox('/autopilot', { sign: true, kyc: 'pass' })
    return await withDatabase(stack.database.url, ({ db }) =>
      measure({ stack, story, temporal, db, progress }, size),
    )
  } finally {
    await close()
    await stack.stop()
  }
}

async function measure(parts: Parts, size: { applications: number; rounds: number }) {
  const { stack, temporal, progress } = parts
  const { applications, rounds } = size
  await bringIn(parts, 1)
  const cost = await costOfOnboarding(parts)
  const connection = await NativeConnection.connect({ address: stack.temporal.address })
  const worker = await Worker.create({
    connection,
    namespace: stack.temporal.namespace,
    taskQueue: queue,
    workflowsPath: new URL('./empty-steps.ts', import.meta.url).pathname,
    activities: { nothing: async () => {} },
  })
  const found: Round[] = []
  // Its payloads are plain: what sealing costs is ours.
  const { namespace } = stack.temporal
  const plain = new Client({ connection: temporal.connection, namespace })
  const empty = () => runEmpty(plain, { count: applications, steps: cost.activities })
  const watched = await processesOf(parts)
  const take = async (work: () => Promise<unknown>): Promise<Taken> => {
    const cpu = watchCpu(watched)
    return { seconds: await timed(work), cpu: cpu() }
  }
  await worker.runUntil(async () => {
    // Nobody's first partners of a day: both sides are compiled and have their plans.
    const warm = progress.step('warm-up', `${applications} partners, and as many empty ones`)
    await bringIn(parts, applications)
    await empty()
    warm.done()
    for (let round = 0; round < rounds; round++) {
      const step = progress.step(`round ${round + 1}`, `${applications} partners, thrice`)
      // In an order that begins elsewhere each time.
      const partners = () => bringIn(parts, applications)
      const early = round % 2 === 0 ? await take(partners) : undefined
      const [first, control] = [await take(empty), await take(empty)]
      const ours = early ?? (await take(partners))
      found.push({ ours, empty: first, control })
      step.done(`${rounded(ours.seconds)} s beside ${rounded(first.seconds)} s`)
    }
  })
  await connection.close()
  return report(found, { ...size, cost, versions: stack })
}

/** Everybody who works on either side; the empty side's worker is in the bench itself. */
async function processesOf({ stack, db }: Parts): Promise<Record<string, Watched>> {
  const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db)
  const server = parentOf(rows[0]?.pid ?? 0)
  const ours = stack.processes().map(({ name, pid }) => [name, { pid: pid ?? 0 }] as const)
  return {
    temporal: { pid: stack.temporal.pid ?? 0 },
    postgres: { pid: server ?? 0, children: true },
    ...Object.fromEntries(ours),
    bench: { pid: process.pid },
  }
}

/** Applies for so many partners and waits until all of them are active. */
async function bringIn({ story, db }: Parts, count: number): Promise<void> {
  const before = await activePartners(db)
  const names = Array.from({ length: count }, (_, i) => `Bench ${before + i + 1}`)
  while (names.length > 0) await Promise.all(names.splice(0, postsAtOnce).map(applyAs(story)))
  const all = await poll(
    async () => ((await activePartners(db)) >= before + count ? true : undefined),
    { everyMs: 100, timeoutMs: patienceMs },
  )
  if (!all) throw new Error('not every partner became active')
}

const applyAs = (story: Story) => (name: string) => {
  const domain = `${name.toLowerCase().replace(' ', '-')}.example`
  return story.api('/v1/applications', {
    method: 'POST',
    body: {
      company: { name, country: 'US', website: `https://${domain}` },
      contact: { name: `${name} contact`, email: `owner@${domain}` },
      type: 'franchise',
      level: 'reseller',
    },
  })
}

async function activePartners(db: Db): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::int as count from applications where status = 'active'`.execute(db)
  return rows[0]?.count ?? 0
}

async function runEmpty(temporal: Client, size: { count: number; steps: number }): Promise<void> {
  const started = Date.now()
  const handles = Array.from({ length: size.count }, (_, i) =>
    temporal.workflow.execute('emptySteps', {
      workflowId: `empty:${started}:${i}`,
      taskQueue: queue,
      args: [size.steps],
    }),
  )
  await Promise.all(handles)
}

/** What the first partner cost the engine: its own process and that of its environment. */
async function costOfOnboarding({ temporal }: Parts): Promise<Cost> {
  const costs: Cost[] = []
  const query = "WorkflowType in ('partnerOnboarding', 'tenantProvisioning')"
  for await (const { workflowId, runId } of temporal.workflow.list({ query })) {
    const history = await temporal.workflow.getHandle(workflowId, runId).fetchHistory()
    costs.push(costOf(history))
  }
  return costs.reduce((all, one) => ({
    events: all.events + one.events,
    actions: all.actions + one.actions,
    activities: all.activities + one.activities,
  }))
}

interface Facts {
  applications: number
  rounds: number
  cost: Cost
  versions: Pick<ThrowawayStack, 'database' | 'temporal'>
}

function report(found: Round[], { applications, rounds, cost, versions }: Facts) {
  const perSecond = (seconds: number) => applications / seconds
  const rates = found.map(({ ours, empty, control }) => ({
    ours: perSecond(ours.seconds),
    empty: perSecond(empty.seconds),
    control: perSecond(control.seconds),
  }))
  const cpuOf = (side: (round: Round) => Taken) =>
    perPiece(
      found.map((round) => side(round).cpu),
      applications * found.length,
    )
  return {
    per_second: rounded(median(rates.map(({ ours }) => ours))),
    empty_per_second: rounded(median(rates.map(({ empty }) => empty))),
    ratio: rounded(median(rates.map(({ ours, empty }) => ours / empty))),
    history_events: cost.events,
    actions: cost.actions,
    activities: cost.activities,
    ratios: spread(rates.map(({ ours, empty }) => ours / empty)),
    control: spread(rates.map(({ empty, control }) => control / empty)),
    cpu_ms: { ours: cpuOf(({ ours }) => ours), empty: cpuOf(({ empty }) => empty) },
    applications,
    rounds,
    machine: machine(versions.database.version),
    temporal: versions.temporal.version,
  }
}
