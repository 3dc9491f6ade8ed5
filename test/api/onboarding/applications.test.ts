import { sql } from 'kysely'
import { inTransaction } from '../../../db/database.ts'
import { markPartner } from '../../../db/partners.ts'
import { outwardId, uuidOf } from '../../../domain/ids.ts'
import { workflowIds } from '../../../domain/process-names.ts'
import { makeApplication, makePartner } from '../../support/factories.ts'
import { type Product, startProduct } from '../../support/product.ts'
import {
  expectHidden,
  itIsClosedTo,
  itRefusesBadQueries,
  itTakesLiveKeysOnly,
  unknownId,
} from '../guards.ts'
import {
  type Call,
  clientOf,
  faults,
  type Json,
  rows,
  serveWith,
  withoutRequestId,
} from '../kit.ts'
import { goneTemporal } from '../temporal-away.ts'
import { makeWorld, type World } from '../world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.owner.key })
const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)

const company = { name: 'Ωmega Web', country: 'PT', website: 'https://omega.example' }
const contact = { name: 'Ana', email: 'ana@omega.example' }
const form = { company, contact, type: 'franchise', level: 'reseller' }
const apply = (body: unknown, via = call) => via('/v1/applications', { method: 'POST', body })

const count = async () => {
  const { rows: found } = await sql<{
    n: number
  }>`select count(*)::int as n from applications`.execute(product.db)
  return found[0]?.n
}

const noApplicant = ['POST /v1/applications/:id/decision', 'GET /v1/applications']

