/** Vendors that fail in every way the sandbox knows: the same end, and one of everything. */
import { sql } from 'kysely'
import { checkInvariants } from '../../db/invariants.ts'
import { type Applicant, apply } from '../../scripts/story/applicants.ts'
import { eventually } from '../../scripts/story/client.ts'
import { copied, snapshot } from '../../scripts/story/traces.ts'
import { type Steps, startSteps } from '../support/steps.ts'

let kit: Steps
beforeAll(async () => {
  kit = await startSteps()
  await kit.startWorker()
})
afterEach(async () => {
  await fetch(`${kit.sandbox.url}/_sandbox/faults`, { method: 'DELETE' })
})
afterAll(() => kit.stop())

interface Fault {
  kind: string
  vendor: 'stripe' | 'docusign'
  path?: string
  count?: number
}

const arm = (faults: Fault[]) => Promise.all(faults.map((fault) => kit.fault({ ...fault })))

async function firedBy(faults: Fault[]): Promise<string[]> {
  const { data } = await kit.story.sandbox<{ data: (Fault & { fired: number })[] }>('/faults')
  expect(data).toHaveLength(faults.length)
  return data
    .filter(({ fired }) => fired === 0)
    .map(({ vendor, kind, path }) => `${vendor} ${kind} ${path}`)
}

const begin = (name: string) => apply(kit.story, kit.owner, { name })

async function through(applicant: Applicant): Promise<void> {
  await applicant.sign()
  await applicant.verify('pass')
  await applicant.decide('approve', 'fits')
  expect(await applicant.reaches('done')).toMatchObject({ status: 'active' })
}

async function expectOneOfEach(applicants: Applicant[]): Promise<void> {
  await eventually('the last mails', async () => {
    const { mails } = await snapshot(kit.story)
    const to = mails.filter(({ kind }) => kind === 'welcome').map((mail) => mail.to)
    return applicants.every(({ email }) => to.includes(email)) || undefined
  })
  const seen = await snapshot(kit.story)
  for (const applicant of applicants) {
    const { partner, name } = { ...(await applicant.read()), name: applicant.name }
    expect({ name, ...seen.of(applicant, partner) }).toEqual({
      name,
      ...{ envelopes: { completed: 1 }, accounts: 1, customers: 1, subscriptions: 1 },
      mails: {
        ...{ application_received: 1, docusign_envelope: 1, verification_requested: 1 },
        ...{ invitation: 1, welcome: 1 },
      },
    })
  }
  expect(copied(seen.mails)).toEqual([])
  expect((await checkInvariants(kit.db)).violations).toEqual([])
}

/** What makes something at a vendor, and is asked for first by that address. */
const makers: Pick<Fault, 'vendor' | 'path'>[] = [
  { vendor: 'docusign', path: '/restapi/v2.1/accounts' },
  { vendor: 'stripe', path: '/v2/core/accounts' },
  { vendor: 'stripe', path: '/v1/customers' },
  { vendor: 'stripe', path: '/v1/subscriptions' },
]

const kinds = ['timeout_after_commit', 'error_500', 'error_429']

describe('vendors that fail', () => {
  it('by an answer that is lost, a fault or a limit, at everything they are to make', async () => {
    const faults = kinds.flatMap((kind) => makers.map((maker) => ({ kind, ...maker, count: 1 })))
    await arm(faults)
    const applicants = await Promise.all(kinds.map((_, n) => begin(`Failing ${n}`)))
    await Promise.all(applicants.map((applicant) => through(applicant)))
    expect(await firedBy(faults)).toEqual([])
    await expectOneOfEach(applicants)
  })

  it('by messages that come late, twice and in another order', async () => {
    const faults = (['stripe', 'docusign'] as const).flatMap((vendor) =>
      ['duplicate_webhook', 'reorder_webhooks', 'delay_webhook'].map((kind) => ({
        ...{ vendor, kind },
        count: 1_000,
      })),
    )
    await arm(faults)
    const applicants = await Promise.all([1, 2].map((n) => begin(`Late ${n}`)))
    await Promise.all(applicants.map((applicant) => through(applicant)))
    expect(await firedBy(faults)).toEqual([])
    await expectOneOfEach(applicants)
  })

  it('by messages that never come: the daily questions find what happened', async () => {
    const faults = (['stripe', 'docusign'] as const).map((vendor) => ({
      ...{ vendor, kind: 'drop_webhook' },
      count: 1_000,
    }))
    await arm(faults)
    const applicants = await Promise.all([1, 2].map((n) => begin(`Dropped ${n}`)))
    await Promise.all(
      applicants.map(async (applicant) => {
        await applicant.reaches('agreement')
        await applicant.sign()
      }),
    )
    expect(await heard()).toBe(0)
    expect(await kit.steps.reconcileAgreements()).toEqual({ found: applicants.length })
    await kit.steps.sweep()
    await Promise.all(applicants.map((applicant) => applicant.verify('pass')))
    expect(await kit.steps.recoverVerificationEvents()).not.toEqual({ found: 0 })
    await kit.steps.sweep()
    await Promise.all(
      applicants.map(async (applicant) => {
        await applicant.decide('approve', 'fits')
        expect(await applicant.reaches('done')).toMatchObject({ status: 'active' })
      }),
    )
    expect(await firedBy(faults)).toEqual([])
    await expectOneOfEach(applicants)
    // Asked again, they find nothing that is not known.
    expect(await kit.steps.recoverVerificationEvents()).toEqual({ found: 0 })
  })
})

/** How many messages of applications that are called Dropped came in. */
async function heard(): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*)::int as count
    from webhook_events e join agreements a on a.envelope_id = e.object_id
    join applications p on p.id = a.application_id
    where p.company_name like 'Dropped%'`.execute(kit.db)
  return rows[0]?.count ?? -1
}
