/** The parts of a settlement that run side by side. */
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common'
import { executeChild, sleep, WorkflowIdReusePolicy } from '@temporalio/workflow'
import { batch } from './steps.ts'

/** So many at a time: more of them would only wait for the database, and others with them. */
const lanes = 4

/**
 * Drafts all shards of a run. Which one comes next, and how far each is, stands in the books: a
 * lane takes whatever is left. Where one fails the others are waited for: none of them may still
 * draft when everything is begun anew.
 */
export async function draftShards(runId: string, shards: number): Promise<void> {
  const lane = async () => {
    while (!(await batch.draftPages({ runId })).finished);
  }
  const ends = await Promise.allSettled(Array.from({ length: Math.min(shards, lanes) }, lane))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
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
