/** For whom the steps of processes act, as the database and its audit trail are told. */
import { activityInfo } from '@temporalio/activity'
import type { TenantContext } from '../db/tenancy.ts'
import { workflowTypes } from '../domain/process-names.ts'

const idle = { action: 'idle', requestId: null }

/** Processes of one application, partner, tenant or subscription; others go over many. */
const ofOne = new Set<string>([
  workflowTypes.partnerOnboarding,
  workflowTypes.tenantProvisioning,
  workflowTypes.domainVerification,
  workflowTypes.subscriptionSetup,
  workflowTypes.termsReacceptance,
  workflowTypes.kycReverification,
  workflowTypes.certification,
  workflowTypes.welcomeSequence,
])

/** The step that runs now and the process that it belongs to. */
function currentStep(): Pick<TenantContext, 'action' | 'requestId' | 'isOfFew'> {
  try {
    const { activityType, workflowExecution, workflowType } = activityInfo()
    return {
      action: activityType,
      requestId: workflowExecution?.workflowId ?? null,
      isOfFew: ofOne.has(workflowType ?? ''),
    }
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
