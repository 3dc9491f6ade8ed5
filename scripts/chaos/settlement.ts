/** `npm run chaos -- settlement`: a month is closed and paid while everything dies now and then. */
import { checkInvariants } from '../../db/invariants.ts'
import { CommandError, type CommandInput } from '../command.ts'
import { endSomeSessions } from '../launch/databases.ts'
import { isAlive } from '../launch/process-identity.ts'
import { withDatabase } from '../stack/database.ts'
import { type KeptServer, keepAlive } from '../stack/keep-alive.ts'
import { startThrowaway, type ThrowawayStack } from '../stack/throwaway.ts'
import { keksIn } from '../stack/vault.ts'
import { createStory, type Story } from '../story/client.ts'
import { tally } from '../story/traces.ts'
import {
  deathsAtSteps,
  dyingWorker,
  firedFaults,
  type Kill,
  killAtRandom,
  killChild,
  letStepsDie,
} from './disturbance.ts'
import { seededRandom } from './random.ts'
import {
  closeMonth,
  differencesBetween,
  hashOf,
  monthOf,
  type PartnerMonth,
  plantMonth,
  stripeOf,
} from './settlement-month.ts'

const partnersByDefault = 1_000
const mostPartners = 20_000
const deathsOfSteps = { most: 4, rate: 0.08 }
const mostKills = 12
const mostTemporalKills = 2

/** Of all answers of the processor so many are lost after it did what was asked. */
const lostAnswers = 0.03

interface Played {
  month: Map<string, PartnerMonth>
  faults: Record<string, number>
  violations: unknown[]
}

interface Round {
  input: CommandInput
  partners: number
  /** None for the round without disturbance. */
  seed: number | null
}

/** Each round has a stack and a month of its own. */
async function play(round: Round): Promise<Played> {
  const { env, progress, flags } = round.input
  const { seed } = round
  const stack = await startThrowaway({
    ...{ env, progress, name: 'chaos', yes: flags.yes === true },
    programme: { rules: [] },
    temporalRevives: true,
    ...(seed === null
      ? {}
      : { workerPreload: (directory) => [dyingWorker(directory, { seed, ...deathsOfSteps })] }),
  })
  const interrupted = () => void stack.stop().finally(() => process.exit(1))
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  const servers = temporalOf(stack)
  const watch = keepAlive(servers, progress)
  try {
    return await playOn(stack, servers, round)
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
    await watch.stop()
    await stack.stop()
  }
}

/** Nothing for a server of somebody else, which is not ours to kill. */
function temporalOf({ temporal, restartTemporal }: ThrowawayStack): KeptServer[] {
  const port = Number(new URL(`http://${temporal.address}`).port)
  const { pid } = temporal
  return pid === null ? [] : [{ name: 'temporal', pid, port, restart: restartTemporal }]
}

async function playOn(
  stack: ThrowawayStack,
  servers: KeptServer[],
  { input, partners, seed }: Round,
): Promise<Played> {
  const { progress } = input
  const story = createStory(stack.urls)
  const owners = { first: stack.keys.super_admin ?? '', second: stack.keys.super_admin_2 ?? '' }
  const world = progress.step('month', `what ${partners} partners earned`)
  await withDatabase(
    stack.database.url,
    ({ db }) => plantMonth({ db, story, stripe: stripeOf(stack) }, partners),
    keksIn(stack.directory),
  )
  world.done()
  const step = progress.step(
    seed === null ? 'undisturbed' : 'disturbed',
    seed === null ? 'how it is meant to end' : 'servers die, answers are lost',
  )
  const kills = killsOf(stack, servers)
  const stop =
    seed === null ? async () => ({}) : await disturb(stack, story, { kills, seed, partners })
  let faults: Record<string, number> = {}
  try {
    await closeMonth(story, owners)
  } finally {
    faults = await stop()
  }
  step.done()
  const { violations } = await withDatabase(stack.database.url, ({ db }) => checkInvariants(db))
  return { month: await monthOf(story, owners.first), faults, violations }
}

