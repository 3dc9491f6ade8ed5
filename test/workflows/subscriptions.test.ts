import { randomUUIDv7 } from 'node:crypto'
import { ApplicationFailure } from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { taskQueue, workflowIds } from '../../domain/process-names.ts'
import { subscriptionChanged } from '../../workflows/contract.ts'
import { subscriptionSetup } from '../../workflows/subscriptions.ts'
import { inTurn, startSkipping, steppedWorker } from '../support/processes.ts'

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await startSkipping()
})
afterAll(() => env.teardown())

const order = () => {
  const subscriptionId = randomUUIDv7()
  return env.client.workflow.start(subscriptionSetup, {
    workflowId: workflowIds.subscription(subscriptionId),
    taskQueue,
    args: [{ subscriptionId, firstPaymentExpiry: 23 * 3_600 }],
  })
}

describe('an order', () => {
  it('is opened at the vendor and done when its first invoice is paid', async () => {
    const worker = await steppedWorker(env, { followSubscription: () => 'active' })
    const status = await worker.runUntil(async () => {
      const handle = await order()
      await handle.signal(subscriptionChanged)
      return handle.result()
    })
    expect(status).toBe('active')
    expect(worker.steps()).toEqual([
      'createCustomerAtVendor',
      'createPriceAtVendor',
      'openSubscription',
      'followSubscription',
    ])
  })

  it('hears a payment that comes before the vendor has answered its opening', async () => {
    const worker = await steppedWorker(env, {
      openSubscription: () => new Promise((resolve) => setTimeout(resolve, 300)),
      followSubscription: () => 'active',
    })
    const status = await worker.runUntil(async () => {
      const handle = await order()
      await handle.signal(subscriptionChanged)
      await handle.signal(subscriptionChanged)
      return handle.result()
    })
    expect(status).toBe('active')
  })

  it('waits on through news that are no payment', async () => {
    const worker = await steppedWorker(env, {
      followSubscription: inTurn('awaiting_payment', 'active'),
    })
    const status = await worker.runUntil(async () => {
      const handle = await order()
      await handle.signal(subscriptionChanged)
      await worker.ran('followSubscription')
      await handle.signal(subscriptionChanged)
      return handle.result()
    })
    expect(status).toBe('active')
    expect(worker.steps()).not.toContain('expireSubscription')
  })

  it('that nobody pays in 23 hours is given up', async () => {
    const worker = await steppedWorker(env, { followSubscription: () => 'awaiting_payment' })
    const status = await worker.runUntil(async () => (await order()).result())
    expect(status).toBe('canceled')
    const [opened, given] = worker.calls
      .slice(-3)
      .filter(({ step }) => step !== 'followSubscription')
    expect([opened?.step, given?.step]).toEqual(['openSubscription', 'expireSubscription'])
    expect(Math.round(((given?.at ?? 0) - (opened?.at ?? 0)) / 3_600_000)).toBe(23)
  })

  it('that was paid while the message was lost is not given up', async () => {
    const worker = await steppedWorker(env, { followSubscription: () => 'active' })
    expect(await worker.runUntil(async () => (await order()).result())).toBe('active')
    expect(worker.steps()).not.toContain('expireSubscription')
  })

  it('that the vendor refuses ends with the reason', async () => {
    const worker = await steppedWorker(env, {
      createPriceAtVendor: () => {
        throw ApplicationFailure.create({ type: 'vendor_refused', nonRetryable: true })
      },
    })
    expect(await worker.runUntil(async () => (await order()).result())).toBe('canceled')
    expect(worker.steps().at(-1)).toBe('refuseSubscription')
  })
})
