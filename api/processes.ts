/** Talks to running processes and turns what comes back into our own refusals. */
import {
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client'
import {
  ApplicationFailure,
  type UpdateDefinition,
  WorkflowNotFoundError,
} from '@temporalio/common'
import { DomainError, type ErrorCode } from '../domain/errors.ts'
import { isTemporalAway } from '../integrations/temporal.ts'
import type { ApiDeps } from './deps.ts'
import { meanings } from './errors.ts'

const retryAfterSeconds = 5

/** A request that waits longer than this for the engine is not going to be answered by it. */
const updatePatienceMs = 10_000
const startPatienceMs = 2_000

function away(): DomainError {
  return new DomainError('temporarily_unavailable', 'the process engine does not answer', {
    retryAfterSeconds,
  })
}

/** The code of ours behind a refused update; a step's refusal lies inside the step's failure. */
function refusalCode(error: unknown): ErrorCode | undefined {
  if (!(error instanceof Error)) return undefined
  const type = error instanceof ApplicationFailure ? error.type : undefined
  if (type && type in meanings) return type as ErrorCode
  return refusalCode(error.cause)
}

/**
 * Sends an update to a process and waits for its answer.
 * `ended` is the refusal when the process has ended or does not exist.
 * @throws DomainError the code by which the process refused, or `temporarily_unavailable`.
 */
export async function updateProcess<Ret, Args extends unknown[]>(
  { temporal }: Pick<ApiDeps, 'temporal'>,
  update: {
    workflowId: string
    definition: UpdateDefinition<Ret, Args>
    args: Args
    updateId: string
    ended: DomainError
  },
): Promise<Ret> {
  try {
    // The client's types tell updates without arguments apart; at run time there is one call.
    const definition = update.definition as unknown as UpdateDefinition<Ret, [unknown]>
    const handle = temporal.workflow.getHandle(update.workflowId)
    return await temporal.connection.withDeadline(Date.now() + updatePatienceMs, () =>
      handle.executeUpdate(definition, {
        args: update.args as unknown as [unknown],
        updateId: update.updateId,
      }),
    )
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) throw update.ended
    if (error instanceof WorkflowUpdateFailedError) {
      const code = refusalCode(error)
      if (!code) throw update.ended
      throw new DomainError(code, meanings[code].advice ?? meanings[code].title)
    }
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError || isTemporalAway(error)) {
      throw away()
    }
    throw error
  }
}

/**
 * Starts or wakes a process for a row that is committed. When the engine is away the row stays,
 * and the sweeper starts what is not running; the caller has nothing to repeat.
 */
export async function startCommitted(
  { log, temporal }: Pick<ApiDeps, 'log' | 'temporal'>,
  start: () => Promise<unknown>,
): Promise<void> {
  try {
    await temporal.connection.withDeadline(Date.now() + startPatienceMs, start)
  } catch (error) {
    if (!isTemporalAway(error)) throw error
    log.warn({ error }, 'the process will be started by the sweeper')
  }
}