/** @returns what ends it, and tells how often each thing happened. */
async function disturb(
  stack: ThrowawayStack,
  story: Story,
  { kills, seed, partners }: { kills: Record<string, Kill>; seed: number; partners: number },
) {
  const chance = seededRandom(seed)
  const stepsLive = letStepsDie(stack.directory)
  await armFaults(story, partners)
  const stopKilling = killAtRandom({
    kills,
    most: mostKills,
    pause: { atLeast: 1_000, atMost: 6_000 },
    chance,
  })
  return async () => {
    stepsLive()
    const killed = await stopKilling()
    return { ...(await firedFaults(story)), ...tally(deathsAtSteps(stack.directory)), ...killed }
  }
}

/** As many as a first pass over all partners meets: who looks again later is not kept waiting. */
async function armFaults(story: Story, partners: number): Promise<void> {
  const vendor = 'stripe'
  const faults = { timeout_after_commit: lostAnswers, error_500: 0.01, error_429: 0.01 }
  for (const [kind, rate] of Object.entries(faults)) {
    await story.sandbox('/faults', { vendor, kind, rate, count: Math.ceil(partners * rate) })
  }
  for (const kind of ['duplicate_webhook', 'reorder_webhooks']) {
    await story.sandbox('/faults', { vendor, kind, rate: 0.1 })
  }
}

function killsOf(stack: ThrowawayStack, [temporal]: KeptServer[]): Record<string, Kill> {
  let temporalKills = 0
  return {
    killed_worker: () => killChild(stack, 'worker'),
    killed_sandbox: () => killChild(stack, 'sandbox'),
    killed_temporal() {
      if (!temporal || !isAlive(temporal.pid) || temporalKills >= mostTemporalKills) return false
      temporalKills += 1
      process.kill(temporal.pid, 'SIGKILL')
      return true
    },
    ended_database_sessions: async () =>
      (await endSomeSessions(stack.database.url, { share: 0.5 })) > 0,
  }
}

function partnersOf(given: unknown): number {
  const partners = given === undefined ? partnersByDefault : Number(given)
  if (Number.isSafeInteger(partners) && partners >= 10 && partners <= mostPartners) return partners
  throw new CommandError(
    `--partners is a whole number from 10 to ${mostPartners}, not ${String(given)}`,
    2,
  )
}

/** @returns the exit code: 1 where anybody has something else, or is paid twice. */
export async function disturbSettlement(input: CommandInput, seed: number): Promise<number> {
  const begin = performance.now()
  const partners = partnersOf(input.flags.partners)
  const calm = await play({ input, partners, seed: null })
  const disturbed = await play({ input, partners, seed })
  if (Object.values(disturbed.faults).every((count) => count === 0)) {
    throw new CommandError('nothing was disturbed, so that the run says nothing', 1)
  }
  const differences = [
    ...differencesBetween(calm.month, disturbed.month),
    ...[...calm.violations, ...disturbed.violations].map(
      (violation) => `invariant ${JSON.stringify(violation)}`,
    ),
  ]
  const paid = [...disturbed.month.values()].flatMap(({ transfers }) => transfers)
  const report = {
    seed,
    partners,
    paid: paid.length,
    hash: hashOf(disturbed.month),
    undisturbed_hash: hashOf(calm.month),
    faults: disturbed.faults,
    differences,
    seconds: Math.round(performance.now() - begin) / 1000,
  }
  input.print(report, () => words(report))
  return differences.length === 0 ? 0 : 1
}

interface Report {
  seed: number
  partners: number
  paid: number
  faults: Record<string, number>
  differences: string[]
  seconds: number
}

function words({ seed, partners, paid, faults, differences, seconds }: Report): string {
  const kinds = Object.entries(faults).map(([kind, count]) => `  ${kind}: ${count}`)
  const same = `${partners} partners have the same statements, ${paid} were paid, each once`
  const ends = differences.length === 0 ? [same] : differences
  return [`seed ${seed}, ${seconds} s`, ...kinds, ...ends].join('\n')
}
