/** Courses: written in versions, taught unchanged, read without their answers. */
import { sql } from 'kysely'
import { uuidOf } from '../../../domain/ids.ts'
import { unique } from '../../support/factories.ts'
import { type Product, startProduct } from '../../support/product.ts'
import { makeCourse } from '../../support/training.ts'
import { itIsClosedTo, itRefusesBadQueries, itTakesLiveKeysOnly } from '../guards.ts'
import { type Call, clientOf, faults, type Json, rows } from '../kit.ts'
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

const stage = () => ({ db: product.db, call, key: world.shop.key })
const send = (method: string, path: string, body?: unknown) =>
  call(path, { method, key: world.owner.key, ...(body === undefined ? {} : { body }) })
const newCode = () => unique('course').replace('_', '-')
const terms = { title: 'First steps', validity_days: 365, pass_score: 80 }
const begin = async (changes: Json = {}) => {
  const { body } = await send('POST', '/v1/courses', { code: newCode(), ...terms, ...changes })
  return String(body.id)
}
const question = { id: 'q1', text: 'Which?', options: ['this', 'that'], right: [0] }
const lesson = { title: 'One', body: 'Read.', minutes: 5, quiz: [question] }
const outcome = async (answer: ReturnType<Call>) => {
  const { status, body } = await answer
  return [status, body.code]
}

