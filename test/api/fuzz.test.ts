/**
 * Every operation of the API's own description, with requests that fit it and requests that do
 * not. `npm run fuzz` makes many more of them. A failure names the seed that repeats it.
 */
import { writeFileSync } from 'node:fs'
import fc from 'fast-check'
import type { ApiDeps } from '../../api/deps.ts'
import { describeApi } from '../../api/openapi.ts'
import { allRoutes } from '../../api/routes.ts'
import { type Product, startProduct } from '../support/product.ts'
import {
  type Case,
  casesOf,
  kindOf,
  type Operation,
  type Parameter,
  type Stock,
} from './fuzz-cases.ts'
import { misfits, type Schema } from './fuzz-schemas.ts'
import { type Call, type OtherApi, serveWith } from './kit.ts'
import { unhurried } from './matrix-ladder.ts'
import {
  kinds,
  type MatrixWorld,
  makeMatrixWorld,
  type ThingKind,
  thingsOf,
} from './matrix-world.ts'
import { makePerson, openBrowser } from './people-kit.ts'

interface Settings {
  /** Of all operations together. */
  fuzzCases?: number
  fuzzSeed?: number
  /** Where the counts go. */
  fuzzReport?: string
}
const { fuzzCases = 3_000, fuzzSeed, fuzzReport } = globalThis as Settings
const atOnce = 8

interface Described {
  parameters: Parameter[]
  requestBody?: { content: Record<string, { schema: Schema }> }
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>
  security: object[]
}
interface Document {
  paths: Record<string, Record<string, Described>>
  components: { schemas: { Problem: Schema } }
}

const nothing = new Proxy({}, { get: () => ({}) }) as ApiDeps
const document = describeApi(allRoutes(nothing), 'https://api.example') as unknown as Document
const json = 'application/json'
const isNeed = (way: object) => Object.keys(way).length > 0

const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, described]): [string, Operation] => {
    const body = described.requestBody?.content[json]?.schema
    const answers = Object.entries(described.responses).map(([status, { content }]) => [
      status,
      content?.[json]?.schema,
    ])
    return [
      `${method.toUpperCase()} ${path}`,
      {
        method: method.toUpperCase(),
        path,
        parameters: described.parameters,
        ...(body ? { body } : {}),
        answers: Object.fromEntries(answers),
        needsKey: described.security.length > 0 && described.security.every(isNeed),
      },
    ]
  }),
)

const answered: Record<string, number> = {}
let sent = 0
let refused = 0

let product: Product
let api: OtherApi
let world: MatrixWorld
let stock: Stock
beforeAll(async () => {
  product = await startProduct()
  api = await serveWith(product, { settings: unhurried })
  world = await makeMatrixWorld(product.db)
  const made = Object.keys(kinds) as ThingKind[]
  const found = await Promise.all(made.map((kind) => thingsOf(product.db, world, kind)))
  const ids = Map.groupBy(found.flat(), ({ id }) => id.split('_')[0] ?? '')
  stock = {
    ids: Object.fromEntries([...ids].map(([kind, all]) => [kind, all.map(({ id }) => id)])),
    keys: world.viewers.map(({ key }) => key),
  }
})
afterAll(async () => {
  await api.stop()
  await product.stop()
  const report = { operations: operations.length, cases: sent, refused, answered }
  if (fuzzReport) writeFileSync(fuzzReport, JSON.stringify(report))
})

/** Headers of somebody who has just signed in: what people do ends sessions, and more. */
async function signedIn(): Promise<Record<string, string>> {
  const { id: partnerId } = world.shop
  const { email } = await makePerson(product.db, { partnerId })
  const origin = product.config.api.publicUrl
  const browser = openBrowser(api.call, origin)
  expect((await browser.signIn(email)).status).toBe(201)
  return {
    Cookie: `__Host-sid=${browser.cookie()}`,
    Origin: origin,
    'Sec-Fetch-Site': 'same-origin',
  }
}

const ofPeople = /^\/v1\/(sessions|passkeys|second-factors|passwords)/

const call: Call = (path, request) => api.call(path, request)

