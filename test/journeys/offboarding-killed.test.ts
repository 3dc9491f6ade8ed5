/** A tenant leaves while its worker is killed in the middle; everything happens once. */
import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { findErasure } from '../../db/lifecycle/erasures.ts'
import { findOffboarding } from '../../db/lifecycle/offboardings.ts'
import { getPartner } from '../../db/partners.ts'
import { recordTenant } from '../../db/provisioning.ts'
import { outwardId } from '../../domain/ids.ts'
import { eventually } from '../../scripts/story/client.ts'
import { makeKey, makePartner, unique } from '../support/factories.ts'
import { mortalWorker } from '../support/mortal-worker.ts'
import { type Steps, startSteps } from '../support/steps.ts'

let kit: Steps
beforeAll(async () => {
  kit = await startSteps()
  await sql`update programmes set deadlines = deadlines
    || '{"retrieval": 1, "retrievalReminders": []}'`.execute(kit.db)
})
afterAll(() => kit.stop())

/** With a customer and a subscription at the vendor, a key, and a domain. */
async function tenantOf(partnerId: string): Promise<string> {
  const tenantId = await inTransaction(kit.db, (trx) =>
    recordTenant(trx, { partnerId, name: unique('Leaving') }),
  )
  await sql`update tenants set status = 'active' where id = ${tenantId}`.execute(kit.db)
  await makeKey(kit.db, partnerId)
  const input = { tenantId, attempt: 1, tries: 1 }
  await kit.steps.createBillingCustomer(input)
  await kit.steps.openPlatformSubscription(input)
  return tenantId
}

/** The first lives are shorter than the way to its end. */
const lives: (number | null)[] = [300, 700]

describe('a tenant that leaves while its worker dies', () => {
  it('is frozen, exported, told and erased once, and pays for nothing any more', async () => {
    const partnerId = await makePartner(kit.db, { level: 'master_reseller' })
    const { contactEmail } = await getPartner(kit.db, partnerId)
    const tenantId = await tenantOf(partnerId)
    const path = `/v1/tenants/${outwardId('tenant', tenantId)}/offboarding`
    const post = (at: string, key: string, body?: object) =>
      kit.story.api(at, { method: 'POST', key, ...(body ? { body } : {}) })
    const stage = async () => (await findOffboarding(kit.db, tenantId))?.stage
    const worker = mortalWorker(kit, (life) => lives[life - 1] ?? null)
    try {
      const confirm = outwardId('tenant', tenantId)
      await post(path, kit.owner, { reason: 'It asked for it', confirm })
      await eventually('it waits for a second person', async () =>
        (await stage()) === 'confirmation' ? true : undefined,
      )
      await post(`${path}/confirm`, kit.second)
      await eventually('it is erased', async () =>
        (await stage()) === 'erased' ? true : undefined,
      )
      const told = async () => {
        const { data } = await kit.story.sandbox<{ data: { to: string; kind: string }[] }>('/mails')
        return data.filter(({ to }) => to === contactEmail).map(({ kind }) => kind)
      }
      await eventually('it is told', async () =>
        (await told()).includes('export_ready') ? true : undefined,
      )
      expect((await told()).filter((kind) => kind === 'export_ready')).toHaveLength(1)
    } finally {
      await worker.stop()
    }
    expect(worker.deaths()).toBeGreaterThanOrEqual(lives.length)
    const { data } = await kit.story.sandbox<{
      data: { status: string; metadata: { tenant?: string } }[]
    }>('/subscriptions')
    const own = data.filter(({ metadata }) => metadata.tenant === outwardId('tenant', tenantId))
    expect(own.map(({ status }) => status)).toEqual(['canceled'])
    const offboarding = await findOffboarding(kit.db, tenantId)
    const { rows } = await sql<{ what: string }>`
      select what from offboarding_events where offboarding_id = ${offboarding?.id}
      order by id`.execute(kit.db)
    expect(new Set(rows.map(({ what }) => what)).size).toBe(rows.length)
    expect(await findErasure(kit.db, offboarding?.id ?? '')).toBeDefined()
    const { rows: keys } = await sql`select from data_keys
      where partner_id = ${partnerId} and wrapped is not null`.execute(kit.db)
    expect(keys).toEqual([])
    expect((await checkInvariants(kit.db)).violations).toEqual([])
  })
})