describe('an application', () => {
  it('is taken without a key, and its process starts', async () => {
    const { status, body, headers } = await apply(form)
    expect(status).toBe(202)
    const id = String(body.id)
    expect(body).toEqual({
      id: expect.stringMatching(/^app_/),
      status: 'submitted',
      status_url: expect.stringContaining(`/v1/applications/${id}?token=`),
    })
    expect(headers.get('location')).toBe(`${product.config.api.publicUrl}/v1/applications/${id}`)
    const uuid = uuidOf('application', id) ?? ''
    const process = await product.temporal.workflow
      .getHandle(workflowIds.onboarding(uuid))
      .describe()
    expect([process.type, process.status.name]).toEqual(['partnerOnboarding', 'RUNNING'])
  })

  it('is seen by the applicant through its link alone', async () => {
    const { body } = await apply({ ...form, parent: world.north.partner })
    const { pathname, search } = new URL(String(body.status_url))
    const answer = await call(`${pathname}${search}`)
    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({
      id: body.id,
      status: 'submitted',
      stage: 'screening',
      company: company.name,
      level: 'reseller',
      type: 'franchise',
      parent: world.north.partner,
      partner: null,
      next_actor: 'system',
      due_at: null,
      submitted_at: instant,
      undo_until: null,
      checklist: ['screening', 'agreement', 'verification'].map((item) => ({
        item,
        // What a screening found is for those who decide.
        state: item === 'screening' ? 'in_progress' : 'not_started',
        done: false,
        blocking: true,
      })),
      timeline: [
        {
          at: instant,
          stage: 'screening',
          actor: 'applicant',
          what: 'application submitted',
          due_at: null,
        },
      ],
      reapply_from: null,
      information_requests: [],
    })
    expect((await call(pathname)).status).toBe(401)
  })

  it('is kept while the process engine is away, and started later', async () => {
    const away = await serveWith(product, { temporal: goneTemporal() })
    const answer = await apply(form, away.call)
    const { pathname, search } = new URL(String(answer.body.status_url))
    expect([answer.status, (await call(`${pathname}${search}`)).status]).toEqual([202, 200])
    await away.stop()
  })

  it('keeps its link to itself: another token opens nothing and says nothing', async () => {
    const [mine, other] = [await apply(form), await apply(form)]
    const token = new URL(String(other.body.status_url)).search
    const wrong = await call(`/v1/applications/${mine.body.id}${token}`)
    const unknown = await call(`/v1/applications/${unknownId('app')}${token}`)
    expect(wrong.status).toBe(404)
    expect(withoutRequestId(wrong)).toEqual(withoutRequestId(unknown))
    const empty = await call(`/v1/applications/${mine.body.id}?token=`)
    expect(empty.status).toBe(404)
  })

  it('has no page of the identity check before its time', async () => {
    const { body } = await apply(form)
    const { pathname, search } = new URL(String(body.status_url))
    expect((await call(`${pathname}/verification`)).status).toBe(401)
    expect((await call(`${pathname}/verification?token=x`)).status).toBe(404)
    const answer = await call(`/v1/applications/${unknownId('app')}/verification${search}`)
    expect(answer.status).toBe(404)
  })

  it.each<[string, Json, string[]]>([
    ['nothing', {}, ['company', 'contact', 'level', 'type'].map((name) => `missing /${name}`)],
    [
      'an empty company',
      { ...form, company: {} },
      ['missing /company/country', 'missing /company/name', 'missing /company/website'],
    ],
    ['a blank name', { ...form, company: { ...company, name: ' ' } }, ['invalid /company/name']],
    [
      'NUL in its name',
      { ...form, company: { ...company, name: 'a\u0000' } },
      ['invalid /company/name'],
    ],
    [
      'a country by its name',
      { ...form, company: { ...company, country: 'Portugal' } },
      ['invalid /company/country'],
    ],
    [
      'a script as website',
      { ...form, company: { ...company, website: 'javascript:alert(1)' } },
      ['invalid /company/website'],
    ],
    [
      'NUL in its website',
      { ...form, company: { ...company, website: 'https://a.example/\u0000' } },
      ['invalid /company/website'],
    ],
    [
      'no e-mail address',
      { ...form, contact: { ...contact, email: 'ana' } },
      ['invalid /contact/email'],
    ],
    [
      'an endless e-mail address',
      { ...form, contact: { ...contact, email: `${'a'.repeat(250)}@omega.example` } },
      ['invalid /contact/email'],
    ],
    ['an unknown type', { ...form, type: 'friend' }, ['invalid /type']],
    ['the level of the platform', { ...form, level: 'super_admin' }, ['invalid /level']],
    ['a parent that is no partner id', { ...form, parent: 'north' }, ['invalid /parent']],
    ['a status of its own', { ...form, status: 'active' }, ['unknown_field /status']],
    [
      'unknown fields inside',
      { ...form, contact: { ...contact, phone: '1', 'a/b~c': 1 } },
      ['unknown_field /contact/a~1b~0c', 'unknown_field /contact/phone'],
    ],
  ])('is not taken with %s', async (_what, body, expected) => {
    const before = await count()
    expect(faults(await apply(body))).toEqual(expected)
    expect(await count()).toBe(before)
  })
})

describe('the parent that an application names', () => {
  it('may be an active master reseller', async () => {
    expect((await apply({ ...form, parent: world.north.partner })).status).toBe(202)
  })

  it('is refused alike when it is unknown, suspended or of no higher level', async () => {
    const suspended = await makePartner(product.db, { level: 'master_reseller' })
    await inTransaction(product.db, (trx) =>
      markPartner(trx, suspended, { from: ['active'], to: 'suspended' }),
    )
    const answers = await Promise.all([
      apply({ ...form, parent: unknownId('prt') }),
      apply({ ...form, parent: outwardId('partner', suspended) }),
      apply({ ...form, parent: world.shop.partner }),
      apply({ ...form, level: 'master_reseller', parent: world.north.partner }),
    ])
    for (const answer of answers) {
      expect([answer.status, answer.body.code]).toEqual([409, 'parent_not_active'])
      const [first] = answers
      expect(answer.body.detail).toBe(first?.body.detail)
    }
  })
})

