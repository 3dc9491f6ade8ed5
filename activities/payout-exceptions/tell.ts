/** Tells the process of an exception that something about its payout has changed. */
import { getException } from '../../db/payout-exceptions.ts'
import { getProgramme } from '../../db/programmes.ts'
import { signalNames, workflowIds, workflowTypes } from '../../domain/process-names.ts'
import type { ActivityDeps } from '../deps.ts'

type TellDeps = Pick<ActivityDeps, 'db' | 'processes'>

/** Starts the process where it does not run; what it finds in the books decides. */
export async function tellException(deps: TellDeps, exceptionId: string): Promise<void> {
  const process = await exceptionProcess(deps, exceptionId)
  await deps.processes.wake({ ...process, signal: signalNames.payoutChanged })
}

/** The same for one that may not have been started yet. */
export async function startException(deps: TellDeps, exceptionId: string): Promise<void> {
  await deps.processes.ensureRunning(await exceptionProcess(deps, exceptionId))
}

async function exceptionProcess({ db }: TellDeps, exceptionId: string) {
  const { payoutId, openedAt } = await getException(db, exceptionId)
  const { deadlines } = await getProgramme(db)
  return {
    type: workflowTypes.payoutException,
    workflowId: workflowIds.payoutException(payoutId),
    input: {
      exceptionId,
      since: openedAt.getTime(),
      reminders: deadlines.payoutExceptionReminders,
      escheat: deadlines.payoutEscheat,
    },
  }
}
