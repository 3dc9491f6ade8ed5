/**
 * Every route, asked by every level about things of every relation to it. What is expected is
 * worked out from who stands above whom (matrix-world.ts) and from the ladder (policies.ts).
 */
import { sql } from 'kysely'
import { policies } from '../../api/policies.ts'
import type { Route } from '../../api/route.ts'
import { outwardId, uuidOf } from '../../domain/ids.ts'
import { type Product, startProduct } from '../support/product.ts'
import { walk } from './guards.ts'
import { type Answer, type Call, type OtherApi, rows, serveWith } from './kit.ts'
import {
  essence,
  guarded,
  inParallel,
  isOpenTo,
  lineOf,
  nameOf,
  policyOf,
  randomId,
  requestAbout,
  routes,
  rowsWith,
  unhurried,
} from './matrix-ladder.ts'
import { type Known, matrix } from './matrix-routes.ts'
import {
  changedTables,
  type Hidden,
  hiddenFrom,
  isActorBelow,
  leaksIn,
  printOfRows,
  tracesOf,
} from './matrix-traces.ts'
import {
  isBelow,
  kinds,
  type MatrixWorld,
  makeMatrixWorld,
  maySee,
  type Relation,
  relationOf,
  samplesOf,
  type Thing,
  type ThingKind,
  thingsOf,
  type Viewer,
} from './matrix-world.ts'
import { placeNames } from './world.ts'

let product: Product
let api: OtherApi
let call: Call
let world: MatrixWorld
let things: Map<ThingKind, Thing[]>
let hidden: Map<string, Hidden>
let known: Known
beforeAll(async () => {
  product = await startProduct()
  api = await serveWith(product, { settings: unhurried })
  const { db } = product
  world = await makeMatrixWorld(db)
  const made = Object.keys(kinds) as ThingKind[]
  const found = await Promise.all(made.map((kind) => thingsOf(db, world, kind)))
  things = new Map(made.map((kind, i) => [kind, found[i] ?? []]))
  const traces = await tracesOf(db, world)
  hidden = new Map(world.viewers.map((one) => [one.name, hiddenFrom(one, traces, world)]))
  known = {
    featurePackage: things.get('featurePackage')?.[0]?.id ?? '',
    parent: world.south.partner,
  }
  // Whatever a viewer asks for in this file, nothing that is hidden from it is in the answer.
  call = async (path, request = {}) => {
    const answer = await api.call(path, request)
    const viewer = world.viewers.find(({ key }) => key === request.key)
    if (!viewer) return answer
    const leaks = leaksIn(answer.text, hidden.get(viewer.name) as Hidden)
      .filter((trace) => !path.startsWith('/v1/audit-events') || !isActorBelow(viewer, trace))
      .map(({ text, table }) => `${text} of ${table}`)
    if (leaks.length > 0) expect([viewer.name, path, leaks]).toEqual([viewer.name, path, []])
    return answer
  }
})
afterAll(async () => {
  await api.stop()
  await product.stop()
})

const lookers = (route: Route) => world.viewers.filter((viewer) => isOpenTo(route, viewer))

async function ask(route: Route, viewer: Viewer, id: string): Promise<Answer> {
  const { path, request } = requestAbout(route, id, known)
  return call(path, { ...request, key: viewer.key })
}

/** Every looker with every sample of what a route is about. */
function pairs(route: Route, kind: ThingKind): [Viewer, Thing][] {
  const samples = samplesOf(things.get(kind) ?? [])
  return lookers(route).flatMap((viewer) =>
    samples.map((thing): [Viewer, Thing] => [viewer, thing]),
  )
}

const outcome = ({ status, body }: Answer) => [status, body.code]

