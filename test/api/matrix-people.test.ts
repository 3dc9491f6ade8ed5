/**
 * What people see through their sessions: as much as through a key, and of others nothing; and
 * what each role and each scope is good for.
 */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import type { Policy } from '../../api/policies.ts'
import { outwardId } from '../../domain/ids.ts'
import { memberRoles, scopesOfRole } from '../../domain/members.ts'
import type { ActorLevel } from '../../domain/partners.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Answer, type Json, type OtherApi, rows, serveWith } from './kit.ts'
import {
  essence,
  guarded,
  inParallel,
  isOpenTo,
  policyOf,
  randomId,
  requestAbout,
  rowsWith,
  unhurried,
} from './matrix-ladder.ts'
import { changedTables, printOfRows } from './matrix-traces.ts'
import {
  keyFor,
  kinds,
  type MatrixWorld,
  makeMatrixWorld,
  maySee,
  samplesOf,
  type Thing,
  type ThingKind,
  thingsOf,
  type Viewer,
} from './matrix-world.ts'
import { type Browser, makePerson, openBrowser } from './people-kit.ts'
import type { PlaceName } from './world.ts'

interface SignedIn extends Viewer {
  browser: Browser
  session: string
  passkey: string
}

let product: Product
let api: OtherApi
let world: MatrixWorld
let things: Map<ThingKind, Thing[]>
let people: SignedIn[]

async function signedIn(place: PlaceName): Promise<SignedIn> {
  const { email } = await makePerson(product.db, { partnerId: world[place].id })
  const browser = openBrowser(api.call, product.config.api.publicUrl)
  const { status, body } = await browser.signIn(email)
  expect([place, status]).toEqual([place, 201])
  const passkey = randomUUIDv7()
  await sql`insert into passkeys
      (id, person_id, name, credential_id, public_key, counter, backed_up)
    select ${passkey}, id, 'Telephone', ${passkey}, '\\x00'::bytea, 0, false
    from people where id in (
      select person_id from sessions join members on members.id = sessions.member_id
      where members.partner_id = ${world[place].id})`.execute(product.db)
  const viewer = world.viewers.find(({ name }) => name === place) as Viewer
  return {
    ...{ ...viewer, browser, session: String(body.id) },
    passkey: outwardId('passkey', passkey),
  }
}

beforeAll(async () => {
  product = await startProduct()
  api = await serveWith(product, { settings: unhurried })
  world = await makeMatrixWorld(product.db)
  people = [await signedIn('shop'), await signedIn('market'), await signedIn('pier')]
  const made = Object.keys(kinds) as ThingKind[]
  const found = await Promise.all(made.map((kind) => thingsOf(product.db, world, kind)))
  things = new Map(made.map((kind, i) => [kind, found[i] ?? []]))
})
afterAll(async () => {
  await api.stop()
  await product.stop()
})

const known = () => ({
  featurePackage: things.get('featurePackage')?.[0]?.id ?? '',
  parent: world.south.partner,
})

const ids = (answer: Answer) => rows(answer).map(({ id }: Json) => id)

describe('a session', () => {
  const lists = rowsWith(({ list }) => list !== undefined && list !== 'auditEvent')

  it.each(lists)('lists with %s what a key of the same place lists', async (_, route) => {
    for (const person of people.filter((one) => isOpenTo(route, one))) {
      const [byCookie, byKey] = [
        await person.browser.send('GET', `${route.path}?limit=100`),
        await api.call(`${route.path}?limit=100`, { key: person.key }),
      ]
      expect(ids(byCookie)).toEqual(ids(byKey))
    }
  })

  const reads = rowsWith(({ about }, { method }) => about !== undefined && method === 'GET')

  it.each(reads)(
    'is told by %s of the foreign what it is told of what never was',
    async (_, route, line) => {
      const samples = samplesOf(things.get(line.about as ThingKind) ?? [])
      const asked = people
        .filter((one) => isOpenTo(route, one))
        .flatMap((person) => samples.map((thing) => ({ person, thing })))
        .filter(({ person, thing }) => !maySee(person, thing))
      await inParallel(asked, async ({ person, thing }) => {
        const about = (id: string) => person.browser.send('GET', route.path.replace(':id', id))
        const foreign = await about(thing.id)
        expect(foreign.status).toBe(404)
        expect(essence(foreign)).toEqual(essence(await about(randomId(thing.kind))))
      })
    },
  )
})

describe('sessions and passkeys', () => {
  const own = [
    ['/v1/sessions', 'session'],
    ['/v1/passkeys', 'passkey'],
  ] as const

  it.each(own)('are listed by %s for the one whose they are', async (path, kind) => {
    for (const person of people) {
      expect(ids(await person.browser.send('GET', path))).toEqual([person[kind]])
    }
  })

  it.each(own)(
    'are ended by DELETE %s/:id by nobody else, who learns nothing',
    async (path, kind) => {
      const before = await printOfRows(product.db)
      for (const person of people) {
        for (const other of people.filter((one) => one !== person)) {
          const remove = (id: string) => person.browser.send('DELETE', `${path}/${id}`)
          const foreign = await remove(other[kind])
          expect(foreign.status).toBe(404)
          const absent = await remove(outwardId(kind, randomUUIDv7()))
          expect(essence(foreign)).toEqual(essence(absent))
        }
      }
      expect(changedTables(before, await printOfRows(product.db))).toEqual([])
    },
  )

  it('are no keys: where a key is sent, the session beside it says nothing', async () => {
    const [shop, , pier] = people
    if (!shop || !pier) throw new Error('nobody is signed in')
    const headers = { Authorization: `Bearer ${pier.key}` }
    const { body } = await shop.browser.send('GET', '/v1/me', undefined, headers)
    expect(body.partner).toBe(world.pier.partner)
  })
})

describe('roles and scopes', () => {
  const readOnly = ['read']
  const people = memberRoles.flatMap((role) =>
    [scopesOfRole.owner, readOnly].map((scopes) => ({ role, scopes })),
  )

  /** A 403 exactly where the ladder says so; what else is wrong with a request comes after. */
  async function expectLadder(level: ActorLevel, partnerId: string | null): Promise<void> {
    for (const { role, scopes } of people) {
      const key = await keyFor(product.db, { partnerId, role, scopes })
      const own = scopes.filter((scope) =>
        (scopesOfRole[role] as readonly string[]).includes(scope),
      )
      await inParallel(guarded, async ([name, route, line]) => {
        const policy = policyOf(route) as Policy
        const allowed =
          isOpenTo(route, { level }) &&
          (policy.roles ?? memberRoles).includes(role) &&
          own.includes(policy.scope)
        const { path, request } = requestAbout(
          route,
          line.about ? randomId(line.about) : '',
          known(),
        )
        const body = route.body ? { body: {} as Json } : {}
        const { status } = await api.call(path, { ...request, ...body, key })
        const label = `${role} with ${scopes.join(' ')}: ${name}`
        expect([label, status === 403]).toEqual([label, !allowed])
      })
    }
  }

  it('let somebody of the platform do what they are good for', async () => {
    await expectLadder('super_admin', null)
  })

  it('let somebody of a reseller do what they are good for', async () => {
    await expectLadder('reseller', world.market.id)
  })
})
