/** For whom the steps of processes act, as the database and its audit trail are told. */
import { activityInfo } from '@temporalio/activity'
import type { TenantContext } from '../db/tenancy.ts'

const idle = { action: 'idle', requestId: null }

/** The step that runs now and the process that it belongs to. */
function currentStep(): Pick<TenantContext, 'action' | 'requestId'> {
  try {
    const { activityType, workflowExecution } = activityInfo()
    return { action: activityType, requestId: workflowExecution?.workflowId ?? null }
  } catch {
    return idle
  }
}

export function workContext(): TenantContext {
  return {
    level: 'worker',
    partnerId: null,
    customerId: null,
    actor: 'system:worker',
    onBehalfOf: null,
    ...currentStep(),
  }
}
