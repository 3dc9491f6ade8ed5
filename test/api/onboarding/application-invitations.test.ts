import { sql } from 'kysely'
import { sendAccessMails } from '../../../activities/access-mails.ts'
import { inTransaction } from '../../../db/database.ts'
import { markPartner } from '../../../db/partners.ts'
import { uuidOf } from '../../../domain/ids.ts'
import { makeKey, makePartner, unique } from '../../support/factories.ts'
import { type Steps, startSteps } from '../../support/steps.ts'
import {
  expectHidden,
  itIsClosedTo,
  itRefusesBadQueries,
  itTakesLiveKeysOnly,
  unknownId,
} from '../guards.ts'
import { type Call, clientOf, faults, type Json, rows } from '../kit.ts'
import { makeWorld, type World } from '../world.ts'

let kit: Steps
let call: Call
let world: World
beforeAll(async () => {
  kit = await startSteps()
  call = clientOf(kit.api)
  world = await makeWorld(kit.db)
})
afterAll(() => kit.stop())

const base = '/v1/application-invitations'
const stage = () => ({ db: kit.db, call, key: world.owner.key })
const guest = () => ({ name: 'Ana Guest', email: `${unique('guest')}@omega.example` })

const invite = (changes: Json = {}, key = world.north.key) =>
  call(base, { method: 'POST', key, body: { ...guest(), level: 'reseller', ...changes } })
const act = (id: unknown, what: 'resend' | 'revoke', key = world.north.key) =>
  call(`${base}/${String(id)}/${what}`, { method: 'POST', key })

async function tokensMailedTo(email: unknown): Promise<string[]> {
  await sendAccessMails(kit.deps)
  const { data } = await kit.story.sandbox<{ data: { to: string; text: string }[] }>('/mails')
  return data
    .filter(({ to }) => to === email)
    .map(({ text }) => /\/apply\?token=([\w-]+)/.exec(text)?.[1] ?? '')
}

async function tokenOf(invitation: Json): Promise<string> {
  const [token] = await tokensMailedTo(invitation.email)
  return token ?? ''
}

const form = () => ({
  company: { name: unique('Omega'), country: 'PT', website: 'https://omega.example' },
  contact: { name: 'Ana', email: `${unique('ana')}@omega.example` },
  type: 'franchise',
  level: 'reseller',
})
const apply = (body: unknown) => call('/v1/applications', { method: 'POST', body })

/** As if an hour had passed since its last mail. */
const anHourLater = (id: unknown) =>
  sql`update application_invitations set last_sent_at = last_sent_at - interval '1 hour'
    where id = ${uuidOf('applicationInvitation', String(id))}`.execute(kit.db)

