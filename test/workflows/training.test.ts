/** Training before the first day, and certificates until they run out. */
import { randomUUID, randomUUIDv7 } from 'node:crypto'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { deadlinesSchema } from '../../db/programme-settings.ts'
import { onboardingDeadlines } from '../../domain/onboarding.ts'
import { taskQueue, workflowIds } from '../../domain/process-names.ts'
import { certification } from '../../workflows/certification.ts'
import {
  agreementChanged,
  certificateChanged,
  decideApplication,
  onboardingState,
  trainingChanged,
} from '../../workflows/contract.ts'
import { partnerOnboarding } from '../../workflows/onboarding.ts'
import { inTurn, type StandIns, startSkipping, steppedWorker } from '../support/processes.ts'
import { until } from '../support/until.ts'

const day = 86_400
const deadlines = deadlinesSchema.parse({})

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await startSkipping()
})
afterAll(() => env.teardown())

const watch = async () => {
  const certificateId = randomUUIDv7()
  return env.client.workflow.start(certification, {
    workflowId: workflowIds.certification(certificateId),
    taskQueue,
    args: [{ certificateId, reminders: deadlines.certificateReminders }],
  })
}

const goodFor = async (days: number, states: StandIns = {}): Promise<StandIns> => {
  const end = (await env.currentTimeMs()) + days * day * 1000
  return {
    watchCertificate: () => ({ state: 'valid', expiresAt: new Date(end).toISOString() }),
    readCertificate: () => 'valid',
    expireCertificate: () => 'expired',
    ...states,
  }
}

describe('a certificate', () => {
  it('is reminded of 30 and 7 days before its end, and told when it is over', async () => {
    const begin = await env.currentTimeMs()
    const worker = await steppedWorker(env, await goodFor(365))
    expect(await worker.runUntil(async () => (await watch()).result())).toBe('expired')
    const mails = worker.calls.filter(({ step }) => step === 'mailCertificate')
    const told = mails.map(({ input, at }) => [
      input.kind,
      input.occurrence,
      Math.round((at - begin) / 1000 / day),
    ])
    expect(told).toEqual([
      ['expiring', '1', 335],
      ['expiring', '2', 358],
      ['expired', undefined, 365],
    ])
  })

  it('that is short leaves out the reminders whose time is over', async () => {
    const worker = await steppedWorker(env, await goodFor(10))
    expect(await worker.runUntil(async () => (await watch()).result())).toBe('expired')
    const kinds = worker.calls
      .filter(({ step }) => step === 'mailCertificate')
      .map(({ input }) => input.kind)
    expect(kinds).toEqual(['expiring', 'expired'])
  })

  it.each(['renewed', 'revoked'])(
    'that was %s ends its process, and nobody is reminded',
    async (how) => {
      const worker = await steppedWorker(env, await goodFor(365, { readCertificate: () => how }))
      const result = await worker.runUntil(async () => {
        const handle = await watch()
        await handle.signal(certificateChanged)
        return handle.result()
      })
      expect(result).toBe(how)
      expect(worker.steps({ mails: true })).toEqual(['watchCertificate', 'readCertificate'])
    },
  )

  it('that was renewed is found by its reminder, where the message was lost', async () => {
    const standIns = { readCertificate: () => 'renewed', expireCertificate: () => 'renewed' }
    const worker = await steppedWorker(env, await goodFor(365, standIns))
    expect(await worker.runUntil(async () => (await watch()).result())).toBe('renewed')
    expect(worker.steps({ mails: true })).not.toContain('mailCertificate')
  })

  it('is over when the database says so, whose clock may be behind', async () => {
    const expireCertificate = inTurn('valid', 'expired')
    const worker = await steppedWorker(env, await goodFor(5, { expireCertificate }))
    expect(await worker.runUntil(async () => (await watch()).result())).toBe('expired')
    expect(worker.steps().filter((step) => step === 'expireCertificate')).toHaveLength(2)
  })

  it('that is good no more when its process starts is left alone', async () => {
    const worker = await steppedWorker(env, {
      watchCertificate: () => ({ state: 'revoked', expiresAt: null }),
    })
    expect(await worker.runUntil(async () => (await watch()).result())).toBe('revoked')
  })
})

