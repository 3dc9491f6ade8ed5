/** What our stand-in for Stripe answers, beside Stripe's own examples and its SDK's own types. */
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Exchange } from './recorder.ts'
import { recordedStory } from './story.ts'
import { type StripeMock, startStripeMock } from './stripe-mock.ts'

type Json = Record<string, unknown>

const fixtures: Record<string, Json> = JSON.parse(
  readFileSync(join(import.meta.dirname, 'vendor', 'stripe', 'fixtures3.json'), 'utf8'),
).resources

/** All names that a type of the SDK mentions, file by file; younger than the examples. */
const sdkTypes = join(dirname(createRequire(import.meta.url).resolve('stripe')), 'resources')

function wordsBelow(folder: string): Set<string> {
  const words = new Set<string>()
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.d.ts')) continue
    const text = readFileSync(join(entry.parentPath, entry.name), 'utf8')
    for (const [, name = ''] of text.matchAll(/^\s+(\w+)\??:/gm)) words.add(name)
  }
  return words
}

const known = wordsBelow(sdkTypes)

/** Free text of ours and of the vendor's; not fields. */
const free = new Set(['metadata', 'previous_attributes'])

interface Found {
  object: string
  place: string
  problem: string
}

/** Every object in an answer, held beside the example of its kind. */
function compare(value: unknown, place: string): Found[] {
  if (Array.isArray(value)) return value.flatMap((entry) => compare(entry, place))
  if (value === null || typeof value !== 'object') return []
  const kind = (value as Json).object
  const example = typeof kind === 'string' ? fixtures[kind] : undefined
  const own = example ? beside(value as Json, example, String(kind)) : []
  const inner = Object.entries(value)
    .filter(([key]) => !free.has(key))
    .flatMap(([key, entry]) => compare(entry, `${place}/${key}`))
  return [...own, ...inner]
}

const kindOf = (value: unknown) => (Array.isArray(value) ? 'list' : typeof value)

function beside(value: Json, example: Json, object: string): Found[] {
  return Object.entries(value).flatMap(([key, entry]) => {
    const at = { object, place: key }
    if (!(key in example)) {
      return known.has(key) ? [] : [{ ...at, problem: 'neither Stripe nor its SDK knows it' }]
    }
    const other = example[key]
    // What may be empty or expanded has more than one type.
    if (entry === null || other === null || kindOf(entry) === kindOf(other)) return []
    const expanded = [kindOf(entry), kindOf(other)].sort().join() === 'object,string'
    return expanded ? [] : [{ ...at, problem: `${kindOf(entry)}, not ${kindOf(other)}` }]
  })
}

const answered = ({ response }: Exchange): unknown => {
  const text = response.body.toString('utf8')
  return text.startsWith('{') ? JSON.parse(text) : {}
}

let exchanges: Exchange[]
let mock: StripeMock
beforeAll(async () => {
  exchanges = await recordedStory()
  mock = await startStripeMock()
})
afterAll(() => mock.stop())

describe('Stripe', () => {
  it('would answer with objects of these fields and types', () => {
    const v1 = exchanges.filter(({ path }) => path.startsWith('/v1/'))
    expect(v1.length).toBeGreaterThan(15)
    const problems = v1.flatMap((exchange) => compare(answered(exchange), exchange.path))
    const told = problems.map(({ object, place, problem }) => `${object}.${place}: ${problem}`)
    expect([...new Set(told)]).toEqual([])
  })

  it('has in its SDK every field that our stand-in answers under /v2', () => {
    const v2 = exchanges.filter(({ path }) => path.startsWith('/v2/'))
    expect(v2.length).toBeGreaterThan(2)
    const names = new Set<string>()
    const collect = (value: unknown): void => {
      if (Array.isArray(value)) {
        for (const entry of value) collect(entry)
        return
      }
      if (value === null || typeof value !== 'object') return
      for (const [key, entry] of Object.entries(value)) {
        names.add(key)
        if (!free.has(key)) collect(entry)
      }
    }
    for (const exchange of v2) collect(answered(exchange))
    expect([...names].filter((name) => !known.has(name))).toEqual([])
  })

  it('accepts, in its own mock, every request that we make', async () => {
    const refused: string[] = []
    for (const exchange of exchanges) {
      if (!exchange.path.startsWith('/v1/') || exchange.response.status >= 400) continue
      const { status, message } = await mock.ask(exchange)
      if (status >= 400) refused.push(`${exchange.method} ${exchange.path}: ${status} ${message}`)
    }
    expect([...new Set(refused)].filter((line) => !isGap(line))).toEqual([])
  })

  it('says in its own mock when a request is wrong', async () => {
    const wrong = { amount: 'much', currency: 'usd' }
    const { status } = await mock.ask({
      method: 'POST',
      path: '/v1/transfers',
      query: new URLSearchParams(),
      request: { headers: {}, body: Buffer.from(new URLSearchParams(wrong).toString()) },
    })
    expect(status).toBe(400)
  })
})

/** What the mock, a year older than our version of the API, does not know yet, and why. */
const gaps: { pattern: RegExp; why: string }[] = []

const isGap = (line: string) => gaps.some(({ pattern }) => pattern.test(line))
