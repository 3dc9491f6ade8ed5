/** `npm run demo`: the main job end to end, or a part of it, on real parts, with a report. */
import { CommandError, type CommandInput, runCommand } from './command.ts'
import { playMainDemo } from './demos/main.ts'
import { playOnboardingDemo } from './demos/onboarding.ts'
import { playSettlementDemo } from './demos/settlement.ts'

const demos: Record<string, (input: CommandInput) => Promise<number>> = {
  onboarding: playOnboardingDemo,
  settlement: playSettlementDemo,
}

async function run(input: CommandInput): Promise<number> {
  const { args, flags } = input
  const [name] = args
  if (name === undefined) return playMainDemo(input)
  const demo = demos[name]
  if (!demo) {
    const names = Object.keys(demos).join(', ')
    throw new CommandError(`there is no demo "${name}"; there are ${names}, and the main story`, 2)
  }
  if (flags.keep === true) throw new CommandError('only the main story can be kept', 2)
  return demo(input)
}

await runCommand({
  name: 'demo',
  usage:
    'npm run demo [-- NAME] [-- --json] [--keep]: the main story, `onboarding` or ' +
    '`settlement`, on a stack of its own',
  flags: {
    keep: { type: 'boolean', describe: 'leave the data as the database of `npm run dev`' },
    yes: { type: 'boolean', describe: 'allow a DATABASE_URL on another host' },
  },
  run,
})
