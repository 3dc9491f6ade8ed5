import { randomUUIDv7 } from 'node:crypto'
import { ApplicationFailure } from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { taskQueue, workflowIds } from '../../domain/process-names.ts'
import { lookAtDomain } from '../../workflows/contract.ts'
import { domainVerification } from '../../workflows/domains.ts'
import { type StandIns, startSkipping, steppedWorker } from '../support/processes.ts'

let env: TestWorkflowEnvironment
beforeAll(async () => {
  env = await startSkipping()
})
afterAll(() => env.teardown())

const day = 86_400

function start() {
  const domainId = randomUUIDv7()
  return env.client.workflow.start(domainVerification, {
    workflowId: workflowIds.domain(domainId),
    taskQueue,
    args: [{ domainId, reminders: [day, 3 * day], expiry: 7 * day }],
  })
}

const notYet = (type: string) => () => {
  throw ApplicationFailure.create({ type })
}

async function verify(standIns: StandIns) {
  const worker = await steppedWorker(env, standIns)
  const outcome = await worker.runUntil(async () => (await start()).result())
  return { outcome, calls: worker.calls, steps: worker.steps() }
}

describe('a domain', () => {
  it('that is proven and leads to us gets its certificate, and its holder is told', async () => {
    const { outcome, steps, calls } = await verify({
      awaitProof: () => 'proven',
      awaitCertificate: () => 'active',
    })
    expect(outcome).toBe('active')
    expect(steps).toEqual(['awaitProof', 'awaitCertificate'])
    expect(calls.at(-1)?.input).toMatchObject({ kind: 'active' })
  })

  it('is looked at ever more seldom, and however often, its history stays short', async () => {
    let looks = 0
    const worker = await steppedWorker(env, {
      awaitProof: () => {
        looks += 1
        if (looks < 12) throw ApplicationFailure.create({ type: 'not_proven' })
        return 'proven'
      },
      awaitCertificate: () => 'active',
    })
    await worker.runUntil(async () => {
      const handle = await start()
      expect(await handle.result()).toBe('active')
      const { events } = await handle.fetchHistory()
      expect(events?.length).toBeLessThan(45)
    })
  })

  it('that nobody proves is reminded of on days 1 and 3 and expires on day 7', async () => {
    const { outcome, calls } = await verify({ awaitProof: notYet('not_proven') })
    expect(outcome).toBe('expired')
    const begun = calls[0]?.at ?? 0
    const told = calls
      .filter(({ step }) => step === 'mailDomain' || step === 'expireDomain')
      .map(({ step, input, at }) => [input.kind ?? step, Math.round((at - begun) / 1000 / day)])
    expect(told).toEqual([
      ['reminder', 1],
      ['reminder', 3],
      ['expireDomain', 7],
      ['expired', 7],
    ])
  })

  it('that somebody else proved first ends, and its claimant is told', async () => {
    const { outcome, steps, calls } = await verify({ awaitProof: () => 'taken' })
    expect(outcome).toBe('taken')
    expect(steps).toEqual(['awaitProof'])
    expect(calls.at(-1)?.input).toMatchObject({ kind: 'expired' })
  })

  it('that was let go ends without a word', async () => {
    for (const standIns of [
      { awaitProof: () => 'ended' },
      { awaitProof: () => 'proven', awaitCertificate: () => 'ended' },
    ]) {
      const { outcome, calls } = await verify(standIns)
      expect(outcome).toBe('ended')
      expect(calls.filter(({ step }) => step === 'mailDomain')).toEqual([])
    }
  })

  it('that gets no certificate in time is left to the daily look as failing', async () => {
    const { outcome, steps } = await verify({
      awaitProof: () => 'proven',
      awaitCertificate: notYet('no_certificate'),
    })
    expect(outcome).toBe('failing')
    expect(steps.at(-1)).toBe('markDomainFailing')
  })

  it('is looked at at once when somebody wants to know', async () => {
    const seen = ['pending', 'proven']
    const worker = await steppedWorker(env, {
      awaitProof: notYet('not_proven'),
      lookForProof: () => seen.shift(),
      awaitCertificate: notYet('no_certificate'),
      lookForCertificate: () => 'active',
    })
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('awaitProof')
      expect(await handle.executeUpdate(lookAtDomain)).toEqual({ state: 'pending' })
      expect(await handle.executeUpdate(lookAtDomain)).toEqual({ state: 'proven' })
      await worker.ran('awaitCertificate')
      expect(await handle.executeUpdate(lookAtDomain)).toEqual({ state: 'active' })
      expect(await handle.result()).toBe('active')
    })
  })

  it('keeps what is known when the servers do not answer somebody who looks', async () => {
    const worker = await steppedWorker(env, {
      awaitProof: notYet('not_proven'),
      lookForProof: notYet('vendor_unknown'),
    })
    await worker.runUntil(async () => {
      const handle = await start()
      await worker.ran('awaitProof')
      expect(await handle.executeUpdate(lookAtDomain)).toEqual({ state: 'pending' })
      expect(await handle.result()).toBe('expired')
    })
  })
})
