/** Partners that are terminated before their first day, and what a reinstatement gives back. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { relayActivities } from '../../activities/relay.ts'
import { recordDecision, recordProposal } from '../../db/approvals.ts'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { findOffboarding } from '../../db/lifecycle/offboardings.ts'
import { getApplication, listTimeline } from '../../db/onboarding/applications.ts'
import { getPartner } from '../../db/partners.ts'
import { getTenant, recordTenant } from '../../db/provisioning.ts'
import type { Proposal } from '../../domain/approvals.ts'
import { outwardId } from '../../domain/ids.ts'
import { signalNames, workflowIds } from '../../domain/process-names.ts'
import { makeApplication, makeMember, makePartner, unique } from '../support/factories.ts'
import { type Steps, startSteps } from '../support/steps.ts'

let kit: Steps
let first: string
let second: string
beforeAll(async () => {
  kit = await startSteps()
  const person = () =>
    makeMember(kit.db, { partnerId: null, email: `${unique('person')}@platform.example` })
  first = await person()
  second = await person()
})
afterEach(async () => {
  expect((await checkInvariants(kit.db)).violations).toEqual([])
})
afterAll(() => kit.stop())

/** The first person proposes and the second one approves. */
async function approved(terms: Omit<Proposal, 'id'>): Promise<void> {
  const id = randomUUIDv7()
  const proposal = { ...terms, id, proposedBy: first } as Proposal & { proposedBy: string }
  await inTransaction(kit.db, (trx) => recordProposal(trx, proposal))
  await inTransaction(kit.db, async (trx) => {
    const { payloadHash } = await trx
      .selectFrom('approvals')
      .select('payloadHash')
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
    await recordDecision(trx, { id, memberId: second, verdict: 'approved', payloadHash })
  })
}

const terminate = (partnerId: string) =>
  approved({
    ...{ kind: 'termination', concernedId: partnerId, reason: 'as agreed' },
    ...{ reasonCode: 'mutual', successorId: null, effectiveAt: null },
  } as Omit<Proposal, 'id'>)
const reinstate = (concernedId: string) =>
  approved({ kind: 'reinstatement', concernedId, reason: 'in error' })

/** A round of the sweeper. @returns what processes were told, and which were started how. */
async function sweep() {
  const told: string[] = []
  const started = new Map<string, object>()
  const processes = {
    ensureRunning: async ({ workflowId, input }: { workflowId: string; input: object }) => {
      started.set(workflowId, input)
    },
    wake: async () => {},
    tell: async ({ workflowId, signal }: { workflowId: string; signal: string }) => {
      told.push(`${workflowId} ${signal}`)
    },
  }
  await relayActivities({ ...kit.deps, processes }).sweep()
  return { told, started }
}

describe('an application whose process was lost', () => {
  it('is begun anew as far as it was decided, and never decided again', async () => {
    const ids = await Promise.all([0, 1, 2].map(() => makeApplication(kit.db)))
    const [open, approved, preparing] = ids as [string, string, string]
    await sql`update applications set submitted_at = now() - interval '1 hour'
      where id = any(${ids}::uuid[])`.execute(kit.db)
    await sql`update applications set stage = 'approval', status = 'approved'
      where id = ${approved}`.execute(kit.db)
    await sql`update applications set stage = 'provisioning', status = 'provisioning'
      where id = ${preparing}`.execute(kit.db)
    const { started } = await sweep()
    expect(started.get(workflowIds.onboarding(open))).not.toHaveProperty('from')
    for (const id of [approved, preparing]) {
      expect(started.get(workflowIds.onboarding(id))).toMatchObject({ from: 'provisioning' })
    }
  })
})