/** What no answer may hold, whatever was asked. */
const innards = /postgres|kysely|\bpg_|node_modules|temporal|\bat \w+ \(|violates|syntax error/i

async function expectSound(operation: Operation, one: Case): Promise<void> {
  const answer = await call(one.path, one.request)
  const { status, body, text } = answer
  sent += 1
  answered[status] = (answered[status] ?? 0) + 1
  const given = String(one.request.raw ?? JSON.stringify(one.request.body) ?? '')
  const label = [one.what, one.path, given.slice(0, 300), status, text.slice(0, 300)]
  expect([...label, status < 500 || 'ready' in body]).toEqual([...label, true])
  if (one.wrong) {
    refused += 1
    expect([...label, status >= 400]).toEqual([...label, true])
  }
  if (status >= 400 && !('ready' in body)) {
    expect([...label, text.match(innards)]).toEqual([...label, null])
    expect([...label, misfits(document.components.schemas.Problem, body)]).toEqual([...label, []])
    return
  }
  const schema = operation.answers[status]
  if (schema) expect([...label, misfits(schema, body)]).toEqual([...label, []])
}

describe('a request of any shape', () => {
  it('has an id for every kind of thing that a path names', () => {
    const named = operations.flatMap(
      ([, { path }]) => /^\/v1\/([^/]+)\/\{id\}/.exec(path)?.[1] ?? [],
    )
    expect(named.filter((name) => !kindOf[name])).toEqual([])
  })

  it.each(operations)(
    'to %s is answered as described, or refused in our words',
    async (_, operation) => {
      const batches = Math.max(1, Math.round(fuzzCases / operations.length / atOnce))
      const people = ofPeople.test(operation.path) ? { browser: await signedIn() } : {}
      const batch = fc.array(casesOf(operation, { ...stock, ...people }), {
        minLength: atOnce,
        maxLength: atOnce,
      })
      await fc.assert(
        fc.asyncProperty(batch, async (cases) => {
          await Promise.all(cases.map((one) => expectSound(operation, one)))
        }),
        {
          numRuns: batches,
          endOnFailure: true,
          ...(fuzzSeed === undefined ? {} : { seed: fuzzSeed }),
        },
      )
    },
  )

  const paths = Object.entries(document.paths)
  it('with a method that its path does not take gets 405 and the ones it takes', async () => {
    const [key] = stock.keys
    const templates = paths.map(([path, methods]) => ({
      pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
      methods: Object.keys(methods).map((method) => method.toUpperCase()),
    }))
    for (const [path] of paths) {
      // A fixed path may look like one with an id in it.
      const taken = templates
        .filter(({ pattern }) => pattern.test(path))
        .flatMap(({ methods }) => methods)
      const others = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'].filter(
        (method) => !taken.includes(method),
      )
      const answers = await Promise.all(
        others.map((method) => call(path.replace('{id}', 'x'), { method, key: key ?? null })),
      )
      for (const { status, headers } of answers) {
        expect([path, status]).toEqual([path, 405])
        const allowed = headers.get('allow')?.split(', ') ?? []
        expect([path, allowed]).toEqual([path, expect.arrayContaining(taken)])
      }
    }
  })

  it('to a path that is not there is 404, whatever it looks like', async () => {
    const odd = [
      '/v1/%',
      '/v1/%ff',
      '/v1/%00',
      '//v1/me',
      '/v1/me%20',
      '/v1/me/',
      '/v1/ME',
      '/v2/me',
    ]
    const more = ['/.env', '/v1/customers/a/b/c', `/v1/${'x'.repeat(4_000)}`]
    const answers = await Promise.all(
      [...odd, ...more].map((path) => call(path, { key: stock.keys[0] ?? null })),
    )
    for (const { status } of answers) expect([400, 404]).toContain(status)
  })

  it('is really tried: most kinds of answers come up, and the limits hold nobody up', () => {
    expect(Object.keys(answered)).toEqual(
      expect.arrayContaining([
        '200',
        '201',
        '202',
        '400',
        '401',
        '403',
        '404',
        '409',
        '415',
        '422',
      ]),
    )
    expect(answered['429'] ?? 0).toBeLessThan(sent / 10)
    expect(refused).toBeGreaterThan(sent / 6)
  })
})