describe('a course', () => {
  it('is written, published and read by partners, who are sent no right answer', async () => {
    const id = await begin({ certifies: ['gold'] })
    const written = await send('PUT', `/v1/courses/${id}/modules/1`, lesson)
    expect(written.body.modules).toEqual([
      { number: 1, title: 'One', body: 'Read.', url: null, minutes: 5, quiz: [question] },
    ])
    const path = `/v1/courses/${id}`
    expect((await call(path, { key: world.shop.key })).status).toBe(404)
    expect((await send('POST', `${path}/publish`)).body.status).toBe('published')
    const read = await call(path, { key: world.shop.key })
    const { right: _, ...asked } = question
    expect(read.body.modules).toEqual([
      { number: 1, title: 'One', body: 'Read.', url: null, minutes: 5, quiz: [asked] },
    ])
    expect(read.text).not.toContain('right')
    expect(read.body.certifies).toEqual(['gold'])
    const listed = rows(await call('/v1/courses', { key: world.shop.key }))
    expect(listed.map((one) => one.id)).toContain(id)
  })

  it('keeps its right answers from partners in the database too', async () => {
    await makeCourse(product.db)
    const { rows: seen } = await sql<{ n: number }>`
      select count(*)::int as n from pg_policies
      where tablename = 'course_answers' and 'tributary_reseller' = any(roles)`.execute(product.db)
    expect(seen).toEqual([{ n: 0 }])
  })

  it('that is published never changes: the next version begins with its modules', async () => {
    const code = newCode()
    const id = await begin({ code })
    await send('PUT', `/v1/courses/${id}/modules/1`, lesson)
    await send('POST', `/v1/courses/${id}/publish`)
    for (const [method, path, body] of [
      ['PUT', `/v1/courses/${id}`, terms],
      ['PUT', `/v1/courses/${id}/modules/1`, lesson],
      ['DELETE', `/v1/courses/${id}/modules/1`, undefined],
      ['POST', `/v1/courses/${id}/publish`, undefined],
    ] as const) {
      expect([method, ...(await outcome(send(method, path, body)))]).toEqual([
        method,
        409,
        'conflict',
      ])
    }
    const changed = sql`update course_modules set title = 'Other'
      where course_id = ${uuidOf('course', id)}`.execute(product.db)
    await expect(changed).rejects.toThrow(/is published: write the next version/)
    const next = await send('POST', '/v1/courses', { code, ...terms, title: 'Second edition' })
    expect(next.body).toMatchObject({ version: 2, status: 'draft' })
    const again = send('POST', '/v1/courses', { code, ...terms })
    expect(await outcome(again)).toEqual([409, 'conflict'])
    const read = await send('GET', `/v1/courses/${String(next.body.id)}`)
    expect(read.body.modules).toEqual([expect.objectContaining({ quiz: [question] })])
    await send('POST', `/v1/courses/${String(next.body.id)}/publish`)
    expect((await send('GET', `/v1/courses/${id}`)).body.status).toBe('retired')
  })

  it('without a module, without a question or with one question twice is not published', async () => {
    const id = await begin()
    const publish = () => send('POST', `/v1/courses/${id}/publish`)
    expect((await publish()).body.detail).toMatch(/it has no module/)
    await send('PUT', `/v1/courses/${id}/modules/1`, { ...lesson, quiz: [] })
    expect((await publish()).body.detail).toMatch(/it asks no question/)
    for (const n of [1, 2]) await send('PUT', `/v1/courses/${id}/modules/${n}`, lesson)
    expect((await publish()).body.detail).toMatch(/two questions have the id q1/)
    expect((await send('DELETE', `/v1/courses/${id}/modules/2`)).body.modules).toHaveLength(1)
    expect(await outcome(send('DELETE', `/v1/courses/${id}/modules/2`))).toEqual([404, 'not_found'])
    expect((await publish()).status).toBe(200)
  })

  it('that is retired is taught no more, and only what is published is retired', async () => {
    const id = await begin()
    expect(await outcome(send('POST', `/v1/courses/${id}/retire`))).toEqual([409, 'conflict'])
    await send('PUT', `/v1/courses/${id}/modules/1`, lesson)
    await send('POST', `/v1/courses/${id}/publish`)
    expect((await send('POST', `/v1/courses/${id}/retire`)).body.status).toBe('retired')
    const enrol = call('/v1/enrolments', {
      method: 'POST',
      key: world.shop.key,
      body: { course: id },
    })
    expect(await outcome(enrol)).toEqual([404, 'not_found'])
  })

  it.each<[string, Json, string[]]>([
    ['a code with capitals', { code: 'First' }, ['invalid /code']],
    ['a validity of no day', { validity_days: 0 }, ['invalid /validity_days']],
    ['a score above all', { pass_score: 101 }, ['invalid /pass_score']],
    ['a step that there is not', { certifies: ['tin'] }, ['invalid /certifies/0']],
    ['a status', { status: 'published' }, ['unknown_field /status']],
  ])('is not begun with %s', async (_what, changes, expected) => {
    const body = { code: newCode(), ...terms, ...changes }
    expect(faults(await send('POST', '/v1/courses', body))).toEqual(expected)
  })

  it.each<[string, Json, string[]]>([
    ['one option', { options: ['this'] }, ['invalid /quiz/0/options']],
    ['no right one', { right: [] }, ['invalid /quiz/0/right']],
    ['a right one that there is not', { right: [2] }, ['invalid /quiz/0/right']],
  ])('takes no question with %s', async (_what, changes, expected) => {
    const id = await begin()
    const body = { ...lesson, quiz: [{ ...question, ...changes }] }
    expect(faults(await send('PUT', `/v1/courses/${id}/modules/1`, body))).toEqual(expected)
  })

  it('has no module of a number like 0, 01 or one', async () => {
    const id = await begin()
    for (const n of ['0', '01', 'one', '1000', '-1']) {
      const written = send('PUT', `/v1/courses/${id}/modules/${n}`, lesson)
      expect([n, ...(await outcome(written))]).toEqual([n, 404, 'not_found'])
    }
  })

  itRefusesBadQueries('/v1/courses', stage)
})

describe('courses answer 401 to whoever is unknown', () => {
  const writing = [
    'POST /v1/courses',
    'PUT /v1/courses/:id',
    'PUT /v1/courses/:id/modules/:n',
    'DELETE /v1/courses/:id/modules/:n',
    'POST /v1/courses/:id/publish',
    'POST /v1/courses/:id/retire',
  ]
  itTakesLiveKeysOnly(stage, ['GET /v1/courses', 'GET /v1/courses/:id', ...writing])
  itIsClosedTo(['master_reseller', 'reseller'], writing, () => ({
    ...stage(),
    keys: {
      super_admin: world.owner.key,
      master_reseller: world.north.key,
      reseller: world.shop.key,
    },
  }))
})
