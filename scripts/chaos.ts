/** `npm run chaos -- NAME`: the product under deaths and faults, beside a run without them. */
import { randomInt } from 'node:crypto'
import { disturbOnboarding } from './chaos/onboarding.ts'
import { disturbSettlement } from './chaos/settlement.ts'
import { CommandError, type CommandInput, runCommand } from './command.ts'

const most = 2 ** 31 - 1

const stories: Record<string, (input: CommandInput, seed: number) => Promise<number>> = {
  onboarding: disturbOnboarding,
  settlement: disturbSettlement,
}

function seedOf(given: unknown): number {
  const seed = given === undefined ? randomInt(1, most) : Number(given)
  if (Number.isSafeInteger(seed) && seed >= 1 && seed <= most) return seed
  throw new CommandError(`--seed is a whole number from 1 to ${most}, not ${String(given)}`, 2)
}

async function run(input: CommandInput): Promise<number> {
  const [name = ''] = input.args
  const story = stories[name]
  const seed = seedOf(input.flags.seed)
  if (story) return story(input, seed)
  const names = Object.keys(stories).join(', ')
  throw new CommandError(`there is no story "${name}" to disturb; there is ${names}`, 2)
}

await runCommand({
  name: 'chaos',
  usage:
    'npm run chaos -- NAME [--seed N] [--json]: plays `onboarding` or `settlement` twice on ' +
    'stacks of its own, undisturbed and disturbed, and tells what is different',
  flags: {
    seed: { type: 'string', describe: 'chooses the faults; another one each time without it' },
    partners: { type: 'string', describe: 'how many a settlement has; 1000 without it' },
    yes: { type: 'boolean', describe: 'allow a DATABASE_URL on another host' },
  },
  run,
})