describe('an invitation to apply', () => {
  it('is mailed with a link to the form, filled in as far as it is known', async () => {
    const { status, body } = await invite({ type: 'franchise', message: 'Sell with us.' })
    expect([status, body.status, body.partner, body.times_sent]).toEqual([
      ...[201, 'open', world.north.partner, 1],
    ])
    const asked = await call(`/v1/application-form?token=${await tokenOf(body)}`)
    expect(asked.body).toMatchObject({
      currency: 'USD',
      invitation: {
        contact: { name: 'Ana Guest', email: body.email },
        level: 'reseller',
        type: 'franchise',
        message: 'Sell with us.',
      },
    })
    expect((await call('/v1/application-form')).body).toMatchObject({ invitation: null })
  })

  it('brings the application below the one who invited, and is used up by it', async () => {
    const { body } = await invite()
    const token = await tokenOf(body)
    const applied = await apply({ ...form(), invitation: token })
    expect(applied.status).toBe(202)
    const own = await call(`${base}/${body.id}`, { key: world.north.key })
    expect(own.body).toMatchObject({ status: 'used', application: applied.body.id })
    const read = await call(`/v1/applications/${applied.body.id}`, { key: world.north.key })
    expect(read.body).toMatchObject({
      parent: world.north.partner,
      details: { invitation: body.id },
    })
    const again = await apply({ ...form(), invitation: token })
    expect([again.status, again.body.code]).toEqual([410, 'gone'])
    expect((await call(`/v1/application-form?token=${token}`)).status).toBe(410)
    for (const what of ['resend', 'revoke'] as const) {
      expect((await act(body.id, what)).status).toBe(410)
    }
  })

  it('lets one of two applications in that bring it at the same moment', async () => {
    const token = await tokenOf((await invite()).body)
    const answers = await Promise.all([1, 2, 3].map(() => apply({ ...form(), invitation: token })))
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 410, 410])
  })

  it('of the platform leaves the parent to the applicant; of a partner it does not', async () => {
    const ofPlatform = await tokenOf((await invite({}, world.owner.key)).body)
    const body = { ...form(), invitation: ofPlatform, parent: world.south.partner }
    expect((await apply(body)).status).toBe(202)
    const token = await tokenOf((await invite()).body)
    const elsewhere = { ...form(), invitation: token, parent: world.south.partner }
    expect(faults(await apply(elsewhere))).toEqual(['invalid /parent'])
    const same = { ...form(), invitation: token, parent: world.north.partner }
    expect((await apply(same)).status).toBe(202)
  })

  it('that nobody ever sent opens nothing', async () => {
    const answer = await apply({ ...form(), invitation: 'made-up' })
    expect([answer.status, answer.body.code]).toEqual([404, 'not_found'])
    expect((await call('/v1/application-form?token=made-up')).status).toBe(404)
  })

  it('opens nothing when its thirty days are over, and works again once it is sent anew', async () => {
    const { body } = await invite()
    const token = await tokenOf(body)
    await sql`update application_invitations set expires_at = clock_timestamp()
      where id = ${uuidOf('applicationInvitation', String(body.id))}`.execute(kit.db)
    expect((await apply({ ...form(), invitation: token })).status).toBe(410)
    const read = await call(`${base}/${body.id}`, { key: world.north.key })
    expect(read.body.status).toBe('expired')
    await anHourLater(body.id)
    expect((await act(body.id, 'resend')).body.status).toBe('open')
    expect((await apply({ ...form(), invitation: token })).status).toBe(202)
  })

  it('is sent again at most once an hour, and five times', async () => {
    const { body } = await invite()
    const early = await act(body.id, 'resend')
    expect([early.status, early.body.code]).toEqual([429, 'too_many_requests'])
    const wait = Number(early.headers.get('retry-after'))
    expect(wait).toBeGreaterThan(3_500)
    expect(wait).toBeLessThanOrEqual(3_600)
    const answers = []
    for (let n = 0; n < 6; n++) {
      await anHourLater(body.id)
      answers.push((await act(body.id, 'resend')).status)
    }
    expect(answers).toEqual([200, 200, 200, 200, 200, 409])
    const tokens = await tokensMailedTo(body.email)
    expect([tokens.length, new Set(tokens).size]).toEqual([6, 1])
  })

  it('that was withdrawn opens nothing, however often it is withdrawn', async () => {
    const { body } = await invite()
    const token = await tokenOf(body)
    for (let n = 0; n < 2; n++) expect((await act(body.id, 'revoke')).body.status).toBe('revoked')
    expect((await apply({ ...form(), invitation: token })).status).toBe(410)
    expect((await act(body.id, 'resend')).status).toBe(410)
  })

  it('is not made twice for one mailbox by one organisation while it is open', async () => {
    const first = await invite()
    const email = String(first.body.email).toUpperCase()
    const again = await invite({ email })
    expect([again.status, again.body.code]).toEqual([409, 'conflict'])
    expect((await invite({ email }, world.south.key)).status).toBe(201)
    await act(first.body.id, 'revoke')
    expect((await invite({ email })).status).toBe(201)
  })

  it('is not made for a level that cannot stand below, nor by who takes nobody in', async () => {
    const answer = await invite({ level: 'master_reseller' })
    expect([answer.status, answer.body.code]).toEqual([409, 'parent_not_active'])
    expect((await invite({ level: 'master_reseller' }, world.owner.key)).status).toBe(201)
    const suspended = await makePartner(kit.db, { level: 'master_reseller' })
    const key = await makeKey(kit.db, suspended)
    await inTransaction(kit.db, (trx) =>
      markPartner(trx, suspended, { from: ['active'], to: 'suspended' }),
    )
    expect((await invite({}, key)).status).toBe(423)
  })

  it.each<[string, Json, string[]]>([
    ['no name', { name: ' ' }, ['invalid /name']],
    ['no address', { email: 'ana' }, ['invalid /email']],
    ['another level', { level: 'customer' }, ['invalid /level']],
    ['a parent', { parent: 'prt_x' }, ['unknown_field /parent']],
  ])('is not taken with %s', async (_what, changes, expected) => {
    expect(faults(await invite(changes))).toEqual(expected)
  })

  it('is listed for who sent it and for the platform owner', async () => {
    const { body } = await invite({}, world.south.key)
    const seenBy = async (key: string) =>
      rows(await call(`${base}?limit=100`, { key })).map(({ id }) => id)
    expect(await seenBy(world.south.key)).toContain(body.id)
    expect(await seenBy(world.owner.key)).toContain(body.id)
    expect(await seenBy(world.north.key)).not.toContain(body.id)
  })

  it('of another master reseller does not exist', async () => {
    const { body } = await invite({}, world.south.key)
    const hidden = { id: String(body.id), strangers: [world.north.key] }
    await expectHidden(call, { ...hidden, route: `GET ${base}/:id` })
    await expectHidden(call, { ...hidden, route: `POST ${base}/:id/resend` })
    await expectHidden(call, { ...hidden, route: `POST ${base}/:id/revoke` })
    expect((await act(unknownId('apv'), 'revoke')).status).toBe(404)
  })

  const routes = [
    `POST ${base}`,
    `GET ${base}`,
    `GET ${base}/:id`,
    `POST ${base}/:id/resend`,
    `POST ${base}/:id/revoke`,
  ]
  itIsClosedTo(['reseller'], routes, () => ({
    ...stage(),
    keys: {
      super_admin: world.owner.key,
      master_reseller: world.north.key,
      reseller: world.shop.key,
    },
  }))
  itRefusesBadQueries(base, stage)
  itTakesLiveKeysOnly(stage, routes)
})
