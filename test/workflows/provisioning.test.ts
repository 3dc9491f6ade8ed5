import { randomUUIDv7 } from 'node:crypto'
import {
  ApplicationFailure,
  type WorkflowFailedError,
  WorkflowUpdateFailedError,
} from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import type { Activities } from '../../activities/index.ts'
import { taskQueue, workflowIds } from '../../domain/process-names.ts'
import { abandonProvisioning, retryStep } from '../../workflows/contract.ts'
import { tenantProvisioning } from '../../workflows/provisioning.ts'
import { type StandIns, type StepCall, startSkipping, steppedWorker } from '../support/processes.ts'

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await startSkipping()
})
afterAll(() => env.teardown())

const day = 86_400
const patience = 3 * day

const refuse = () => {
  throw ApplicationFailure.create({ type: 'vendor_refused', nonRetryable: true })
}

/** Fails for good so many times, then does what is asked. */
function refusing(times: number) {
  let calls = 0
  return () => {
    calls += 1
    if (calls <= times) refuse()
  }
}

function start(changes: { patience?: number } = {}) {
  const tenantId = randomUUIDv7()
  return env.client.workflow.start(tenantProvisioning, {
    workflowId: workflowIds.provisioning(tenantId),
    taskQueue,
    args: [{ tenantId, attempt: 1, patience, ...changes }],
  })
}

type Handle = Awaited<ReturnType<typeof start>>

const outcomeOf = (handle: Handle) =>
  handle.result().then(
    () => 'done',
    (error) => (error as WorkflowFailedError).cause,
  )

async function provision(standIns: StandIns, changes: { patience?: number } = {}) {
  const worker = await steppedWorker(env, standIns)
  const outcome = await worker.runUntil(async () => outcomeOf(await start(changes)))
  return { outcome, steps: worker.steps(), calls: worker.calls }
}

async function refusalOf(update: Promise<unknown>): Promise<string | null | undefined> {
  try {
    await update
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
      return error.cause.type
    }
    throw error
  }
  throw new Error('the update was accepted')
}

const forward = [
  'prepareTenant',
  'createBillingCustomer',
  'openPlatformSubscription',
  'inviteAdministrator',
  'activateTenant',
] as const satisfies (keyof Activities)[]

const undos = [
  'clearTenant',
  'removeBillingCustomer',
  'cancelPlatformSubscription',
  'revokeInvitation',
]
const undosUpTo = (step: (typeof forward)[number]) =>
  undos.slice(0, forward.indexOf(step) + 1).toReversed()

const dayOf = (call: StepCall | undefined, since: StepCall | undefined) =>
  Math.round(((call?.at ?? 0) - (since?.at ?? 0)) / 1000 / day)

describe('provisioning', () => {
  it('takes its steps in order and undoes nothing when all succeed', async () => {
    const { outcome, steps, calls } = await provision({})
    expect(outcome).toBe('done')
    expect(steps).toEqual(forward)
    expect(calls.map(({ input }) => input.tries ?? 1)).toEqual([1, 1, 1, 1, 1])
  })

  it.each(forward)(
    'that fails for good in %s undoes what may have happened, last first, when nobody comes',
    async (step) => {
      const { outcome, steps, calls } = await provision({ [step]: refuse })
      expect(outcome).toMatchObject({ type: 'vendor_refused' })
      const done = forward.slice(0, forward.indexOf(step) + 1)
      expect(steps).toEqual([...done, 'markTenantWaiting', ...undosUpTo(step), 'markTenantFailed'])
      expect(calls.at(-1)?.input).toMatchObject({ problem: 'vendor_refused', left: [] })
      const waited = calls.find((call) => call.step === 'markTenantWaiting')
      expect(dayOf(calls.at(-1), waited)).toBe(3)
    },
  )

  it('undoes everything at once where the programme has no patience', async () => {
    const { outcome, steps } = await provision({ createBillingCustomer: refuse }, { patience: 0 })
    expect(outcome).toMatchObject({ type: 'vendor_refused' })
    expect(steps).not.toContain('markTenantWaiting')
    expect(steps.at(-1)).toBe('markTenantFailed')
  })

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

  it('says which part the last look missed, and goes on when it is there', async () => {
    const found = ['customer', null]
    const worker = await steppedWorker(env, { activateTenant: () => found.shift() })
    const outcome = await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('markTenantWaiting')
      await handle.executeUpdate(retryStep)
      return outcomeOf(handle)
    })
    expect(outcome).toBe('done')
    const waited = worker.calls.find(({ step }) => step === 'markTenantWaiting')
    expect(waited?.input).toMatchObject({ step: 'check', problem: 'missing_customer' })
  })
})

