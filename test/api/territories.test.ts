/** Areas of partners: who assigns, who sees, and who rules where two want the same one. */
import { sql } from 'kysely'
import { outwardId, uuidOf } from '../../domain/ids.ts'
import { createLinks } from '../../integrations/links.ts'
import { makeGreenApplication, makeTerritory } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { expectHidden, itIsClosedTo, itRefusesBadQueries, itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf, faults, rows } from './kit.ts'
import { makeWorld, type PlaceName, strangersOf, type World } from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.north.key })
const keys = () => ({
  super_admin: world.owner.key,
  master_reseller: world.north.key,
  reseller: world.shop.key,
})
const post = (path: string, body: unknown, key = world.owner.key) =>
  call(path, { method: 'POST', key, body })
const assign = (place: PlaceName, body: unknown, key = world.owner.key) =>
  post(`/v1/partners/${world[place].partner}/territories`, body, key)
const outcome = async (answer: ReturnType<typeof post>) => {
  const { status, body } = await answer
  return [status, body.code]
}

/** An area that an applicant waits for, or that it has reserved. */
async function claimFor(applicationId: string, code: string): Promise<string> {
  const { rows: made } = await sql<{ id: string }>`
    select claimed.id from applications, claim_territory(jsonb_populate_record(
      null::territory_assignments, jsonb_build_object('programme_id', programme_id,
        'territory', ${code}::text, 'mode', 'exclusive', 'status', 'reserved',
        'application_id', applications.id,
        'expires_at', clock_timestamp() + interval '1 hour'))) claimed
    where applications.id = ${applicationId}`.execute(product.db)
  return made[0]?.id ?? ''
}

const conflictOf = async (parent: PlaceName | null, code: string) => {
  const parentId = parent && world[parent].id
  const applicationId = await makeGreenApplication(product.db, { parentId })
  const id = await claimFor(applicationId, code)
  return {
    application: outwardId('application', applicationId),
    applicationId,
    conflict: outwardId('territoryConflict', id),
    assignment: outwardId('territory', id),
  }
}

const ruling = (conflict: string, verdict: string, key = world.owner.key) =>
  post(`/v1/territory-conflicts/${conflict}/ruling`, { ruling: verdict, reason: 'agreed' }, key)

const read = async (assignment: string) => {
  const { body } = await call(`/v1/territory-assignments/${assignment}`, { key: world.owner.key })
  return [body.status, body.mode]
}

