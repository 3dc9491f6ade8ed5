/** What paying costs: each payout of a month is one transfer at the processor, and apart. */

import { workflowIds } from '../domain/process-names.ts'
import { closeMonth, plantMonth, stripeOf } from '../scripts/chaos/settlement-month.ts'
import type { LauncherEnvironment } from '../scripts/launch/environment.ts'
import type { Progress } from '../scripts/launch/progress.ts'
import { withDatabase } from '../scripts/stack/database.ts'
import { openStackClient } from '../scripts/stack/sealing.ts'
import { startThrowaway, type ThrowawayStack } from '../scripts/stack/throwaway.ts'
import { keksIn } from '../scripts/stack/vault.ts'
import { createStory } from '../scripts/story/client.ts'
import { costOf } from './history-costs.ts'
import { rounded } from './rounds.ts'
import { period } from './settlement-world.ts'

interface Stage {
  stage: string
  started_at: string
  ended_at: string | null
  done: number
}

interface Bench {
  env: LauncherEnvironment
  progress: Progress
  partners: number
}

/**
 * Pays a month of so many partners through the real process, from the stage `pay` to its end, at a
 * sandbox that answers at once and without a limit of calls that could be reached.
 */
export async function benchPayouts({ env, progress, partners }: Bench) {
  const stack = await startThrowaway({ env, progress, name: 'bench', programme: { rules: [] } })
  try {
    const story = createStory(stack.urls)
    const owners = { first: stack.keys.super_admin ?? '', second: stack.keys.super_admin_2 ?? '' }
    const step = progress.step('payouts', `a month of ${partners} partners is paid`)
    await withDatabase(
      stack.database.url,
      ({ db }) => plantMonth({ db, story, stripe: stripeOf(stack) }, partners),
      keksIn(stack.directory),
    )
    const id = await closeMonth(story, owners)
    step.done()
    const { stages } = await story.api<{ stages: Stage[] }>(`/v1/settlement-runs/${id}`, {
      key: owners.first,
    })
    const pay = stages.find(({ stage }) => stage === 'pay')
    const { data } = await story.sandbox<{ data: unknown[] }>('/transfers')
    const seconds = (Date.parse(pay?.ended_at ?? '') - Date.parse(pay?.started_at ?? '')) / 1_000
    return {
      partners,
      paid: data.length,
      pay_s: rounded(seconds),
      per_second: rounded(data.length / seconds),
      ...(await costOfPaying(stack)),
    }
  } finally {
    await stack.stop()
  }
}

async function costOfPaying(stack: ThrowawayStack) {
  const { temporal, close } = openStackClient(stack)
  try {
    const handle = temporal.workflow.getHandle(workflowIds.payout(period, 0))
    const { events, actions } = costOf(await handle.fetchHistory())
    return { history_events: events, actions }
  } finally {
    await close()
  }
}
