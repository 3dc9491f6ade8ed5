/** `npm run chaos -- onboarding`: partners come in while the worker dies and the vendors fail. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { checkInvariants } from '../../db/invariants.ts'
import { CommandError, type CommandInput } from '../command.ts'
import { withDatabase } from '../stack/database.ts'
import { startThrowaway, type ThrowawayStack } from '../stack/throwaway.ts'
import { createStory, type Story } from '../story/client.ts'
import { type Outcome, patientProgramme, playWays } from './onboarding-ways.ts'
import { seededRandom } from './random.ts'

const requestFaults = ['timeout_after_commit', 'error_500', 'error_429']
const webhookFaults = ['duplicate_webhook', 'reorder_webhooks', 'delay_webhook', 'drop_webhook']

const mostDeathsAtSteps = 8
const deathsAtRandom = 4

const filesIn = (directory: string) => ({
  deaths: join(directory, 'deaths'),
  disturbing: join(directory, 'disturbing'),
})

/** The module that lets the worker die, with what it has to know in its address. */
function dyingWorker(directory: string, seed: number): string {
  const url = pathToFileURL(join(import.meta.dirname, 'dying-worker.ts'))
  const { deaths, disturbing } = filesIn(directory)
  const query = { deaths, while: disturbing, seed, most: mostDeathsAtSteps, rate: 0.04 }
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value))
  return url.href
}

/** Each of a count that the seed chooses, so that some requests and messages are let through. */
async function armFaults(story: Story, chance: () => number): Promise<void> {
  for (const vendor of ['stripe', 'docusign']) {
    for (const kind of [...requestFaults, ...webhookFaults]) {
      const count = 2 + Math.floor(chance() * 4)
      await story.sandbox('/faults', { vendor, kind, count, rate: 0.25 })
    }
  }
}

async function firedFaults(story: Story): Promise<Record<string, number>> {
  const { data } = await story.sandbox<{ data: { kind: string; fired: number }[] }>('/faults')
  return tally(data.flatMap(({ kind, fired }) => Array<string>(fired).fill(kind)))
}

const tally = (names: string[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([k, v]) => [k, v.length]))

function deathsAtSteps(directory: string): string[] {
  const { deaths } = filesIn(directory)
  if (!existsSync(deaths)) return []
  const lines = readFileSync(deaths, 'utf8').split('\n').filter(Boolean)
  return lines.map((line) => line.split(' ')[0] ?? '')
}

/** Kills the worker at moments of its own choice. @returns what stops it and says how often. */
function killAtRandom(stack: ThrowawayStack, chance: () => number) {
  let killed = 0
  let timer: NodeJS.Timeout
  const plan = () => {
    timer = setTimeout(kill, 4_000 + chance() * 10_000)
  }
  const kill = () => {
    const worker = stack.processes().find(({ name }) => name === 'worker')
    if (worker?.pid && worker.state === 'running') {
      process.kill(worker.pid, 'SIGKILL')
      killed += 1
    }
    if (killed < deathsAtRandom) plan()
  }
  plan()
  return () => {
    clearTimeout(timer)
    return killed
  }
}

/** What of the disturbed round is not as in the other one, in words. */
function differencesBetween(calm: Outcome[], disturbed: Outcome[]): string[] {
  return calm.flatMap((wanted) => {
    const found = disturbed.find(({ way }) => way === wanted.way)
    const [one, other] = [wanted, found].map((outcome) => JSON.stringify(outcome))
    return one === other ? [] : [`${wanted.way}: ${other} instead of ${one}`]
  })
}

async function play(stack: ThrowawayStack, { progress }: CommandInput, seed: number) {
  const story = createStory(stack.urls)
  const owner = stack.keys.super_admin ?? ''
  const chance = seededRandom(seed)
  const calmly = progress.step('undisturbed', 'how it is meant to end')
  const calm = await playWays(story, owner, 'Calm')
  calmly.done()
  const step = progress.step('disturbed', 'the worker dies, the vendors fail')
  const { disturbing } = filesIn(stack.directory)
  writeFileSync(disturbing, '')
  await armFaults(story, chance)
  const stopKilling = killAtRandom(stack, chance)
  const disturbed = await playWays(story, owner, 'Disturbed')
  rmSync(disturbing)
  const killed = stopKilling()
  step.done()
  const { violations } = await withDatabase(stack.database.url, ({ db }) => checkInvariants(db))
  return {
    faults: {
      ...(await firedFaults(story)),
      ...tally(deathsAtSteps(stack.directory)),
      killed_at_random: killed,
    },
    differences: [
      ...differencesBetween(calm.outcomes, disturbed.outcomes),
      ...violations.map((violation) => `invariant ${JSON.stringify(violation)}`),
    ],
    applications: disturbed.outcomes.length,
    mails_that_arrived_twice_under_one_name: disturbed.copies,
  }
}

/** @returns the exit code: 1 where anything ended otherwise than without disturbance. */
export async function disturbOnboarding(input: CommandInput, seed: number): Promise<number> {
  const { env, progress, flags, print } = input
  const begin = performance.now()
  const stack = await startThrowaway({
    ...{ env, progress, name: 'chaos', programme: patientProgramme, yes: flags.yes === true },
    workerPreload: (directory) => [dyingWorker(directory, seed)],
  })
  const interrupted = () => void stack.stop().finally(() => process.exit(1))
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  try {
    const found = await play(stack, input, seed)
    if (Object.values(found.faults).every((count) => count === 0)) {
      throw new CommandError('nothing was disturbed, so that the run says nothing', 1)
    }
    const seconds = Math.round(performance.now() - begin) / 1000
    const report = { seed, ...found, seconds }
    print(report, () => words(report))
    return report.differences.length === 0 ? 0 : 1
  } finally {
    await stack.stop()
  }
}

function words({ seed, faults, differences, seconds }: Report): string {
  const kinds = Object.entries(faults).map(([kind, count]) => `  ${kind}: ${count}`)
  const ends = differences.length === 0 ? ['the same ends, one of everything'] : differences
  return [`seed ${seed}, ${seconds} s`, ...kinds, ...ends].join('\n')
}

interface Report {
  seed: number
  faults: Record<string, number>
  differences: string[]
  seconds: number
}
