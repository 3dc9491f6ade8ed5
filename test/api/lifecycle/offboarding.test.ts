/** A tenant that leaves, over HTTP: who may, what is refused, and its data by the link. */
import { sql } from 'kysely'
import { inTransaction } from '../../../db/database.ts'
import { recordTenant } from '../../../db/provisioning.ts'
import { outwardId } from '../../../domain/ids.ts'
import { createLinks } from '../../../integrations/links.ts'
import { makeKey, makeOrder, makePartner, unique } from '../../support/factories.ts'
import { type Steps, startSteps } from '../../support/steps.ts'
import { itTakesLiveKeysOnly, unknownId } from '../guards.ts'
import { type Answer, type Call, clientOf, faults, type Json } from '../kit.ts'
import { keyOf } from '../two-persons.ts'

let product: Steps
let call: Call
let first: string
beforeAll(async () => {
  product = await startSteps()
  call = clientOf(product.api)
  first = await keyOf(product.db, { email: 'first@platform.example' })
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: first })
const refusal = ({ status, body }: Answer) => [status, body.code]

async function newTenant() {
  const partnerId = await makePartner(product.db, { level: 'master_reseller' })
  const id = await inTransaction(product.db, (trx) =>
    recordTenant(trx, { partnerId, name: unique('Tenant') }),
  )
  const key = await makeKey(product.db, partnerId)
  return { id, partnerId, key, tenant: outwardId('tenant', id) }
}

const leave = (tenant: string, body: Json = {}, key = first) =>
  call(`/v1/tenants/${tenant}/offboarding`, {
    method: 'POST',
    key,
    body: { reason: 'It asked for it', confirm: tenant, ...body },
  })

describe('a tenant that leaves', () => {
  it('is told of with its stage, who acts next and what happened', async () => {
    const { tenant, id } = await newTenant()
    const { status, body } = await leave(tenant, { export: false, legal_hold: true })
    expect([status, body.tenant, body.legal_hold, body.export]).toEqual([202, tenant, true, false])
    const { rows } = await sql<{ id: string }>`
      select id from offboardings where tenant_id = ${id}`.execute(product.db)
    const offboardingId = rows[0]?.id ?? ''
    await product.steps.freezeTenant({ offboardingId })
    await product.steps.enterOffboardingStage({ offboardingId, stage: 'confirmation', dueAt: null })
    const read = await call(`/v1/tenants/${tenant}/offboarding`, { key: first })
    expect(read.body).toMatchObject({ stage: 'confirmation', next_actor: 'super_admin' })
    expect((read.body.timeline as Json[]).map((entry) => entry.stage)).toEqual([
      'freezing',
      'confirmation',
    ])
    expect(refusal(await leave(tenant))).toEqual([409, 'conflict'])
  })

  it('has its data fetched with the link of its mail, and with no other', async () => {
    const { tenant, id } = await newTenant()
    await leave(tenant)
    const { rows } = await sql<{ id: string }>`
      select id from offboardings where tenant_id = ${id}`.execute(product.db)
    const offboardingId = rows[0]?.id ?? ''
    const link = product.deps.links.exportUrl(id, offboardingId)
    const { pathname, search } = new URL(link)
    expect(refusal(await call(`${pathname}${search}`))).toEqual([410, 'gone'])
    await product.steps.freezeTenant({ offboardingId })
    await product.steps.exportTenant({ offboardingId })
    await product.steps.enterOffboardingStage({ offboardingId, stage: 'retrieval', dueAt: null })
    const answer = await call(`${pathname}${search}`)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/x-tar'])
    expect(answer.bytes.length % 512).toBe(0)
    expect(answer.bytes.subarray(257, 262).toString()).toBe('ustar')
    expect(answer.text).toContain('partners-00001.jsonl')
    expect(answer.text).toContain('"contact_email"'.replace('contact_email', 'contactEmail'))
    const stranger = createLinks({
      publicUrl: 'https://api.example',
      tenantDomain: 'tenants.example',
      linkSecret: 'x'.repeat(32),
    })
    const forged = new URL(stranger.exportUrl(id, offboardingId)).search
    expect(refusal(await call(`${pathname}${forged}`))).toEqual([404, 'not_found'])
  })

  it('leaves nobody behind: with customers that pay it takes a termination', async () => {
    const { tenant, partnerId } = await newTenant()
    await makeOrder(product.db, partnerId)
    expect(refusal(await leave(tenant))).toEqual([409, 'conflict'])
  })

  it('is named twice, for a reason', async () => {
    const { tenant } = await newTenant()
    expect(faults(await leave(tenant, { confirm: 'yes' }))).toEqual(['invalid /confirm'])
    expect(faults(await leave(tenant, { reason: ' ' }))).toEqual(['invalid /reason'])
  })

  it('is for the platform alone', async () => {
    const { tenant, key } = await newTenant()
    expect(refusal(await leave(tenant, {}, key))).toEqual([403, 'level_not_allowed'])
    const read = await call(`/v1/tenants/${tenant}/offboarding`, { key: first })
    expect(refusal(read)).toEqual([404, 'not_found'])
    expect(refusal(await leave(unknownId('ten')))).toEqual([404, 'not_found'])
  })
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, [
    'POST /v1/tenants/:id/offboarding',
    'GET /v1/tenants/:id/offboarding',
    'POST /v1/tenants/:id/offboarding/confirm',
    'POST /v1/tenants/:id/offboarding/cancel',
    'POST /v1/tenants/:id/offboarding/legal-hold',
  ])
})