describe('an area', () => {
  it('is assigned by the platform owner, and seen by its partner and those above it', async () => {
    const made = await assign('shop', { code: 'US-CA-94', mode: 'exclusive' })
    expect(made.status).toBe(201)
    expect(made.body).toMatchObject({
      id: expect.stringMatching(/^ter_/),
      code: 'US-CA-94',
      mode: 'exclusive',
      status: 'assigned',
      partner: world.shop.partner,
      until: null,
    })
    const path = `/v1/territory-assignments/${String(made.body.id)}`
    expect(made.headers.get('location')).toBe(path)
    for (const name of ['shop', 'north'] as const) {
      expect((await call(path, { key: world[name].key })).body).toEqual(made.body)
      const found = rows(await call('/v1/territories?code=US', { key: world[name].key }))
      expect(found).toEqual([made.body])
    }
    expect(rows(await call('/v1/territories?code=US', { key: world.pier.key }))).toEqual([])
    await expectHidden(call, {
      route: 'GET /v1/territory-assignments/:id',
      id: String(made.body.id),
      strangers: strangersOf('shop').map((name) => world[name].key),
    })
  })

  it('is assigned once by a request that is repeated under its key', async () => {
    const request = () =>
      call(`/v1/partners/${world.pier.partner}/territories`, {
        method: 'POST',
        key: world.owner.key,
        body: { code: 'CL', mode: 'exclusive' },
        headers: { 'Idempotency-Key': 'assign-chile' },
      })
    const [first, again] = [await request(), await request()]
    expect([first.status, again.status]).toEqual([201, 201])
    expect(again.body).toEqual(first.body)
  })

  it('that another has is refused with the reason, and names who has it to those who may know', async () => {
    await assign('south', { code: 'BR', mode: 'exclusive' })
    const told = await assign('market', { code: 'BR-SP', mode: 'shared' })
    expect([told.status, told.body.code]).toEqual([409, 'territory_conflict'])
    expect(told.body.detail).toMatch(/^BR is held exclusively by Partner .* since \d{4}-/)
    const hidden = await assign('market', { code: 'BR', mode: 'shared' }, world.north.key)
    expect([hidden.status, hidden.body.code]).toEqual([409, 'territory_conflict'])
    expect(hidden.body.detail).toMatch(/^BR is held by another partner/)
  })

  it('that a partner has already is not assigned to it again', async () => {
    await assign('market', { code: 'UY', mode: 'shared' })
    expect(await outcome(assign('market', { code: 'UY', mode: 'exclusive' }))).toEqual([
      409,
      'conflict',
    ])
  })

  it('is handed down by a master reseller, within what it has itself', async () => {
    const { key } = world.south
    expect((await assign('pier', { code: 'BR-RJ', mode: 'exclusive' }, key)).status).toBe(201)
    expect(await outcome(assign('pier', { code: 'AR', mode: 'shared' }, key))).toEqual([
      403,
      'forbidden',
    ])
  })

  it('is not assigned by a master reseller to itself or to those of another', async () => {
    for (const place of ['north', 'pier'] as const) {
      const tried = assign(place, { code: 'PE', mode: 'shared' }, world.north.key)
      expect(await outcome(tried)).toEqual([404, 'not_found'])
    }
  })

  it.each<[string, unknown, string[]]>([
    ['no country of this world', { code: 'QQ', mode: 'shared' }, ['invalid /code']],
    ['small letters', { code: 'us', mode: 'shared' }, ['invalid /code']],
    ['an unknown mode', { code: 'US', mode: 'mine' }, ['invalid /mode']],
    ['nothing', {}, ['missing /code', 'missing /mode']],
    ['a holder', { code: 'US', mode: 'shared', partner: 'x' }, ['unknown_field /partner']],
  ])('is not assigned with %s', async (_what, body, expected) => {
    expect(faults(await assign('shop', body))).toEqual(expected)
  })

  it('is released with a reason, once, and is free then', async () => {
    const made = await assign('market', { code: 'CO', mode: 'exclusive' })
    const path = `/v1/territory-assignments/${String(made.body.id)}/release`
    expect(await outcome(post(path, { reason: 'given back' }, world.south.key))).toEqual([
      404,
      'not_found',
    ])
    const { status, body } = await post(path, { reason: 'given back' }, world.north.key)
    expect([status, body.status, body.release_cause]).toEqual([200, 'released', 'by_hand'])
    expect(await outcome(post(path, { reason: 'again' }))).toEqual([409, 'conflict'])
    expect((await assign('pier', { code: 'CO', mode: 'exclusive' }, world.owner.key)).status).toBe(
      201,
    )
    expect(faults(await post(path, {}))).toEqual(['missing /reason'])
  })

  itRefusesBadQueries('/v1/territories', stage, [
    ['holder=shop', 'invalid /holder'],
    ['code=us', 'invalid /code'],
    ['status=mine', 'invalid /status'],
  ])
})