describe('a step that waits for a person', () => {
  it('is tried again as often as somebody wants, and nothing before it is repeated', async () => {
    const worker = await steppedWorker(env, { openPlatformSubscription: refusing(2) })
    const outcome = await worker.runUntil(async () => {
      const handle = await start()
      for (const time of [1, 2]) {
        await worker.ran('markTenantWaiting', time)
        await handle.executeUpdate(retryStep)
        await worker.ran('markTenantResumed', time)
      }
      return outcomeOf(handle)
    })
    expect(outcome).toBe('done')
    expect(worker.steps().filter((step) => step === 'createBillingCustomer')).toHaveLength(1)
    const opened = worker.calls.filter(({ step }) => step === 'openPlatformSubscription')
    expect(opened.map(({ input }) => input.tries)).toEqual([1, 2, 3])
  })

  it('has the whole patience again after every try', async () => {
    const worker = await steppedWorker(env, { openPlatformSubscription: refuse })
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('markTenantWaiting')
      await env.sleep('2 days')
      await handle.executeUpdate(retryStep)
      await outcomeOf(handle)
    })
    const waits = worker.calls.filter(({ step }) => step === 'markTenantWaiting')
    expect(waits).toHaveLength(2)
    expect(dayOf(worker.calls.at(-1), waits[1])).toBe(3)
  })

  it('waits for nobody where the partner was terminated: everything is undone', async () => {
    const worker = await steppedWorker(env, {
      inviteAdministrator: () => {
        throw ApplicationFailure.create({ type: 'partner_not_active', nonRetryable: true })
      },
    })
    await worker.runUntil(async () => {
      const handle = await start()
      await expect(handle.result()).rejects.toThrow()
    })
    expect(worker.steps()).not.toContain('markTenantWaiting')
    expect(worker.steps()).toContain('cancelPlatformSubscription')
  })

  it('is given up by a person at once', async () => {
    const worker = await steppedWorker(env, { inviteAdministrator: refuse })
    const outcome = await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('markTenantWaiting')
      await handle.executeUpdate(abandonProvisioning)
      return outcomeOf(handle)
    })
    expect(outcome).toMatchObject({ type: 'vendor_refused' })
    expect(worker.steps().slice(-5)).toEqual([...undos.toReversed(), 'markTenantFailed'])
    const waited = worker.calls.find(({ step }) => step === 'markTenantWaiting')
    expect(dayOf(worker.calls.at(-1), waited)).toBe(0)
  })

  it('takes one word only, and none before it waits', async () => {
    let reached = () => {}
    let goOn = () => {}
    const running = new Promise<void>((resolve) => {
      reached = resolve
    })
    const gate = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const worker = await steppedWorker(env, {
      createBillingCustomer: async () => {
        reached()
        await gate
        refuse()
      },
    })
    await worker.runUntil(async () => {
      const handle = await start()
      await running
      expect(await refusalOf(handle.executeUpdate(retryStep))).toBe('not_ready')
      expect(await refusalOf(handle.executeUpdate(abandonProvisioning))).toBe('not_ready')
      goOn()
      await worker.ran('markTenantWaiting')
      const words = await Promise.allSettled([
        handle.executeUpdate(abandonProvisioning),
        handle.executeUpdate(retryStep),
      ])
      expect(words.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      if (words[1].status === 'fulfilled') {
        await worker.ran('markTenantWaiting', 2)
        await handle.executeUpdate(abandonProvisioning)
      }
      await outcomeOf(handle)
    })
  })
})

describe('undoing', () => {
  it('goes on when an undo fails for good, leaves that one to a person and says so', async () => {
    const { outcome, steps, calls } = await provision({
      activateTenant: refuse,
      cancelPlatformSubscription: refuse,
    })
    expect(outcome).toMatchObject({
      type: 'CompensationIncomplete',
      details: [['cancelPlatformSubscription']],
    })
    expect(steps.slice(-5)).toEqual([...undos.toReversed(), 'markTenantFailed'])
    expect(calls.at(-1)?.input).toMatchObject({ left: ['cancelPlatformSubscription'] })
  })

  it('repeats an undo that fails in passing', async () => {
    let tries = 0
    const { outcome, steps } = await provision({
      inviteAdministrator: refuse,
      removeBillingCustomer: () => {
        tries += 1
        if (tries < 3) throw ApplicationFailure.create({ type: 'vendor_unknown' })
      },
    })
    expect(outcome).toMatchObject({ type: 'vendor_refused' })
    expect(steps.filter((step) => step === 'removeBillingCustomer')).toHaveLength(3)
  })

  it('happens at once when the process is canceled', async () => {
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
      const handle = await start()
      await arrived
      await handle.cancel()
      expect(await outcomeOf(handle)).toMatchObject({ type: 'provisioning_failed' })
    })
    expect(worker.steps().slice(-5)).toEqual([...undos.toReversed(), 'markTenantFailed'])
    expect(worker.steps()).not.toContain('markTenantWaiting')
  })
})
