import { sql } from 'kysely'
import { outwardId, uuidOf } from '../../../domain/ids.ts'
import { workflowIds } from '../../../domain/process-names.ts'
import { createLinks } from '../../../integrations/links.ts'
import { eventually } from '../../../scripts/story/client.ts'
import { makeGreenApplication, unique } from '../../support/factories.ts'
import { type Product, startProduct, type TestWorker } from '../../support/product.ts'
import { makeScreening } from '../../support/screenings.ts'
import { type Answer, type Call, clientOf, faults, type Json } from '../kit.ts'
import { makeWorld, type World } from '../world.ts'

const names = [
  'dated',
  'instant',
  'refused',
  'twice',
  'early',
  'crowded',
  'patient',
  'listed',
] as const
type Name = (typeof names)[number]

let product: Product
let call: Call
let world: World
let worker: TestWorker
let ids: Record<Name, string>
beforeAll(async () => {
  product = await startProduct()
  worker = await product.startWorker()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  // A step of provisioning that fails is undone at once, without waiting for a person.
  await sql`update programmes
    set deadlines = deadlines || '{"provisioningPatience": 0}'`.execute(product.db)
  const entries = await Promise.all(
    names.map(async (name) => {
      const parent = name === 'instant' ? world.north.partner : undefined
      const id = await apply(name, parent)
      await (name === 'early' ? reaches(id, 'agreement') : carryToApproval(id))
      return [name, id]
    }),
  )
  ids = Object.fromEntries(entries)
})
afterAll(() => product.stop())

async function apply(name: string, parent?: string): Promise<string> {
  const body = {
    company: { name: `Company ${name}`, country: 'PT', website: 'https://company.example' },
    contact: { name: 'Ana', email: `${name}@company.example` },
    type: 'franchise',
    level: 'reseller',
    ...(parent ? { parent } : {}),
  }
  return String((await call('/v1/applications', { method: 'POST', body })).body.id)
}

const read = async (id: string) =>
  (await call(`/v1/applications/${id}`, { key: world.owner.key })).body

async function reaches(id: string, stage: string): Promise<Json> {
  return eventually(`${id} reaches ${stage}`, async () => {
    const application = await read(id)
    return application.stage === stage ? application : undefined
  })
}

interface SandboxObject {
  id: string
  metadata: { application?: string }
}

async function atVendor(kind: 'envelopes' | 'accounts', id: string): Promise<string> {
  return eventually(`${kind} of ${id}`, async () => {
    const { data } = await product.story.sandbox<{ data: SandboxObject[] }>(`/${kind}`)
    return data.find(({ metadata }) => metadata.application === id)?.id
  })
}

async function sign(id: string): Promise<void> {
  await reaches(id, 'agreement')
  await product.story.sandbox(`/envelopes/${await atVendor('envelopes', id)}/sign`, {})
  await reaches(id, 'verification')
}

async function carryToApproval(id: string): Promise<void> {
  await sign(id)
  await product.story.sandbox(`/accounts/${await atVendor('accounts', id)}/kyc`, { result: 'pass' })
  await reaches(id, 'approval')
}

async function decide(id: string, body: Json, by: { key?: string; once?: string } = {}) {
  return call(`/v1/applications/${id}/decision`, {
    method: 'POST',
    key: by.key ?? world.owner.key,
    body: { decision: 'approve', reason: 'known for years', ...body },
    ...(by.once ? { headers: { 'Idempotency-Key': by.once } } : {}),
  })
}

const refusal = ({ status, body }: Answer) => [status, body.code]

const processOf = (id: string) =>
  product.temporal.workflow.getHandle(workflowIds.onboarding(uuidOf('application', id) ?? ''))

/** From when on the partner holds its first tier and stands below its parent. */
async function heldFrom(id: string) {
  const uuid = uuidOf('application', id)
  const { rows } = await sql<{ tier: Date; parent: Date | null }>`
    select lower(t.valid) as tier, (select lower(a.valid) from partner_ancestry a
      where a.partner_id = t.partner_id and a.depth = 1) as parent
    from partner_tiers t where t.partner_id = ${uuid}`.execute(product.db)
  return { tier: rows[0]?.tier.toISOString(), parent: rows[0]?.parent?.toISOString() ?? null }
}