describe('a conflict', () => {
  it('is shown with its reason to who decides and never to the applicant', async () => {
    await makeTerritory(product.db, { partnerId: world.shop.id, code: 'JP' })
    const { application, applicationId, conflict } = await conflictOf('north', 'JP-13')
    const reason = expect.stringMatching(
      new RegExp(`^JP is held exclusively by ${world.shop.partner} since `),
    )
    const seen = await call(`/v1/applications/${application}`, { key: world.north.key })
    expect(seen.body.territories).toEqual([
      expect.objectContaining({
        code: 'JP-13',
        status: 'conflict',
        conflict: expect.objectContaining({ id: conflict, reason, ruling: null }),
      }),
    ])
    expect(seen.body.checklist).toContainEqual({
      item: 'territories',
      state: 'conflict',
      done: false,
      blocking: true,
    })
    const listed = rows(await call('/v1/territory-conflicts', { key: world.north.key }))
    expect(listed[0]).toMatchObject({ id: conflict, application, reason })
    const url = new URL(createLinks(product.config.api).statusUrl(applicationId))
    const told = await call(`/v1/applications/${application}${url.search}`)
    expect(told.status).toBe(200)
    expect(told.text).not.toMatch(/territor|JP/)
  })

  it('with a stranger names no holder to a master reseller, who may not rule on it', async () => {
    await makeTerritory(product.db, { partnerId: world.pier.id, code: 'KR' })
    const { conflict } = await conflictOf('north', 'KR')
    const [listed] = rows(await call('/v1/territory-conflicts', { key: world.north.key }))
    expect(listed).toMatchObject({
      id: conflict,
      holder: null,
      reason: expect.stringMatching(/^KR is held exclusively by another partner since /),
    })
    expect(await outcome(ruling(conflict, 'grant_exclusive', world.north.key))).toEqual([
      403,
      'forbidden',
    ])
    expect((await ruling(conflict, 'decline')).status).toBe(200)
  })

  it('keeps the application from being approved until somebody rules', async () => {
    await makeTerritory(product.db, { partnerId: world.shop.id, code: 'TH' })
    const { application, conflict } = await conflictOf('north', 'TH')
    const decide = () =>
      post(`/v1/applications/${application}/decision`, { decision: 'approve', reason: 'fine' })
    expect(await outcome(decide())).toEqual([409, 'territory_conflict'])
    await ruling(conflict, 'decline')
    // There is no process behind this row, so that the next refusal is another one.
    expect((await outcome(decide()))[1]).not.toBe('territory_conflict')
  })

  it('that is shared leaves both with a shared right', async () => {
    const held = await makeTerritory(product.db, { partnerId: world.shop.id, code: 'VN' })
    const { conflict, assignment } = await conflictOf('north', 'VN')
    const { status, body } = await ruling(conflict, 'share', world.north.key)
    expect([status, body.ruling]).toEqual([
      200,
      {
        ruling: 'share',
        reason: 'agreed',
        by: expect.stringMatching(/^mem_/),
        at: expect.stringMatching(/Z$/),
      },
    ])
    expect(await read(outwardId('territory', held))).toEqual(['assigned', 'shared'])
    expect(await read(assignment)).toEqual(['reserved', 'shared'])
  })

  it('that is granted ends what stood in the way', async () => {
    const held = await makeTerritory(product.db, { partnerId: world.shop.id, code: 'MY' })
    const { conflict, assignment } = await conflictOf(null, 'MY')
    expect((await ruling(conflict, 'grant_exclusive')).status).toBe(200)
    expect(await read(outwardId('territory', held))).toEqual(['released', 'exclusive'])
    expect(await read(assignment)).toEqual(['reserved', 'exclusive'])
  })

  it('that is declined leaves things as they are, and is ruled on once', async () => {
    const held = await makeTerritory(product.db, { partnerId: world.shop.id, code: 'PH' })
    const { conflict, assignment } = await conflictOf('north', 'PH')
    expect((await ruling(conflict, 'decline')).status).toBe(200)
    expect(await read(outwardId('territory', held))).toEqual(['assigned', 'exclusive'])
    expect(await read(assignment)).toEqual(['declined', 'exclusive'])
    expect(await outcome(ruling(conflict, 'share'))).toEqual([409, 'already_decided'])
  })

  it('of another master reseller does not exist', async () => {
    await makeTerritory(product.db, { partnerId: world.shop.id, code: 'ID' })
    const { conflict } = await conflictOf('north', 'ID')
    await expectHidden(call, {
      route: 'POST /v1/territory-conflicts/:id/ruling',
      id: conflict,
      strangers: [world.south.key],
      body: { ruling: 'share', reason: 'x' },
    })
    expect(uuidOf('territoryConflict', conflict)).toBeDefined()
  })

  it('is not ruled on with an unknown word or without a reason', async () => {
    const path = '/v1/territory-conflicts/tcf_01h455vb4pex5vsknk084sn02q/ruling'
    expect(faults(await post(path, { ruling: 'toss' }))).toEqual([
      'invalid /ruling',
      'missing /reason',
    ])
  })

  itRefusesBadQueries('/v1/territory-conflicts', stage)
})

describe('territories, which are 401 to whoever is unknown', () => {
  const all = [
    'GET /v1/territories',
    'GET /v1/territory-assignments/:id',
    'POST /v1/partners/:id/territories',
    'POST /v1/territory-assignments/:id/release',
    'GET /v1/territory-conflicts',
    'POST /v1/territory-conflicts/:id/ruling',
  ]
  itTakesLiveKeysOnly(stage, all)
  itIsClosedTo(
    ['reseller'],
    [
      'POST /v1/partners/:id/territories',
      'POST /v1/territory-assignments/:id/release',
      'GET /v1/territory-conflicts',
      'POST /v1/territory-conflicts/:id/ruling',
    ],
    () => ({ ...stage(), keys: keys() }),
  )
})
