/** `npm run demo -- onboarding`: ten applications down ten ways, with deadlines of seconds. */
import type { CommandInput } from '../command.ts'
import { startThrowaway } from '../stack/throwaway.ts'
import { createStory } from '../story/client.ts'
import { type Ended, playPaths, quickProgramme } from '../story/onboarding-paths.ts'
import { stageClock } from './stage-clock.ts'

function summary(applications: Ended[]): string {
  return applications
    .flatMap(({ name, path, status, expected, decided_by, timeline }) => [
      '',
      `${name} (${path}): ${status}${status === expected ? '' : `, expected ${expected}`}` +
        `${decided_by ? `, decided by ${decided_by}` : ''}`,
      ...timeline.map(
        ({ at, stage, actor, what, due_at }) =>
          `  ${at.slice(11, 19)} ${stage.padEnd(12)} ${actor.padEnd(15)} ${what}` +
          `${due_at ? ` (until ${due_at.slice(11, 19)})` : ''}`,
      ),
    ])
    .join('\n')
}

/** @returns the exit code: 1 where an application ended otherwise than its way leads. */
export async function playOnboardingDemo(input: CommandInput): Promise<number> {
  const { env, progress, flags, print } = input
  const begin = performance.now()
  const { stage, seconds } = stageClock(progress)
  const stack = await stage('set-up', 'everything real, deadlines of seconds', () =>
    startThrowaway({
      ...{ env, progress, name: 'demo_onboarding', programme: quickProgramme },
      yes: flags.yes === true,
    }),
  )
  const interrupted = () => void stack.stop().finally(() => process.exit(1))
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  try {
    const owners = { first: stack.keys.super_admin ?? '', second: stack.keys.super_admin_2 ?? '' }
    const applications = await stage('applications', 'ten, each on its own way', () =>
      playPaths({ story: createStory(stack.urls), owners }),
    )
    seconds.total = Math.round(performance.now() - begin) / 1000
    print({ applications, seconds }, () => summary(applications))
    return applications.every(({ status, expected }) => status === expected) ? 0 : 1
  } finally {
    await stack.stop()
  }
}
