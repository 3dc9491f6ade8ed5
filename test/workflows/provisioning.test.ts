import { randomUUIDv7 } from 'node:crypto'
import { ApplicationFailure, WorkflowFailedError } from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import type { Activities } from '../../activities/index.ts'
import { taskQueue, workflowIds } from '../../domain/process-names.ts'
import { tenantProvisioning } from '../../workflows/provisioning.ts'
import { type StandIns, startSkipping, steppedWorker } from '../support/processes.ts'

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await startSkipping()
})
afterAll(() => env.teardown())

const refuse = () => {
  throw ApplicationFailure.create({ type: 'vendor_refused', nonRetryable: true })
}

async function provision(standIns: StandIns) {
  const tenantId = randomUUIDv7()
  const worker = await steppedWorker(env, standIns)
  const outcome = await worker.runUntil(async () => {
    const handle = await env.client.workflow.start(tenantProvisioning, {
      workflowId: workflowIds.provisioning(tenantId),
      taskQueue,
      args: [{ tenantId, attempt: 1 }],
    })
    return handle.result().then(
      () => 'done',
      (error) => (error as WorkflowFailedError).cause,
    )
  })
  return { outcome, steps: worker.steps(), calls: worker.calls }
}

const forward: (keyof Activities)[] = [
  'reserveSubdomain',
  'createBillingCustomer',
  'openPlatformSubscription',
  'inviteAdministrator',
  'activateTenant',
]

const undos: Partial<Record<keyof Activities, string[]>> = {
  reserveSubdomain: ['releaseSubdomain'],
  createBillingCustomer: ['releaseSubdomain'],
  openPlatformSubscription: ['cancelPlatformSubscription', 'releaseSubdomain'],
  inviteAdministrator: ['revokeInvitation', 'cancelPlatformSubscription', 'releaseSubdomain'],
  activateTenant: ['revokeInvitation', 'cancelPlatformSubscription', 'releaseSubdomain'],
}

describe('provisioning', () => {
  it('takes its steps in order and undoes nothing when all succeed', async () => {
    const { outcome, steps } = await provision({})
    expect(outcome).toBe('done')
    expect(steps).toEqual(forward)
  })

  it.each(forward)(
    'that fails for good in %s undoes what may have happened, last first',
    async (step) => {
      const { outcome, steps, calls } = await provision({ [step]: refuse })
      expect(outcome).toMatchObject({ type: 'vendor_refused' })
      const done = forward.slice(0, forward.indexOf(step) + 1)
      expect(steps).toEqual([...done, ...(undos[step] ?? []), 'markTenantFailed'])
      expect(calls.at(-1)?.input).toMatchObject({ problem: 'vendor_refused' })
    },
  )

  it('repeats a step that fails in passing', async () => {
    let tries = 0
    const { outcome, steps } = await provision({
      openPlatformSubscription: () => {
        tries += 1
        if (tries < 4) throw ApplicationFailure.create({ type: 'vendor_unknown' })
      },
    })
    expect(outcome).toBe('done')
    expect(steps.filter((step) => step === 'openPlatformSubscription')).toHaveLength(4)
  })

  it('goes on undoing when an undo fails for good', async () => {
    const { steps } = await provision({
      activateTenant: refuse,
      cancelPlatformSubscription: refuse,
    })
    expect(steps.slice(forward.length)).toEqual([
      'revokeInvitation',
      'cancelPlatformSubscription',
      'releaseSubdomain',
      'markTenantFailed',
    ])
  })

  it('that is canceled undoes what it did', async () => {
    const tenantId = randomUUIDv7()
    let waiting = () => {}
    const arrived = new Promise<void>((resolve) => {
      waiting = resolve
    })
    const worker = await steppedWorker(env, {
      inviteAdministrator: () => {
        waiting()
        throw ApplicationFailure.create({ type: 'vendor_unknown' })
      },
    })
    await worker.runUntil(async () => {
      const handle = await env.client.workflow.start(tenantProvisioning, {
        workflowId: workflowIds.provisioning(tenantId),
        taskQueue,
        args: [{ tenantId, attempt: 1 }],
      })
      await arrived
      await handle.cancel()
      await expect(handle.result()).rejects.toBeInstanceOf(WorkflowFailedError)
    })
    expect(worker.steps().slice(-4)).toEqual([
      'revokeInvitation',
      'cancelPlatformSubscription',
      'releaseSubdomain',
      'markTenantFailed',
    ])
  })
})