/** A thing of somebody else is answered like one that never was, byte by byte. */
async function expectLikeAbsent(route: Route, viewer: Viewer, { id, kind }: Thing) {
  const [foreign, absent] = [await ask(route, viewer, id), await ask(route, viewer, randomId(kind))]
  const label = `${viewer.name} about ${kind} ${id}`
  expect([label, foreign.status]).toEqual([label, lineOf(route).absent ?? 404])
  expect(essence(foreign)).toEqual(essence(absent))
}

describe('the matrix', () => {
  it('has a line for every route', () => {
    expect(routes.map(nameOf).filter((name) => !matrix[name])).toEqual([])
  })

  it('asks about an id wherever a route takes one', () => {
    const takesId = (route: Route) => route.path.includes(':id') && policyOf(route) !== undefined
    expect(routes.filter((route) => takesId(route) && !lineOf(route).about).map(nameOf)).toEqual([])
    const lists = (route: Route) =>
      JSON.stringify(Object.keys((route.query as { shape?: object })?.shape ?? {})).includes(
        'limit',
      )
    const unlisted = rowsWith(
      ({ list, about, without }, route) => lists(route) && !list && !about && !without,
    )
    expect(unlisted.map(([name]) => name)).toEqual([])
  })

  it('has something of every kind in every place', () => {
    const asked = new Set(guarded.flatMap(([, , { list, about }]) => [list, about]))
    for (const [kind, found] of things) {
      if (!asked.has(kind)) continue
      const places = new Set(found.map(({ place }) => place))
      const { seen } = kinds[kind]
      if (seen === 'platform' || seen === 'everyone') expect(found.length).toBeGreaterThan(0)
      else if (seen === 'decider') expect(places).toEqual(new Set(['north', 'south', null]))
      else expect([kind, placeNames.every((name) => places.has(name))]).toEqual([kind, true])
    }
  })

  it('looks at every relation', () => {
    const seen = new Set<Relation>()
    for (const { place } of world.viewers) {
      if (place) for (const other of placeNames) seen.add(relationOf(place, other))
    }
    expect([...seen].sort()).toEqual(
      ['own', 'child', 'parent', 'sibling', 'cousin', 'other master'].sort(),
    )
  })
})

describe('levels', () => {
  it.each(guarded)(
    '%s is open to those of its policy and to nobody else',
    async (_, route, line) => {
      await inParallel(world.viewers, async (viewer) => {
        const id = line.about ? randomId(line.about) : ''
        const { path, request } = requestAbout(route, id, known)
        const body = line.about ? request : { ...request, ...(route.body ? { body: {} } : {}) }
        const answer = await call(path, { ...body, key: viewer.key })
        const refused = answer.body.code === 'level_not_allowed'
        expect([viewer.name, refused]).toEqual([viewer.name, !isOpenTo(route, viewer)])
        if (refused) expect(answer.status).toBe(403)
      })
    },
  )
})