describe('the list of applications', () => {
  it('shows a master reseller those that name it, and the platform owner all', async () => {
    const { db } = product
    const own = outwardId('application', await makeApplication(db, { parentId: world.south.id }))
    const other = outwardId('application', await makeApplication(db, {}))
    const seenBy = async (key: string) =>
      rows(await call('/v1/applications?limit=100', { key })).map(({ id }) => id)
    expect(await seenBy(world.south.key)).toEqual([own])
    expect(await seenBy(world.owner.key)).toEqual(expect.arrayContaining([own, other]))
    expect(await seenBy(world.north.key)).not.toContain(own)
  })

  it('tells of each application what it tells alone, but for its history', async () => {
    const id = outwardId('application', await makeApplication(product.db))
    const [listed] = rows(await call('/v1/applications', { key: world.owner.key }))
    const { body } = await call(`/v1/applications/${id}`, { key: world.owner.key })
    expect(body).toMatchObject(listed ?? {})
    const ofEverybody = ['checklist', 'timeline', 'reapply_from', 'information_requests']
    const ofDeciders = ['details', 'duplicates', 'pre_screen', 'decided_by', 'approvals']
    const more = [...ofEverybody, ...ofDeciders, 'territories']
    expect(Object.keys(body).sort()).toEqual([...Object.keys(listed ?? {}), ...more].sort())
  })

  it('can be narrowed to a status', async () => {
    const id = await makeApplication(product.db)
    await sql`update applications set status = 'withdrawn' where id = ${id}`.execute(product.db)
    const found = rows(await call('/v1/applications?status=withdrawn', { key: world.owner.key }))
    expect(found.map((row) => row.id)).toEqual([outwardId('application', id)])
  })

  itRefusesBadQueries('/v1/applications', stage, [['status=lost', 'invalid /status']])
})

describe('an application of others', () => {
  it('does not exist for a master reseller that it does not name', async () => {
    const id = await makeApplication(product.db, { parentId: world.south.id })
    const hidden = { id: outwardId('application', id), strangers: [world.north.key] }
    await expectHidden(call, { ...hidden, route: 'GET /v1/applications/:id' })
    const body = { decision: 'approve', reason: 'mine' }
    await expectHidden(call, { ...hidden, route: 'POST /v1/applications/:id/decision', body })
  })

  itIsClosedTo(['reseller'], [...noApplicant, 'GET /v1/applications/:id'], () => ({
    ...stage(),
    keys: {
      super_admin: world.owner.key,
      master_reseller: world.north.key,
      reseller: world.shop.key,
    },
  }))
})

describe('the form as a door for machines', () => {
  const emptyBuckets = () => sql`truncate rate_limits`.execute(product.db)

  it('takes three applications a minute from one address, and says when to come back', async () => {
    await emptyBuckets()
    const other = await serveWith(product, { settings: { applicationsPerMinute: 3 } })
    const before = Number(await count())
    expect((await apply({}, other.call)).status).toBe(422)
    const answers = []
    for (let n = 0; n < 4; n++) answers.push(await apply(form, other.call))
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 429])
    const refused = answers[3]
    expect(refused?.body.code).toBe('too_many_requests')
    const wait = Number(refused?.headers.get('retry-after'))
    expect(wait).toBeGreaterThan(0)
    expect(wait).toBeLessThanOrEqual(20)
    expect(await count()).toBe(before + 3)
    await other.stop()
    await emptyBuckets()
  })

  it('takes exactly three of twelve that come at the same moment', async () => {
    await emptyBuckets()
    const other = await serveWith(product, { settings: { applicationsPerMinute: 3 } })
    const answers = await Promise.all(Array.from({ length: 12 }, () => apply(form, other.call)))
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(3)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(9)
    await other.stop()
    await emptyBuckets()
  })

  it('counts a repeated request once', async () => {
    await emptyBuckets()
    const other = await serveWith(product, { settings: { applicationsPerMinute: 1 } })
    const request = {
      method: 'POST',
      body: form,
      headers: { 'Idempotency-Key': 'my-only-application' },
    }
    const first = await other.call('/v1/applications', request)
    const again = await other.call('/v1/applications', request)
    expect([first.status, again.status]).toEqual([202, 202])
    expect(again.body).toEqual(first.body)
    expect((await apply(form, other.call)).status).toBe(429)
    await other.stop()
    await emptyBuckets()
  })
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, [...noApplicant, 'GET /v1/applications/:id'])
})
