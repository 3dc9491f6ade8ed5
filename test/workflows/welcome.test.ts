import { randomUUIDv7 } from 'node:crypto'
import { ApplicationFailure } from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { deadlinesSchema } from '../../db/programme-settings.ts'
import { taskQueue, workflowIds } from '../../domain/process-names.ts'
import { welcomeSequence } from '../../workflows/welcome.ts'
import { inTurn, startSkipping, steppedWorker } from '../support/processes.ts'

const day = 86_400
const { welcomeMails } = deadlinesSchema.parse({})

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await startSkipping()
})
afterAll(() => env.teardown())

const welcome = () => {
  const partnerId = randomUUIDv7()
  return env.client.workflow.start(welcomeSequence, {
    workflowId: workflowIds.welcome(partnerId),
    taskQueue,
    args: [{ partnerId, mails: welcomeMails }],
  })
}

describe('the first weeks of a partner', () => {
  it('bring a mail after one, three, seven and fourteen days', async () => {
    const begin = await env.currentTimeMs()
    const worker = await steppedWorker(env, { sendWelcomeMail: () => true })
    const result = await worker.runUntil(async () => (await welcome()).result())
    expect(result).toEqual({ turns: 4 })
    const sent = worker.calls.filter(({ step }) => step === 'sendWelcomeMail')
    expect(sent.map(({ input }) => input.number)).toEqual([1, 2, 3, 4])
    expect(sent.map(({ at }) => Math.round((at - begin) / 1000 / day))).toEqual([1, 3, 7, 14])
    expect(worker.steps()).toContain('endWelcome')
  })

  it('end with the wish for no more mails', async () => {
    const worker = await steppedWorker(env, { sendWelcomeMail: inTurn(true, false) })
    const result = await worker.runUntil(async () => (await welcome()).result())
    expect(result).toEqual({ turns: 2 })
    expect(worker.steps().filter((step) => step === 'sendWelcomeMail')).toHaveLength(2)
  })

  it('go on after a mail that could not be sent', async () => {
    const worker = await steppedWorker(env, {
      sendWelcomeMail: () => {
        throw ApplicationFailure.create({ type: 'vendor_refused', nonRetryable: true })
      },
    })
    const result = await worker.runUntil(async () => (await welcome()).result())
    expect(result).toEqual({ turns: 4 })
  })
})