describe('lists', () => {
  it.each(rowsWith(({ list }) => list !== undefined))(
    '%s shows all of what is to be seen, and nothing else',
    async (_, { path, ...route }, { list, queries = [] }) => {
      const kind = list as ThingKind
      await inParallel(lookers({ path, ...route }), async (viewer) => {
        const { key } = viewer
        const before = (things.get(kind) ?? []).filter((thing) => maySee(viewer, thing))
        const listed = await walk(call, { path, key, limit: 100 })
        const ids = listed.map(({ id }) => String(id))
        expect(new Set(ids).size).toBe(ids.length)
        const now = await thingsOf(product.db, world, kind)
        const visible = now.filter((thing) => maySee(viewer, thing)).map(({ id }) => id)
        expect([viewer.name, ids.filter((id) => !visible.includes(id))]).toEqual([viewer.name, []])
        const missing = before.filter(({ id }) => !ids.includes(id))
        expect([viewer.name, missing]).toEqual([viewer.name, []])
        for (const query of queries) {
          const narrowed = rows(await call(`${path}?limit=100&${query}`, { key }))
          expect(narrowed.filter(({ id }) => !visible.includes(String(id)))).toEqual([])
        }
      })
    },
  )

  const filters = rowsWith((line) => line.filters !== undefined).flatMap(([name, route, line]) =>
    Object.entries(line.filters ?? {}).map(([filter, kind]): [string, string, Route, ThingKind] => [
      name,
      filter,
      route,
      kind,
    ]),
  )
  it.each(filters)('%s?%s= tells nothing of what is foreign', async (_, filter, route, kind) => {
    const asked = pairs(route, kind)
    await inParallel(asked, async ([viewer, thing]) => {
      const filtered = (id: string) =>
        call(`${route.path}?${filter}=${id}&limit=100`, { key: viewer.key })
      const answer = await filtered(thing.id)
      // Of whoever is below, one sees what it did, if not itself.
      if (maySee(viewer, thing) || (filter === 'actor' && isBelow(viewer, thing))) {
        if (kind !== 'partner') return
        expect(rows(answer).length).toBeGreaterThan(0)
        for (const { partner } of rows(answer)) expect(partner).toBe(thing.id)
        return
      }
      expect([viewer.name, rows(answer)]).toEqual([viewer.name, []])
      expect(essence(answer)).toEqual(essence(await filtered(randomId(kind))))
    })
  })

  it.each(rowsWith(({ list }) => list !== undefined))(
    '%s goes on for nobody from the cursor of another',
    async (_, route) => {
      const lookersOfIt = lookers(route)
      const foreign = await Promise.all(
        lookersOfIt.map(async ({ key }, n) => {
          const page = await call(`${route.path}?limit=1`, { key })
          const next = lookersOfIt[(n + 1) % lookersOfIt.length] as Viewer
          return { viewer: next, from: key, cursor: page.body.next_cursor }
        }),
      )
      await inParallel(foreign, async ({ viewer, from, cursor }) => {
        if (typeof cursor !== 'string' || viewer.key === from) return
        const path = `${route.path}?limit=1&cursor=${cursor}`
        expect((await call(path, { key: viewer.key })).status).toBe(400)
      })
    },
  )

  it.each(rowsWith((_, { method }) => method === 'GET'))(
    '%s cannot be made to include, sort, search or show more',
    async (_, route, line) => {
      const tried = [
        'include=partner,customer.member&expand[]=*&fields=*',
        'sort=-partner&order=desc&search=a&q=%25&name=Partner',
        'partner_id=x&level=super_admin&as=platform&deleted=true',
      ]
      const thing = things.get(line.about ?? 'partner')?.[0]?.id ?? ''
      const path = route.path.replace(':id', thing)
      await inParallel(lookers(route), async ({ key }) => {
        const plain = await call(path, { key })
        for (const query of tried) {
          const { status, body } = await call(`${path}?${query}`, { key })
          expect([plain.status, 422]).toContain(status)
          if (status === 422) expect(body.code).toBe('invalid_request')
        }
      })
    },
  )

  it('are the same as files', async () => {
    const from = new Date(Date.now() - 3_600_000).toISOString()
    const range = `from=${from}&to=${new Date(Date.now() + 60_000).toISOString()}`
    for (const [, route, { queries = [] }] of rowsWith(({ file }) => file === true)) {
      await inParallel(lookers(route), async ({ name, key, place }) => {
        for (const query of queries) {
          const { status, text } = await call(`${route.path}?${range}&${query}`, { key })
          expect([name, status]).toEqual([name, 200])
          if (place) expect(text).toContain(world[place].partner)
        }
      })
    }
  })
})

describe('the matrix itself', () => {
  it('notices a table whose guard is gone', async () => {
    const shown = async (name: string) => {
      const { key } = world.viewers.find((viewer) => viewer.name === name) as Viewer
      const { status, text } = await api.call('/v1/customers?limit=100', { key })
      return [status, leaksIn(text, hidden.get(name) as Hidden).length > 0]
    }
    const names = ['north', 'pier', 'corner', 'customer of shop']
    for (const name of names) expect(await shown(name)).toEqual([200, false])
    await sql`alter table customers disable row level security`.execute(product.db)
    try {
      for (const name of names) expect(await shown(name)).toEqual([200, true])
    } finally {
      await sql`alter table customers enable row level security`.execute(product.db)
    }
  })
})