describe('a partner that is terminated while it waits for its certificate', () => {
  async function inTraining(): Promise<string> {
    const id = await makeApplication(kit.db)
    await makePartner(kit.db, { id })
    await sql`update partners set status = 'approved', activated_at = null
      where id = ${id}`.execute(kit.db)
    await sql`update applications set stage = 'training', status = 'provisioning',
      partner_id = ${id}, submitted_at = submitted_at - interval '1 hour'
      where id = ${id}`.execute(kit.db)
    return id
  }
  const whatHappened = async (id: string) =>
    (await listTimeline(kit.db, id, 'applicant')).map(({ what }) => what)

  it('is not started: its process is told, ends, and its application with it', async () => {
    const id = await inTraining()
    const message = `${workflowIds.onboarding(id)} ${signalNames.trainingChanged}`
    expect((await sweep()).told).not.toContain(message)
    await terminate(id)
    expect((await sweep()).told).toContain(message)
    for (let n = 0; n < 2; n++) {
      expect(await kit.steps.activatePartner({ applicationId: id })).toBe('ended')
    }
    expect(await getApplication(kit.db, id)).toMatchObject({ status: 'lapsed', nextActor: null })
    const ends = (await whatHappened(id)).filter((what) => what.includes('terminated'))
    expect(ends).toEqual(['the partnership was terminated before its first day'])
    expect((await getPartner(kit.db, id)).status).toBe('terminated')
    expect((await sweep()).told).not.toContain(message)
  })

  it('goes on where it was when that is taken back, and starts', async () => {
    const id = await inTraining()
    await terminate(id)
    await kit.steps.activatePartner({ applicationId: id })
    expect((await sweep()).started.has(workflowIds.onboarding(id))).toBe(false)
    await reinstate(id)
    expect((await getPartner(kit.db, id)).status).toBe('approved')
    const { started } = await sweep()
    expect(started.get(workflowIds.onboarding(id))).toMatchObject({ from: 'training' })
    expect(await kit.steps.activatePartner({ applicationId: id })).toBe('active')
    expect((await getPartner(kit.db, id)).status).toBe('active')
    expect(await whatHappened(id)).toContain('the partnership was taken up again')
  })
})

describe('the platform subscription of a partner that was terminated and stays', () => {
  async function staying() {
    const partnerId = await makePartner(kit.db)
    const tenantId = await inTransaction(kit.db, (trx) =>
      recordTenant(trx, { partnerId, name: unique('Staying') }),
    )
    await sql`update tenants set status = 'active' where id = ${tenantId}`.execute(kit.db)
    const input = { tenantId, attempt: 1, tries: 1 }
    await kit.steps.createBillingCustomer(input)
    await kit.steps.openPlatformSubscription(input)
    await terminate(partnerId)
    const { id: offboardingId = '' } = (await findOffboarding(kit.db, tenantId)) ?? {}
    await kit.steps.freezeTenant({ offboardingId })
    await kit.steps.cancelPlatformSubscription({ tenantId })
    await kit.steps.recordCancellation({ offboardingId, memberId: first })
    expect(await kit.steps.takeOffboardingBack({ offboardingId })).toEqual({ attempt: null })
    return { partnerId, tenantId }
  }
  const subscriptionOf = async (tenantId: string) =>
    (await getTenant(kit.db, tenantId)).vendorSubscriptionId

  it('is opened again with the reinstatement, once, and not before', async () => {
    const { partnerId, tenantId } = await staying()
    await sweep()
    expect(await subscriptionOf(tenantId)).toBeNull()
    await reinstate(partnerId)
    await sweep()
    const opened = await subscriptionOf(tenantId)
    expect(opened).toMatch(/^sub_/)
    await sweep()
    expect(await subscriptionOf(tenantId)).toBe(opened)
  })

  it('is left to a person where the vendor refuses it, and asked for no more', async () => {
    const { partnerId, tenantId } = await staying()
    await reinstate(partnerId)
    await sql`update tenants set vendor_customer_id = 'cus_gone' where id = ${tenantId}`.execute(
      kit.db,
    )
    for (let n = 0; n < 3; n++) await sweep()
    const { rows } = await sql`select what from manual_tasks
      where subject = ${outwardId('tenant', tenantId)}`.execute(kit.db)
    expect(rows).toEqual([{ what: 'openPlatformSubscription' }])
    expect(await subscriptionOf(tenantId)).toBeNull()
  })
})
