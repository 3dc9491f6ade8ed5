/** The one reader of a vendor's webhooks: books what came in and tells who waits for it. */

import {
  condition,
  continueAsNew,
  getExternalWorkflowHandle,
  log,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow'
import type { Wake } from '../db/inbox.ts'
import { type InboxInput, inboxWake } from './contract.ts'
import { batch, quick } from './steps.ts'

const longestHistory = 1_500

/** Runs for ever: drains the inbox, then sleeps until somebody wakes it. */
export async function webhookInbox(input: InboxInput): Promise<void> {
  // Whoever starts this process has something for it, and a new run may have missed a wake.
  let woken = true
  setHandler(inboxWake, () => {
    woken = true
  })
  while (workflowInfo().historyLength < longestHistory) {
    await condition(() => woken)
    woken = false
    const { more } = await drain(input)
    if (more) woken = true
  }
  await continueAsNew<typeof webhookInbox>(input)
}

async function drain({ vendor }: InboxInput): Promise<{ more: boolean }> {
  const { wakes, more } = await batch.drainInbox({ vendor })
  for (const { wake } of wakes) await deliver(wake)
  if (wakes.length > 0) {
    await quick.confirmWakes({ eventRowIds: wakes.map(({ eventRowId }) => eventRowId) })
  }
  return { more: more || wakes.length > 0 }
}

async function deliver(wake: Wake): Promise<void> {
  try {
    await getExternalWorkflowHandle(wake.workflowId).signal(wake.signal)
  } catch (error) {
    // The process has ended: what happened is booked, and nobody waits for it any more.
    log.info('nobody waits for this event', { process: wake.workflowId, reason: String(error) })
  }
}
