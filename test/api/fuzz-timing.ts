/**
 * Whether time tells what the answer does not: about a thing of somebody else and about one that
 * never was, asked in turn. Part of `npm run fuzz`; a machine at work is no place for it.
 */
import { writeFileSync } from 'node:fs'
import { type Product, startProduct } from '../support/product.ts'
import { type OtherApi, serveWith } from './kit.ts'
import { randomId, unhurried } from './matrix-ladder.ts'
import { makeMatrixWorld, maySee, type ThingKind, thingsOf } from './matrix-world.ts'

const { timingPairs = 200, timingReport } = globalThis as {
  timingPairs?: number
  timingReport?: string
}

let product: Product
let api: OtherApi
beforeAll(async () => {
  product = await startProduct()
  api = await serveWith(product, { settings: unhurried })
})
afterAll(async () => {
  await api.stop()
  await product.stop()
})

const asked: [ThingKind, (id: string) => string][] = [
  ['customer', (id) => `/v1/customers/${id}`],
  ['subscription', (id) => `/v1/subscriptions/${id}`],
  ['partner', (id) => `/v1/partners/${id}`],
  ['statement', (id) => `/v1/statements/${id}`],
  ['accrual', (id) => `/v1/accruals/${id}/why`],
  ['apiKey', (id) => `/v1/api-keys/${id}`],
]

const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

const warmUp = 100
const mostMs = 1

it('answers about the foreign as fast as about what never was', async () => {
  const { call } = api
  const world = await makeMatrixWorld(product.db)
  const differences: Record<string, number> = {}
  for (const viewer of world.viewers.filter(({ name }) => ['shop', 'corner'].includes(name))) {
    for (const [kind, path] of asked) {
      const things = await thingsOf(product.db, world, kind)
      const foreign = things.filter((thing) => !maySee(viewer, thing))
      const timed = async (id: string) => {
        const start = performance.now()
        const { status } = await call(path(id), { key: viewer.key })
        expect(status).toBe(404)
        return performance.now() - start
      }
      const times: [number, number][] = []
      for (let n = 0; n < warmUp + timingPairs; n++) {
        const there = foreign[n % foreign.length]?.id ?? ''
        // Who comes first changes, so that neither profits from it.
        const first = n % 2 === 0 ? await timed(there) : undefined
        const absent = await timed(randomId(kind))
        times.push([first ?? (await timed(there)), absent])
      }
      const kept = times.slice(warmUp)
      const difference = median(kept.map(([there]) => there)) - median(kept.map(([, not]) => not))
      differences[`${kind} for ${viewer.name}`] = Math.round(difference * 1_000) / 1_000
    }
  }
  if (timingReport) {
    writeFileSync(timingReport, JSON.stringify({ pairs: timingPairs, median_ms: differences }))
  }
  for (const [pair, difference] of Object.entries(differences)) {
    expect([pair, Math.abs(difference) < mostMs]).toEqual([pair, true])
  }
})
