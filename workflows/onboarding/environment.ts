/** The environment of an approved partner: a process of its own, tried until it is there. */
import {
  ChildWorkflowFailure,
  condition,
  executeChild,
  setCurrentDetails,
  setHandler,
  WorkflowIdReusePolicy,
} from '@temporalio/workflow'
import { workflowIds } from '../../domain/process-names.ts'
import { type OnboardingInput, retryProvisioning } from '../contract.ts'
import { tenantProvisioning } from '../provisioning.ts'
import { quick, refusal } from '../steps.ts'
import { type Desk, enter } from './desk.ts'

export function takeRetries(desk: Desk): void {
  setHandler(
    retryProvisioning,
    () => {
      desk.retryWanted = true
    },
    {
      validator: () => {
        if (desk.stage !== 'provisioning') throw refusal('not_ready')
      },
    },
  )
}

/** Provisions the tenant; when that fails and all is undone, a person may ask for another try. */
export async function prepareEnvironment(
  { applicationId, deadlines }: OnboardingInput,
  desk: Desk,
): Promise<void> {
  const tenantId = desk.recorded?.tenantId
  if (!tenantId) throw refusal('not_ready')
  for (let attempt = 1; ; attempt++) {
    enter(desk, 'provisioning', 'Preparing the environment of the partner')
    desk.retryWanted = false
    await quick.markProvisioningStarted({ applicationId })
    try {
      await executeChild(tenantProvisioning, {
        workflowId: workflowIds.provisioning(tenantId),
        args: [{ tenantId, attempt, patience: deadlines.provisioningPatience }],
        workflowIdReusePolicy: WorkflowIdReusePolicy.ALLOW_DUPLICATE,
      })
      return
    } catch (error) {
      if (!(error instanceof ChildWorkflowFailure)) throw error
      await quick.markProvisioningFailed({ applicationId, attempt })
      setCurrentDetails('Provisioning failed and was undone; waiting for another try')
      await condition(() => desk.retryWanted)
    }
  }
}
