/** The one reader of a vendor's webhooks: books what came in and tells who waits for it. */

import { condition, continueAsNew, setHandler, workflowInfo } from '@temporalio/workflow'
import { type InboxInput, inboxWake } from './contract.ts'
import { batch } from './steps.ts'

const longestHistory = 1_500

/** Runs for ever: drains the inbox, then sleeps until somebody wakes it. */
export async function webhookInbox({ vendor }: InboxInput): Promise<void> {
  // Whoever starts this process has something for it, and a new run may have missed a wake.
  let woken = true
  setHandler(inboxWake, () => {
    woken = true
  })
  while (workflowInfo().historyLength < longestHistory) {
    await condition(() => woken)
    woken = false
    const { more } = await batch.drainInbox({ vendor })
    if (more) woken = true
  }
  await continueAsNew<typeof webhookInbox>({ vendor })
}
