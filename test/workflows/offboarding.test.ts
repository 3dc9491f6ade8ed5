/** A tenant that leaves, in time: retrieval, reminders, the alarm, the second person, the hold. */
import { randomUUIDv7 } from 'node:crypto'
import { ApplicationFailure, type WorkflowUpdateFailedError } from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { taskQueue, workflowIds } from '../../domain/process-names.ts'
import {
  cancelOffboarding,
  confirmDeletion,
  type OffboardingInput,
  setLegalHold,
} from '../../workflows/contract.ts'
import { tenantOffboarding } from '../../workflows/offboarding.ts'
import { type StandIns, startSkipping, steppedWorker } from '../support/processes.ts'

const day = 86_400

let env: TestWorkflowEnvironment
beforeEach(async () => {
  env = await startSkipping()
})
afterEach(() => env.teardown())

async function start(changes: Partial<OffboardingInput> = {}) {
  const tenantId = randomUUIDv7()
  const input: OffboardingInput = {
    offboardingId: randomUUIDv7(),
    tenantId,
    requestedBy: 'one',
    exportWanted: true,
    legalHold: false,
    deadlines: {
      retrieval: 30 * day,
      retrievalReminders: [7 * day, 25 * day],
      erasureAlarm: 26 * day,
    },
    ...changes,
  }
  return env.client.workflow.start(tenantOffboarding, {
    workflowId: workflowIds.offboarding(tenantId),
    taskQueue,
    args: [input],
  })
}

type Handle = Awaited<ReturnType<typeof start>>

const confirm = (handle: Handle, memberId = 'two') =>
  handle.executeUpdate(confirmDeletion, { args: [{ memberId }] })
const cancel = (handle: Handle) =>
  handle.executeUpdate(cancelOffboarding, { args: [{ memberId: 'one' }] })
const hold = (handle: Handle, on: boolean) =>
  handle.executeUpdate(setLegalHold, { args: [{ memberId: 'one', on, entry: `hold_${on}` }] })

/** The code by which an update was refused. */
async function refusalOf(update: Promise<unknown>): Promise<string | undefined> {
  try {
    await update
  } catch (error) {
    const cause = (error as WorkflowUpdateFailedError).cause
    return cause instanceof ApplicationFailure ? (cause.type ?? undefined) : undefined
  }
  throw new Error('it was not refused')
}

const stands: StandIns = { takeOffboardingBack: () => ({ attempt: 1_001 }) }

const leaving = ['freezeTenant', 'cancelPlatformSubscription']
const handingOut = ['exportTenant', 'enterOffboardingStage']
const erasing = [
  'enterOffboardingStage',
  'keepAgreements',
  'erasePersonalData',
  'shredKeys',
  'recordErasure',
]

describe('a tenant that leaves', () => {
  it('has its time to fetch its data, with reminders, and is erased after a second person', async () => {
    const worker = await steppedWorker(env, stands)
    const result = await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('mailOffboarding')
      await env.sleep('31 days')
      await worker.ran('enterOffboardingStage', 2)
      await worker.ran('mailOffboarding', 5)
      expect(await refusalOf(confirm(handle, 'one'))).toBe('second_person_required')
      await confirm(handle)
      return handle.result()
    })
    expect(result).toEqual({ ended: 'erased' })
    expect(worker.steps()).toEqual([
      ...leaving,
      ...handingOut,
      'enterOffboardingStage',
      'recordConfirmation',
      ...erasing,
    ])
    const began = worker.calls[0]?.at ?? 0
    const mailed = worker.calls
      .filter(({ step }) => step === 'mailOffboarding')
      .map(({ input, at }) => [input.kind, Math.round((at - began) / 1_000 / day)])
    expect(mailed).toEqual([
      ['export_ready', 0],
      ['export_reminder', 7],
      ['export_reminder', 25],
      ['erasure_alarm', 26],
      ['confirmation_needed', 30],
      ['erasure_done', 31],
    ])
  })

  it('without an export is confirmed at once', async () => {
    const worker = await steppedWorker(env, stands)
    await worker.runUntil(async () => {
      const handle = await start({ exportWanted: false })
      await worker.ran('enterOffboardingStage')
      await confirm(handle)
      await handle.result()
    })
    expect(worker.steps()).not.toContain('exportTenant')
    expect(worker.steps().slice(-4)).toEqual(erasing.slice(1))
  })

  it('is not confirmed before its time is over', async () => {
    const exporting = Promise.withResolvers<void>()
    const worker = await steppedWorker(env, {
      ...stands,
      exportTenant: () => exporting.promise,
    })
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('exportTenant')
      expect(await refusalOf(confirm(handle))).toBe('not_ready')
      await handle.terminate()
      exporting.resolve()
    })
  })

  it('is kept by a legal hold, however it is confirmed, until the hold is lifted', async () => {
    const worker = await steppedWorker(env, stands)
    const result = await worker.runUntil(async () => {
      const handle = await start({ exportWanted: false, legalHold: true })
      await worker.ran('enterOffboardingStage')
      expect(await refusalOf(confirm(handle))).toBe('legal_hold')
      await hold(handle, false)
      await hold(handle, true)
      expect(await refusalOf(confirm(handle))).toBe('legal_hold')
      expect(worker.steps()).not.toContain('erasePersonalData')
      await hold(handle, false)
      await confirm(handle)
      return handle.result()
    })
    expect(result).toEqual({ ended: 'erased' })
  })

  it('stays when it is cancelled, and gets its subscription back', async () => {
    const worker = await steppedWorker(env, stands)
    const result = await worker.runUntil(async () => {
      const handle = await start({ exportWanted: false })
      await worker.ran('enterOffboardingStage')
      await cancel(handle)
      return handle.result()
    })
    expect(result).toEqual({ ended: 'cancelled' })
    expect(worker.steps().slice(-3).sort()).toEqual([
      'openPlatformSubscription',
      'recordCancellation',
      'takeOffboardingBack',
    ])
    expect(worker.steps()).not.toContain('shredKeys')
  })

  it('whose erasure an earlier process has begun is erased without another question', async () => {
    const worker = await steppedWorker(env, { freezeTenant: () => ({ isErasing: true }) })
    const result = await worker.runUntil(async () => (await start()).result())
    expect(result).toEqual({ ended: 'erased' })
    expect(worker.steps()).toEqual([
      ...leaving,
      ...['enterOffboardingStage', 'keepAgreements', 'erasePersonalData', 'shredKeys'],
      'recordErasure',
    ])
  })

  it('cannot be cancelled once the erasure has begun', async () => {
    const erasure = Promise.withResolvers<void>()
    const worker = await steppedWorker(env, {
      ...stands,
      erasePersonalData: () => erasure.promise,
    })
    await worker.runUntil(async () => {
      const handle = await start({ exportWanted: false })
      await worker.ran('enterOffboardingStage')
      await confirm(handle)
      await worker.ran('erasePersonalData')
      expect(await refusalOf(cancel(handle))).toBe('already_decided')
      expect(await refusalOf(hold(handle, true))).toBe('already_decided')
      erasure.resolve()
      await handle.result()
    })
  })
})
