/** The environment of a partner: every step knows how it is undone before it is done. */
import { ApplicationFailure } from '@temporalio/common'
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  setCurrentDetails,
  setHandler,
} from '@temporalio/workflow'
import type { ProvisioningStep } from '../domain/provisioning.ts'
import { abandonProvisioning, type ProvisioningInput, retryStep } from './contract.ts'
import { failureType, quick, refusal, vendor } from './steps.ts'
import { type Undo, undoAll } from './undoing.ts'
import { instantIn } from './waiting.ts'

interface Step {
  step: ProvisioningStep
  says: string
  undo?: Undo
  /** @param input.tries counts from 1 and is above it after a person asked for another try. */
  run: (input: ProvisioningInput & { tries: number }) => Promise<void>
}

/** What the process remembers while it waits for a person. */
interface Desk {
  waits: boolean
  word: 'retry' | 'abandon' | null
  undos: Undo[]
}

/**
 * Prepares the rows of the tenant, its customer and subscription at Stripe, invites the first
 * administrator and looks whether all of it is there. A step that fails for good waits for a
 * person; without one, everything is undone, the last step first, and the process fails. It fails
 * as `CompensationIncomplete` where an undo failed too, which a person then has to finish.
 */
export async function tenantProvisioning(input: ProvisioningInput): Promise<void> {
  const desk = openDesk()
  try {
    for (const step of stepsOf(input)) await take(input, desk, step)
  } catch (error) {
    const problem = failureType(error) ?? 'provisioning_failed'
    const left = await CancellationScope.nonCancellable(() => giveUp(input, desk, problem))
    if (left.length === 0) throw refusal(problem)
    const type = 'CompensationIncomplete'
    throw ApplicationFailure.create({ type, message: type, nonRetryable: true, details: [left] })
  }
  await condition(allHandlersFinished)
}

function openDesk(): Desk {
  const desk: Desk = { waits: false, word: null, undos: [] }
  const onlyWhileWaiting = () => {
    if (!desk.waits || desk.word !== null) throw refusal('not_ready')
  }
  setHandler(
    retryStep,
    () => {
      desk.word = 'retry'
    },
    { validator: onlyWhileWaiting },
  )
  setHandler(
    abandonProvisioning,
    () => {
      desk.word = 'abandon'
    },
    { validator: onlyWhileWaiting },
  )
  return desk
}

function stepsOf(input: ProvisioningInput): Step[] {
  return [
    {
      step: 'environment',
      says: 'Preparing subdomain, branding, quotas and packages',
      undo: { name: 'clearTenant', run: () => quick.clearTenant(input) },
      run: quick.prepareTenant,
    },
    {
      step: 'customer',
      says: 'Opening the customer at Stripe',
      undo: { name: 'removeBillingCustomer', run: () => vendor.removeBillingCustomer(input) },
      run: vendor.createBillingCustomer,
    },
    {
      step: 'subscription',
      says: 'Opening the platform subscription',
      undo: {
        name: 'cancelPlatformSubscription',
        run: () => vendor.cancelPlatformSubscription(input),
      },
      run: vendor.openPlatformSubscription,
    },
    {
      step: 'invitation',
      says: 'Inviting the first administrator',
      undo: { name: 'revokeInvitation', run: () => quick.revokeInvitation(input) },
      run: vendor.inviteAdministrator,
    },
    {
      step: 'check',
      says: 'Looking whether everything is there',
      run: async () => {
        const missing = await vendor.activateTenant(input)
        if (missing) throw refusal(`missing_${missing}`)
      },
    },
  ]
}

/** One step, as often as a person wants it tried. Its undo is there before it begins. */
async function take(input: ProvisioningInput, desk: Desk, step: Step): Promise<void> {
  if (step.undo) desk.undos.push(step.undo)
  for (let tries = 1; ; tries++) {
    setCurrentDetails(step.says)
    try {
      return await step.run({ ...input, tries })
    } catch (error) {
      if (isCancellation(error)) throw error
      await waitForPerson(input, desk, { step: step.step, error })
    }
  }
}

/** Returns when a person wants the step tried again. @throws the failure when nobody does. */
async function waitForPerson(
  { tenantId, patience }: ProvisioningInput,
  desk: Desk,
  failed: { step: ProvisioningStep; error: unknown },
): Promise<void> {
  const problem = failureType(failed.error) ?? 'unknown'
  const { step } = failed
  // Of a partner that was terminated nothing is left to decide.
  if (patience === 0 || problem === 'partner_not_active') throw refusal(problem)
  // Before the row says so: whoever reads it may answer at once.
  desk.word = null
  desk.waits = true
  setCurrentDetails(`The step ${step} failed (${problem}); waiting for a person of the platform`)
  await quick.markTenantWaiting({ tenantId, step, problem, waitsUntil: instantIn(patience) })
  await condition(() => desk.word !== null, patience * 1000)
  desk.waits = false
  if (desk.word !== 'retry') throw refusal(problem)
  await quick.markTenantResumed({ tenantId, step })
}

/** What could not be undone is left to a person. @returns the names of those undos. */
async function giveUp(input: ProvisioningInput, desk: Desk, problem: string): Promise<string[]> {
  setCurrentDetails('Undoing every step')
  const left = await undoAll(desk.undos)
  const { tenantId, attempt } = input
  await quick.markTenantFailed({ tenantId, attempt, problem, left })
  await condition(allHandlersFinished)
  return left
}
