/** The parts of a settlement that run side by side. */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common'
import {
  executeChild,
  setCurrentDetails,
  sleep,
  WorkflowIdReusePolicy,
  workflowInfo,
} from '@temporalio/workflow'
import { workflowIds } from '../domain/process-names.ts'
import type { ShardInput } from './contract.ts'
import { batch } from './steps.ts'

/** Drafts the statements of one shard; how far it is stands in the books. */
export async function settlementShard(input: ShardInput): Promise<void> {
  setCurrentDetails('Drafting statements')
  for (;;) {
    const { finished } = await batch.draftPages(input)
    if (finished) return
  }
}

/** So many at a time: more of them would only wait for the database, and others with them. */
const shardsAtOnce = 4

/** Drafts all shards of a run. A run of one shard needs no child for it. */
export async function draftShards(runId: string, shards: number): Promise<void> {
  if (shards === 1) return settlementShard({ runId, shard: 0 })
  const { workflowId } = workflowInfo()
  let next = 0
  const lane = async () => {
    while (next < shards) {
      const shard = next++
      await inChild(settlementShard, {
        workflowId: workflowIds.settlementShard(workflowId, shard),
        input: { runId, shard },
      })
    }
  }
  await Promise.all(Array.from({ length: shardsAtOnce }, lane))
}

/**
 * Runs a child to its end. A coordinator that was started again may come upon one that its
 * predecessor left and the server has not stopped yet.
 */
export async function inChild<Input, Result>(
  child: (input: Input) => Promise<Result>,
  { workflowId, input }: { workflowId: string; input: Input },
): Promise<Result> {
  for (;;) {
    try {
      return await executeChild(child, {
        workflowId,
        args: [input],
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      })
    } catch (error) {
      if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error
      await sleep('2 seconds')
    }
  }
}