describe('a decision', () => {
  it('approves from a date on, once, and never again after the process has ended', async () => {
    const answer = await decide(ids.dated, { effective_from: '2026-03-01' })
    expect(answer.status).toBe(200)
    expect(answer.body).toMatchObject({
      id: ids.dated,
      status: expect.stringMatching(/^(approved|provisioning|active)$/),
      partner: expect.stringMatching(/^prt_/),
      timeline: expect.arrayContaining([
        {
          at: expect.stringMatching(/Z$/),
          stage: 'approval',
          actor: 'super_admin',
          what: 'approved',
          due_at: null,
        },
      ]),
    })
    expect(await heldFrom(ids.dated)).toEqual({ tier: '2026-03-01T00:00:00.000Z', parent: null })
    expect(refusal(await decide(ids.dated, {}))).toEqual([409, 'already_decided'])
    expect(await processOf(ids.dated).result()).toBe('active')
    expect(refusal(await decide(ids.dated, { decision: 'reject' }))).toEqual([
      409,
      'already_decided',
    ])
    expect(await read(ids.dated)).toMatchObject({ status: 'active', stage: 'done' })
  })

  it('of a master reseller brings a partner in below it, from an instant on', async () => {
    const others = { key: world.south.key }
    expect(refusal(await decide(ids.instant, {}, others))).toEqual([404, 'not_found'])
    const north = uuidOf('partner', world.north.partner)
    const setNorth = (status: string) =>
      sql`update partners set status = ${status} where id = ${north}`.execute(product.db)
    await setNorth('suspended')
    const early = await decide(ids.instant, {})
    expect([refusal(early), early.body.open]).toEqual([[409, 'parent_not_active'], ['parent']])
    await setNorth('active')
    const effective_from = '2026-03-01T02:30:00+02:00'
    const answer = await decide(ids.instant, { effective_from }, { key: world.north.key })
    expect(answer.status).toBe(200)
    const from = '2026-03-01T00:30:00.000Z'
    expect(await heldFrom(ids.instant)).toEqual({ tier: from, parent: from })
    const { body } = await call(`/v1/partners/${String(answer.body.partner)}`, {
      key: world.north.key,
    })
    expect(body).toMatchObject({ name: 'Company instant', parent: world.north.partner })
  })

  it('rejects, and leaves no partner behind', async () => {
    const answer = await decide(ids.refused, { decision: 'reject', reason: 'no references' })
    expect(answer.body).toMatchObject({ status: 'rejected', stage: 'done', partner: null })
    expect(await processOf(ids.refused).result()).toBe('rejected')
    expect(refusal(await decide(ids.refused, {}))).toEqual([409, 'already_decided'])
    expect(await heldFrom(ids.refused)).toEqual({ tier: undefined, parent: null })
  })

  it('is taken once by two persons who decide at the same moment', async () => {
    const answers = await Promise.all([
      decide(ids.twice, { decision: 'approve' }, { once: 'first' }),
      decide(ids.twice, { decision: 'reject' }, { key: product.second }),
    ])
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
    const lost = answers.find(({ status }) => status === 409)
    expect(lost?.body.code).toBe('already_decided')
    const { rows } = await sql<{ n: number }>`select count(*)::int as n from decision_notes
      where taken_at is not null and application_id = ${uuidOf('application', ids.twice)}`.execute(
      product.db,
    )
    expect(rows[0]?.n).toBe(1)
  })

  it('is not taken before everything is there to decide on', async () => {
    expect(refusal(await decide(ids.early, {}))).toEqual([409, 'not_ready'])
    expect(await read(ids.early)).toMatchObject({ stage: 'agreement', status: 'in_review' })
  })

  it('is not taken for one that may be on a list, until two persons say that it is not', async () => {
    const applicationId = uuidOf('application', ids.listed) ?? ''
    const screening = outwardId('screening', await makeScreening(product.db, { applicationId }))
    const refused = await decide(ids.listed, {})
    expect(refusal(refused)).toEqual([409, 'screening_open'])
    expect(refused.body.detail).toContain('an approval has to wait for: screening')
    expect(await read(ids.listed)).toMatchObject({ stage: 'approval', status: 'in_review' })
    const { rows } = await sql`select from partners where id = ${applicationId}`.execute(product.db)
    expect(rows).toEqual([])
    const proposed = await call(`/v1/screenings/${screening}/override`, {
      ...{ method: 'POST', key: product.owner, body: { reason: 'another company' } },
    })
    const { id, payload_hash } = proposed.body
    const approved = await call(`/v1/approvals/${id}/approve`, {
      ...{ method: 'POST', key: product.second, body: { payload_hash } },
    })
    expect(approved.status).toBe(200)
    expect((await decide(ids.listed, {})).status).toBe(200)
  })

  it.each<[string, Json, string[]]>([
    ['no decision', { decision: undefined }, ['missing /decision']],
    ['an unknown decision', { decision: 'maybe' }, ['invalid /decision']],
    ['no reason', { reason: undefined }, ['missing /reason']],
    ['a blank reason', { reason: '  ' }, ['invalid /reason']],
    ['an endless reason', { reason: 'x'.repeat(2_001) }, ['invalid /reason']],
    ['a day that is none', { effective_from: '2026-02-30' }, ['invalid /effective_from']],
    [
      'an instant without a zone',
      { effective_from: '2026-03-01T00:00:00' },
      ['invalid /effective_from'],
    ],
    ['a number of seconds', { effective_from: 1_772_000_000 }, ['invalid /effective_from']],
    ['a tier', { tier: 'gold' }, ['unknown_field /tier']],
  ])('is not taken with %s', async (_what, body, expected) => {
    expect(faults(await decide(ids.early, body))).toEqual(expected)
  })

  it('takes a key that was made for decisions', async () => {
    const form = { label: 'no decisions', scopes: ['read', 'write'] }
    const made = await call('/v1/api-keys', { method: 'POST', key: world.owner.key, body: form })
    const key = String(made.body.key)
    expect(refusal(await decide(ids.early, {}, { key }))).toEqual([403, 'forbidden'])
    expect(refusal(await decide(ids.early, {}, { key: world.shop.key }))).toEqual([
      403,
      'level_not_allowed',
    ])
  })
})

