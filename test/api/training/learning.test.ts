/** Members of partners learn, pass, and have certificates that anybody can check. */
import { sql } from 'kysely'
import { outwardId } from '../../../domain/ids.ts'
import { makeKey } from '../../support/factories.ts'
import { type Product, startProduct } from '../../support/product.ts'
import { makeCertificate, makeCourse } from '../../support/training.ts'
import { expectHidden, itIsClosedTo, itRefusesBadQueries, itTakesLiveKeysOnly } from '../guards.ts'
import { type Call, clientOf, faults, type Json, rows } from '../kit.ts'
import { makeWorld, type PlaceName, strangersOf, type World } from '../world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.shop.key })
const post = (path: string, body: unknown = undefined, key = world.shop.key) =>
  call(path, { method: 'POST', key, ...(body === undefined ? {} : { body }) })
const enrol = async (course: string, key = world.shop.key) => {
  const { body } = await post('/v1/enrolments', { course: outwardId('course', course) }, key)
  return String(body.id)
}
const complete = (id: string, n: number, key = world.shop.key) =>
  post(`/v1/enrolments/${id}/modules/${n}/complete`, undefined, key)
const right = { a: [0], b: [2, 1, 2] }
const form = (answers: Record<string, number[]> = right) => ({
  answers: Object.entries(answers).map(([question, options]) => ({ question, options })),
})
const handIn = (id: string, answers: Record<string, number[]> = right, key = world.shop.key) =>
  post(`/v1/enrolments/${id}/quiz`, form(answers), key)
const outcome = async (answer: ReturnType<Call>) => {
  const { status, body } = await answer
  return [status, body.code]
}

/** Enrols and completes both modules. */
async function learn(course: string, key = world.shop.key): Promise<string> {
  const id = await enrol(course, key)
  for (const n of [1, 2]) await complete(id, n, key)
  return id
}

async function pass(course: string, key = world.shop.key): Promise<{ id: string; number: string }> {
  const { body } = await handIn(await learn(course, key), right, key)
  return body.certificate as { id: string; number: string }
}

