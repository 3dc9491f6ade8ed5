import { ApplicationFailure } from '@temporalio/common'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { taskQueue, workflowIds } from '../../domain/process-names.ts'
import { sweeper } from '../../workflows/dispatch.ts'
import { joinDevServer, type StandIns, steppedWorker } from '../support/processes.ts'

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await joinDevServer()
})
afterAll(() => env.teardown())

const away = () => {
  throw ApplicationFailure.create({ type: 'vendor_unknown', message: 'stripe: away' })
}

/** The steps of one round. */
async function round(standIns: StandIns): Promise<string[]> {
  const worker = await steppedWorker(env, standIns)
  await worker.runUntil(() =>
    env.client.workflow.execute(sweeper, { workflowId: workflowIds.sweeper, taskQueue }),
  )
  return worker.steps()
}

const all = [
  ...['sweep', 'mirrorBalance', 'bookBalance', 'signAuditHeads'],
  ...['reconcileAgreements', 'keepDomains'],
]

describe('a round of the sweeper', () => {
  it('looks at the balance after all that needs no vendor', async () => {
    expect(await round({})).toEqual(all)
  })

  it('asks a vendor that is away once, books what is told already, and ends well', async () => {
    expect(await round({ mirrorBalance: away })).toEqual(all)
  })

  it('ends well where the audit trail cannot be signed', async () => {
    expect(await round({ signAuditHeads: away })).toEqual(all)
  })

  it('ends well where the name servers and the agreements cannot be looked at', async () => {
    expect(await round({ reconcileAgreements: away, keepDomains: away })).toEqual(all)
  })

  it('ends well where the books refuse what was told, and leaves that to the next one', async () => {
    expect(await round({ bookBalance: away })).toEqual(all)
  })
})