describe('an application whose process is not running', () => {
  it('is not called decided: whoever decides or asks comes back in a minute', async () => {
    const id = outwardId('application', await makeGreenApplication(product.db))
    const path = `/v1/applications/${id}/information-requests`
    const body = { questions: ['Who sells for you?'] }
    const answers = [
      await decide(id, {}),
      await call(path, { method: 'POST', key: world.owner.key, body }),
    ]
    for (const answer of answers) {
      expect(refusal(answer)).toEqual([503, 'temporarily_unavailable'])
      expect(answer.headers.get('retry-after')).toBe('60')
    }
    expect(await read(id)).toMatchObject({ status: 'in_review', decided_by: null })
  })
})

describe('the identity check', () => {
  it('opens a fresh page of the payment provider for the applicant, and for nobody else', async () => {
    const id = await apply('verified')
    await sign(id)
    const links = createLinks(product.config.api)
    const status = new URL(links.verificationUrl(uuidOf('application', id) ?? ''))
    const answer = await eventually('the page', async () => {
      const tried = await call(`${status.pathname}${status.search}`)
      return tried.status === 303 ? tried : undefined
    })
    const page = new URL(answer.headers.get('location') ?? '')
    expect(page.origin).toBe(new URL(product.sandbox.url).origin)
    // Who decides on it shows nobody's papers in its place.
    const decider = await call(status.pathname, { key: world.owner.key })
    expect(refusal(decider)).toEqual([401, 'not_authenticated'])
  })
})

describe('a provisioning that failed', () => {
  it('is shown with its problem, and tried again by the platform owner only', async () => {
    await crowd('company-crowded')
    expect((await decide(ids.crowded, {})).status).toBe(200)
    const failed = await tenantWhen('failed')
    expect(failed).toMatchObject({ problem: 'subdomain_taken', subdomain: null, url: null })
    const path = `/v1/tenants/${String(failed.id)}/retry`
    await sql`delete from tenants where subdomain = 'company-crowded-7'`.execute(product.db)
    expect((await call(path, { method: 'POST', key: world.north.key })).status).toBe(403)
    const answer = await call(path, { method: 'POST', key: world.owner.key })
    expect([answer.status, answer.body.id]).toEqual([202, failed.id])
    const active = await tenantWhen('active')
    expect(active).toMatchObject({ subdomain: 'company-crowded-7', problem: null })
    const again = await call(path, { method: 'POST', key: world.owner.key })
    expect(refusal(again)).toEqual([409, 'not_ready'])
  })

  async function tenantWhen(status: string): Promise<Json> {
    return eventually(`the tenant is ${status}`, async () => {
      const { body } = await call('/v1/tenants?limit=100', { key: world.owner.key })
      const tenants = body.data as Json[]
      return tenants.find((tenant) => tenant.name === 'Company crowded' && tenant.status === status)
    })
  }

  /** Takes the fifty subdomains that the name suggests. */
  async function crowd(slug: string): Promise<void> {
    await sql`
      with made as (
        insert into partners (programme_id, name, level, type, status, country, website,
          contact_name_sealed, contact_email_sealed)
        select id, ${slug} || '-' || n, 'reseller', 'franchise', 'active', 'PT', '', '', ''
        from programmes, generate_series(1, 50) n returning id, name
      )
      insert into tenants (partner_id, name, subdomain)
      select id, name, case when name = ${`${slug}-1`} then ${slug} else name end from made
    `.execute(product.db)
  }
})

describe('a decision while no worker runs', () => {
  it('asks for patience, and is taken when the same request comes again', async () => {
    await worker.stop()
    const once = unique('decision')
    const answer = await decide(ids.patient, {}, { once })
    expect(refusal(answer)).toEqual([503, 'temporarily_unavailable'])
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
    worker = await product.startWorker()
    const taken = await decide(ids.patient, {}, { once })
    expect([taken.status, taken.body.id]).toEqual([200, ids.patient])
    const replayed = await decide(ids.patient, {}, { once })
    expect([replayed.status, replayed.text]).toEqual([200, taken.text])
    expect(refusal(await decide(ids.patient, {}))).toEqual([409, 'already_decided'])
  })
})