describe('a member', () => {
  it('enrols, completes every module, answers rightly and is certified', async () => {
    const course = await makeCourse(product.db)
    const enrolled = await post('/v1/enrolments', { course: outwardId('course', course) })
    expect(enrolled.status).toBe(201)
    expect(enrolled.body).toMatchObject({
      partner: world.shop.partner,
      state: 'not_started',
      modules: 2,
      completed: [],
      attempts: 0,
      score: null,
    })
    const id = String(enrolled.body.id)
    expect(enrolled.headers.get('location')).toBe(`/v1/enrolments/${id}`)
    expect((await complete(id, 2)).body).toMatchObject({ state: 'in_progress', completed: [2] })
    expect((await complete(id, 2)).body).toMatchObject({ completed: [2] })
    expect(await outcome(handIn(id))).toEqual([409, 'not_ready'])
    await complete(id, 1)
    const { status, body } = await handIn(id)
    expect(status).toBe(200)
    expect(body).toEqual({
      score: 100,
      passed: true,
      state: 'passed',
      certificate: {
        id: expect.stringMatching(/^crt_/),
        number: expect.stringMatching(/^[A-Z2-9]{4}(-[A-Z2-9]{4}){3}$/),
      },
    })
    const read = await call(`/v1/enrolments/${id}`, { key: world.north.key })
    expect(read.body).toMatchObject({ state: 'passed', attempts: 1, score: 100 })
    // Whose people they are is nothing to those above.
    expect([typeof enrolled.body.member, read.body.member]).toEqual(['string', null])
  })

  it('has one open round of a course, however often it enrols', async () => {
    const course = await makeCourse(product.db)
    expect(await enrol(course)).toBe(await enrol(course))
  })

  it('that answers wrongly fails, may try again, and is not told what was right', async () => {
    const id = await learn(await makeCourse(product.db))
    const failed = await handIn(id, { a: [1], b: [1, 2] })
    expect(failed.body).toEqual({ score: 50, passed: false, state: 'failed', certificate: null })
    expect((await handIn(id, { a: [0] })).body.score).toBe(50)
    expect((await handIn(id)).body).toMatchObject({ passed: true, state: 'passed' })
    const read = await call(`/v1/enrolments/${id}`, { key: world.shop.key })
    expect(read.body).toMatchObject({ attempts: 3, score: 100 })
  })

  it('may try three times in a day, and is told when again', async () => {
    const id = await learn(await makeCourse(product.db))
    for (let i = 0; i < 3; i++) expect((await handIn(id, {})).body.score).toBe(0)
    const late = await handIn(id)
    expect([late.status, late.body.code]).toEqual([429, 'too_many_requests'])
    const wait = Number(late.headers.get('retry-after'))
    expect(wait).toBeGreaterThan(86_000)
    expect(wait).toBeLessThanOrEqual(86_400)
  })

  it('tries three times at most when ten requests come at once', async () => {
    const id = await learn(await makeCourse(product.db))
    const all = await Promise.all(Array.from({ length: 10 }, () => handIn(id, {})))
    expect(all.filter(({ status }) => status === 200)).toHaveLength(3)
  })

  it('gets one certificate for a request that is repeated under its key', async () => {
    const id = await learn(await makeCourse(product.db))
    const request = () =>
      call(`/v1/enrolments/${id}/quiz`, {
        method: 'POST',
        key: world.shop.key,
        body: form(),
        headers: { 'Idempotency-Key': `quiz-${id}` },
      })
    const first = await request()
    await sql`update idempotency_keys set answer_status = null, answer_headers = null,
      answer_sealed = null, claimed_at = clock_timestamp() - interval '1 hour'
      where key = ${`quiz-${id}`}`.execute(product.db)
    const again = await request()
    expect([again.status, again.body]).toEqual([200, first.body])
  })

  it('learns for itself alone: not for another member, and nobody above for it', async () => {
    const id = await learn(await makeCourse(product.db))
    const colleague = await makeKey(product.db, world.shop.id)
    for (const key of [colleague, world.north.key]) {
      expect(await outcome(complete(id, 1, key))).toEqual([403, 'forbidden'])
      expect(await outcome(handIn(id, right, key))).toEqual([403, 'forbidden'])
    }
    await expectHidden(call, {
      route: 'POST /v1/enrolments/:id/quiz',
      id,
      strangers: strangersOf('shop').map((name: PlaceName) => world[name].key),
      body: form(),
    })
  })

  it('completes no module that the course has not, and nothing after it has passed', async () => {
    const id = await learn(await makeCourse(product.db))
    expect(await outcome(complete(id, 3))).toEqual([404, 'not_found'])
    await handIn(id)
    expect(await outcome(handIn(id))).toEqual([409, 'conflict'])
  })

  it('of a partner that is approved and not active yet may learn', async () => {
    await sql`update partners set status = 'approved' where id = ${world.pier.id}`.execute(
      product.db,
    )
    const course = await makeCourse(product.db)
    expect((await pass(course, world.pier.key)).id).toMatch(/^crt_/)
    await sql`update partners set status = 'active' where id = ${world.pier.id}`.execute(product.db)
  })

  it('renews with another round, whose certificate takes the place of the one before', async () => {
    const course = await makeCourse(product.db)
    const first = await pass(course)
    const second = await pass(course)
    expect(second.number).not.toBe(first.number)
    const listed = rows(await call('/v1/certificates?limit=2', { key: world.shop.key }))
    expect(listed).toMatchObject([
      { id: second.id, state: 'valid', renewed_by: null },
      { id: first.id, state: 'valid', renewed_by: second.id },
    ])
  })

  it('takes no further round where its certificate is good for ever', async () => {
    const course = await makeCourse(product.db, { validityDays: null })
    await pass(course)
    const again = post('/v1/enrolments', { course: outwardId('course', course) })
    expect(await outcome(again)).toEqual([409, 'conflict'])
  })

  it.each<[string, unknown, string[]]>([
    ['no answers', {}, ['missing /answers']],
    ['words', { answers: [{ question: 'a', options: 'x' }] }, ['invalid /answers/0/options']],
    [
      'negative numbers',
      { answers: [{ question: 'a', options: [-1] }] },
      ['invalid /answers/0/options/0'],
    ],
  ])('hands in %s in vain', async (_what, body, expected) => {
    const path = '/v1/enrolments/enr_01h455vb4pex5vsknk084sn02q/quiz'
    expect(faults(await post(path, body))).toEqual(expected)
  })

  itRefusesBadQueries('/v1/enrolments', stage, [['partner=shop', 'invalid /partner']])
})

