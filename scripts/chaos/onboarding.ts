/** `npm run chaos -- onboarding`: partners come in while the worker dies and the vendors fail. */
import { checkInvariants } from '../../db/invariants.ts'
import { CommandError, type CommandInput } from '../command.ts'
import { withDatabase } from '../stack/database.ts'
import { startThrowaway, type ThrowawayStack } from '../stack/throwaway.ts'
import { createStory, type Story } from '../story/client.ts'
import { tally } from '../story/traces.ts'
import {
  deathsAtSteps,
  dyingWorker,
  firedFaults,
  killAtRandom,
  killChild,
  letStepsDie,
} from './disturbance.ts'
import { type Outcome, patientProgramme, playWays } from './onboarding-ways.ts'
import { seededRandom } from './random.ts'

const requestFaults = ['timeout_after_commit', 'error_500', 'error_429']
const webhookFaults = ['duplicate_webhook', 'reorder_webhooks', 'delay_webhook', 'drop_webhook']

const deathsOfSteps = { most: 8, rate: 0.04 }
const deathsAtRandom = 4

/** Each of a count that the seed chooses, so that some requests and messages are let through. */
async function armFaults(story: Story, chance: () => number): Promise<void> {
  for (const vendor of ['stripe', 'docusign']) {
    for (const kind of [...requestFaults, ...webhookFaults]) {
      const count = 2 + Math.floor(chance() * 4)
      await story.sandbox('/faults', { vendor, kind, count, rate: 0.25 })
    }
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
  const stepsLive = letStepsDie(stack.directory)
  await armFaults(story, chance)
  const stopKilling = killAtRandom({
    kills: { killed_at_random: () => killChild(stack, 'worker') },
    most: deathsAtRandom,
    pause: { atLeast: 4_000, atMost: 14_000 },
    chance,
  })
  const disturbed = await playWays(story, owner, 'Disturbed')
  stepsLive()
  const killed = await stopKilling()
  step.done()
  const { violations } = await withDatabase(stack.database.url, ({ db }) => checkInvariants(db))
  return {
    faults: {
      ...(await firedFaults(story)),
      ...tally(deathsAtSteps(stack.directory)),
      ...killed,
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
    workerPreload: (directory) => [dyingWorker(directory, { seed, ...deathsOfSteps })],
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
