/** The environment of a partner: every step knows how it is undone before it is done. */
import { CancellationScope, log, setCurrentDetails } from '@temporalio/workflow'
import type { ProvisioningInput } from './contract.ts'
import { failureType, quick, refusal, vendor } from './steps.ts'

/** An undo, by the name under which it is reported when it fails. */
interface Undo {
  name: string
  run: () => Promise<void>
}

/**
 * Reserves the subdomain, opens the partner's own subscription, invites the first administrator.
 * A step that fails for good undoes all before it, the last one first, and fails the process.
 */
export async function tenantProvisioning(input: ProvisioningInput): Promise<void> {
  const undos: Undo[] = []
  try {
    await reserveSubdomain(input, undos)
    await openSubscription(input, undos)
    await inviteAdministrator(input, undos)
    await vendor.activateTenant(input)
  } catch (error) {
    await CancellationScope.nonCancellable(() => undoAll(input, undos, error))
    throw refusal(failureType(error) ?? 'provisioning_failed')
  }
}

async function reserveSubdomain(input: ProvisioningInput, undos: Undo[]): Promise<void> {
  setCurrentDetails('Reserving the subdomain')
  undos.push({ name: 'releaseSubdomain', run: () => quick.releaseSubdomain(input) })
  await quick.reserveSubdomain(input)
}

async function openSubscription(input: ProvisioningInput, undos: Undo[]): Promise<void> {
  setCurrentDetails('Opening the platform subscription')
  await vendor.createBillingCustomer(input)
  undos.push({
    name: 'cancelPlatformSubscription',
    run: () => vendor.cancelPlatformSubscription(input),
  })
  await vendor.openPlatformSubscription(input)
}

async function inviteAdministrator(input: ProvisioningInput, undos: Undo[]): Promise<void> {
  setCurrentDetails('Inviting the first administrator')
  undos.push({ name: 'revokeInvitation', run: () => quick.revokeInvitation(input) })
  await vendor.inviteAdministrator(input)
}

/** An undo that fails is reported and stops no other. */
async function undoAll(input: ProvisioningInput, undos: Undo[], cause: unknown): Promise<void> {
  setCurrentDetails('Undoing every step')
  for (const undo of undos.reverse()) {
    try {
      await undo.run()
    } catch (error) {
      log.error('an undo failed', { undo: undo.name, reason: failureType(error) })
    }
  }
  const problem = failureType(cause) ?? 'unknown'
  await quick.markTenantFailed({ tenantId: input.tenantId, problem })
}