describe('ids', () => {
  const reads = rowsWith(({ about }, { method }) => about !== undefined && method === 'GET')

  it.each(reads)('%s answers about the foreign as about what never was', async (_, route, line) => {
    await inParallel(pairs(route, line.about as ThingKind), async ([viewer, thing]) => {
      if (!maySee(viewer, thing)) return expectLikeAbsent(route, viewer, thing)
      const answer = await ask(route, viewer, thing.id)
      const reached = line.reaches?.(viewer, thing) ?? true
      const label = `${viewer.name} about ${thing.place} ${thing.id}`
      if (!reached) expect([label, answer.status]).toEqual([label, 403])
      else if (policyOf(route) === policies['applications.read'])
        expect(answer.status).not.toBe(404)
      else expect([label, answer.status]).toEqual([label, line.early ?? 200])
      return undefined
    })
  })

  it.each(reads)(
    '%s takes no id of another kind and none that is only similar',
    async (_, route, line) => {
      const [thing] = things.get(line.about as ThingKind) ?? []
      if (!thing) return
      const { id, kind } = thing
      const body = id.split('_')[1] ?? ''
      const uuid = uuidOf(kind, id) ?? ''
      const other = kind === 'partner' ? 'tenant' : 'partner'
      const similar = [
        outwardId(other, uuid),
        uuid,
        body,
        id.toUpperCase(),
        `${id}0`,
        id.slice(0, -1),
      ]
      const [owner] = world.viewers
      if (!owner) throw new Error('nobody looks')
      const absent = essence(await ask(route, owner, randomId(kind)))
      for (const tried of similar) {
        expect([tried, essence(await ask(route, owner, tried))]).toEqual([tried, absent])
      }
    },
  )
})

describe('changes', () => {
  const changes = rowsWith(({ about }, { method }) => about !== undefined && method !== 'GET')

  it.each(changes)(
    '%s changes no row that is not its own to change, and tells nothing',
    async (_, route, line) => {
      const reaches = line.reaches ?? maySee
      const refused = pairs(route, line.about as ThingKind).filter((pair) => !reaches(...pair))
      const shutOut = world.viewers.filter((viewer) => !isOpenTo(route, viewer))
      const samples = samplesOf(things.get(line.about as ThingKind) ?? [])
      const before = await printOfRows(product.db)
      await inParallel(refused, async ([viewer, thing]) => {
        if (!maySee(viewer, thing)) return expectLikeAbsent(route, viewer, thing)
        const { status } = await ask(route, viewer, thing.id)
        expect([viewer.name, thing.id, status >= 400 && status < 500]).toEqual([
          ...[viewer.name, thing.id, true],
        ])
        return undefined
      })
      await inParallel(shutOut, async (viewer) => {
        for (const { id } of samples) {
          expect(outcome(await ask(route, viewer, id))).toEqual([403, 'level_not_allowed'])
        }
      })
      expect(changedTables(before, await printOfRows(product.db))).toEqual([])
    },
  )

  it.each(changes)('%s is asked in a way that would do it', async (_, route, line) => {
    const reaches = line.reaches ?? maySee
    // The last of what there is: nothing after this test is about it.
    const reached = pairs(route, line.about as ThingKind).filter((pair) => reaches(...pair))
    const [viewer, thing] = reached.at(-1) ?? []
    if (!viewer || !thing) return
    const { status, body } = await ask(route, viewer, thing.id)
    const wrong = [422, 400, 415, 500, ...(line.inside ? [] : [404])]
    expect([body.code, wrong.includes(status)]).toEqual([body.code, false])
  })
})