describe('a certificate', () => {
  it('is checked by anybody who has its number, and shows the company and no person', async () => {
    const { number } = await pass(await makeCourse(product.db))
    const { status, body } = await call(`/v1/certificates/${number.toLowerCase()}`)
    expect(status).toBe(200)
    expect(Object.keys(body).sort()).toEqual([
      'company',
      'course',
      'expires_at',
      'issued_at',
      'number',
      'state',
    ])
    expect(body).toMatchObject({ number, state: 'valid' })
    for (const other of ['AAAA-BBBB-CCCC-DDDD', 'nothing', `${number}'`]) {
      expect(await outcome(call(`/v1/certificates/${other}`))).toEqual([404, 'not_found'])
    }
  })

  it('is revoked by the platform owner, once, and then is no good to whoever checks it', async () => {
    const { id, number } = await pass(await makeCourse(product.db))
    const path = `/v1/certificates/${id}/revocation`
    const revoked = await post(path, { reason: 'copied answers' }, world.owner.key)
    expect([revoked.status, revoked.body.state]).toEqual([200, 'revoked'])
    const other = post(path, { reason: 'something else' }, world.owner.key)
    expect(await outcome(other)).toEqual([409, 'conflict'])
    expect((await call(`/v1/certificates/${number}`)).body.state).toBe('revoked')
    expect(faults(await post(path, {}, world.owner.key))).toEqual(['missing /reason'])
  })

  it('is printed, and hidden from strangers', async () => {
    const { id, number } = await pass(await makeCourse(product.db))
    const { status, bytes, headers } = await call(`/v1/certificates/${id}/pdf`, {
      key: world.shop.key,
    })
    expect([status, headers.get('content-type')]).toEqual([200, 'application/pdf'])
    expect(bytes.subarray(0, 5).toString()).toBe('%PDF-')
    expect(headers.get('content-disposition')).toContain(number)
    await expectHidden(call, {
      route: 'GET /v1/certificates/:id/pdf',
      id,
      strangers: strangersOf('shop').map((name) => world[name].key),
    })
  })

  itRefusesBadQueries('/v1/certificates', stage)
})

describe('the certification of a partner', () => {
  const standing = async (key: string, partner = world.corner.partner) =>
    (await call(`/v1/partners/${partner}/certification`, { key })).body

  it('says by course how far it is, and what is missing of what the programme asks for', async () => {
    const code = 'gold-course'
    const course = await makeCourse(product.db, { code, certifies: ['gold'] })
    await sql`update programmes set onboarding = jsonb_set(onboarding,
      '{certificationRequiredFor}', '["gold"]')`.execute(product.db)
    const ofCourse = (body: Json) =>
      (body.courses as { course: { code: string } }[]).find((one) => one.course.code === code)
    const before = await standing(world.corner.key)
    expect(ofCourse(before)).toMatchObject({ state: 'not_started', certificate: null })
    expect(before.required).toEqual([{ for: 'gold', met: false, missing: [code] }])
    const { number } = await pass(course, world.corner.key)
    const after = await standing(world.shop.key)
    expect(ofCourse(after)).toMatchObject({ state: 'passed', certificate: { number } })
    expect(after.required).toEqual([{ for: 'gold', met: true, missing: [] }])
  })

  it('counts no certificate that has run out', async () => {
    const course = await makeCourse(product.db, { code: 'old-course' })
    const { rows: members } = await sql<{ id: string }>`
      select id from members where partner_id = ${world.market.id} limit 1`.execute(product.db)
    const memberId = members[0]?.id ?? ''
    await makeCertificate(product.db, {
      ...{ partnerId: world.market.id, memberId, courseId: course },
      seconds: -1,
    })
    const { courses } = await standing(world.owner.key, world.market.partner)
    expect(courses).toContainEqual(expect.objectContaining({ state: 'expired', certificate: null }))
  })

  it('is hidden from strangers', async () => {
    await expectHidden(call, {
      route: 'GET /v1/partners/:id/certification',
      id: world.shop.partner,
      strangers: strangersOf('shop').map((name) => world[name].key),
    })
  })
})

describe('learning answers 401 to whoever is unknown', () => {
  const learning = [
    'POST /v1/enrolments',
    'POST /v1/enrolments/:id/modules/:n/complete',
    'POST /v1/enrolments/:id/quiz',
  ]
  itTakesLiveKeysOnly(stage, [
    ...learning,
    'GET /v1/enrolments',
    'GET /v1/enrolments/:id',
    'GET /v1/certificates',
    'GET /v1/certificates/:id/pdf',
    'POST /v1/certificates/:id/revocation',
    'GET /v1/partners/:id/certification',
  ])
  const keys = () => ({
    super_admin: world.owner.key,
    master_reseller: world.north.key,
    reseller: world.shop.key,
  })
  itIsClosedTo(['super_admin'], learning, () => ({ ...stage(), keys: keys() }))
  itIsClosedTo(['master_reseller', 'reseller'], ['POST /v1/certificates/:id/revocation'], () => ({
    ...stage(),
    keys: keys(),
  }))
})