describe('a partner that has to be certified', () => {
  /** Everything before is done at once, by people too. */
  const start = async () => {
    const applicationId = randomUUIDv7()
    const handle = await env.client.workflow.start(partnerOnboarding, {
      workflowId: workflowIds.onboarding(applicationId),
      taskQueue,
      args: [
        {
          applicationId,
          parentId: null,
          deadlines: { ...onboardingDeadlines(deadlines), undo: 0 },
        },
      ],
    })
    const reaches = (stage: string) =>
      until(async () => (await handle.query(onboardingState)).stage === stage)
    await reaches('agreement')
    await handle.signal(agreementChanged)
    await reaches('approval')
    const decision = { noteId: randomUUIDv7(), decision: 'approve' } as const
    await handle.executeUpdate(decideApplication, { args: [decision] })
    return handle
  }
  const smooth: StandIns = {
    readAgreement: () => 'completed',
    readVerification: () => 'verified',
    recordDecision: () => ({ decision: 'approve', tenantId: randomUUID() }),
  }

  it('is reminded on days 3, 7 and 14, then each week, and its approvers are told on day 14', async () => {
    const states = [...Array(6).fill('training'), 'active']
    const worker = await steppedWorker(env, { ...smooth, activatePartner: inTurn(...states) })
    expect(await worker.runUntil(async () => (await start()).result())).toBe('active')
    const begin = worker.calls.find(({ step }) => step === 'activatePartner')?.at ?? 0
    const told = worker.calls
      .filter(({ step }) => step === 'mailTraining')
      .map(({ input, at }) => [
        input.number,
        input.escalated,
        Math.round((at - begin) / 1000 / day),
      ])
    expect(told).toEqual([
      [0, false, 0],
      [1, false, 3],
      [2, false, 7],
      [3, true, 14],
      [4, false, 21],
      [5, false, 28],
    ])
  })

  it('is active as soon as a member has passed', async () => {
    const worker = await steppedWorker(env, {
      ...smooth,
      activatePartner: inTurn('training', 'active'),
    })
    const status = await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('mailTraining')
      await handle.signal(trainingChanged)
      return handle.result()
    })
    expect(status).toBe('active')
    expect(worker.calls.filter(({ step }) => step === 'mailTraining')).toHaveLength(1)
  })

  it('ends, and is not welcomed, where the partnership was terminated meanwhile', async () => {
    const worker = await steppedWorker(env, {
      ...smooth,
      activatePartner: inTurn('training', 'ended'),
    })
    const status = await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('mailTraining')
      await handle.signal(trainingChanged)
      return handle.result()
    })
    expect(status).toBe('lapsed')
    const welcomes = worker.calls.filter(({ input }) => input.kind === 'welcome')
    expect(welcomes).toEqual([])
  })

  it('that was reinstated does nothing anew of what it has done', async () => {
    const worker = await steppedWorker(env, {
      activatePartner: inTurn('training', 'active'),
    })
    const applicationId = randomUUIDv7()
    const status = await worker.runUntil(async () => {
      const handle = await env.client.workflow.start(partnerOnboarding, {
        workflowId: workflowIds.onboarding(applicationId),
        taskQueue,
        args: [
          {
            ...{ applicationId, parentId: null, from: 'training' },
            deadlines: onboardingDeadlines(deadlines),
          },
        ],
      })
      await worker.ran('mailTraining')
      await handle.signal(trainingChanged)
      return handle.result()
    })
    expect(status).toBe('active')
    expect(worker.steps()).toEqual(['activatePartner', 'activatePartner'])
  })

  it('waits on with other news, and is told nothing twice', async () => {
    const worker = await steppedWorker(env, {
      ...smooth,
      activatePartner: inTurn('training', 'training', 'active'),
    })
    const status = await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('mailTraining')
      await handle.signal(trainingChanged)
      await worker.ran('activatePartner', 2)
      await handle.signal(trainingChanged)
      return handle.result()
    })
    expect(status).toBe('active')
    expect(worker.calls.filter(({ step }) => step === 'mailTraining')).toHaveLength(1)
  })
})
