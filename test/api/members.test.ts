/** Members, their roles and their invitations. */
import { sql } from 'kysely'
import { sendAccessMails } from '../../activities/access-mails.ts'
import { outwardId } from '../../domain/ids.ts'
import type { MemberRole } from '../../domain/members.ts'
import { createMailer } from '../../integrations/email.ts'
import { createLinks } from '../../integrations/links.ts'
import { makeKey, makePartner, unique } from '../support/factories.ts'
import { type Product, startProduct } from '../support/product.ts'
import { expectHidden, itRefusesBadQueries, itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf, faults, type Json, rows } from './kit.ts'
import { makePerson, openBrowser, type Person, password } from './people-kit.ts'

let product: Product
let call: Call
let shop: string
let shopKey: string
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  shop = await makePartner(product.db)
  shopKey = await makeKey(product.db, shop)
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: shopKey })
const outcome = ({ status, body }: { status: number; body: Json }) => [status, body.code]
const browser = () => openBrowser(call, product.config.api.publicUrl)

async function signedIn(partnerId: string, role: MemberRole) {
  const person = await makePerson(product.db, { partnerId, role })
  const own = browser()
  expect((await own.signIn(person.email)).status).toBe(201)
  return { ...person, browser: own }
}

const memberPath = ({ id }: Person) => `/v1/members/${outwardId('member', id)}`

describe('the members of an organisation', () => {
  it('are seen by their own organisation, each with its role and state', async () => {
    const partner = await makePartner(product.db)
    const { id, email, browser: own } = await signedIn(partner, 'viewer')
    const list = rows(await own.send('GET', '/v1/members'))
    expect(list).toEqual([
      {
        id: outwardId('member', id),
        name: 'Grace Hopper',
        email,
        role: 'viewer',
        status: 'active',
        created_at: expect.any(String),
        disabled_at: null,
      },
    ])
    expect((await own.send('GET', `/v1/members/${String(list[0]?.id)}`)).body).toEqual(list[0])
    const { key } = stage()
    await expectHidden(call, {
      route: 'GET /v1/members/:id',
      id: outwardId('member', id),
      strangers: [key, product.owner],
    })
  })

  it('that were there before there were roles, and the first of a partner, are owners', async () => {
    const list = rows(await call('/v1/members?limit=100', { key: product.owner }))
    for (const { role } of list) expect(role).toBe('owner')
  })

  itRefusesBadQueries('/v1/members', stage)
  itRefusesBadQueries('/v1/member-invitations', stage)
})

describe('a role', () => {
  const change = (by: { browser: ReturnType<typeof browser> }, whom: Person, body: Json) =>
    by.browser.send('PATCH', memberPath(whom), body)

  it('is given by who has it, or a higher one', async () => {
    const partner = await makePartner(product.db)
    const owner = await signedIn(partner, 'owner')
    const admin = await signedIn(partner, 'admin')
    const viewer = await signedIn(partner, 'viewer')
    expect(outcome(await change(viewer, viewer, { role: 'owner' }))).toEqual([403, 'forbidden'])
    expect(outcome(await change(admin, viewer, { role: 'owner' }))).toEqual([403, 'forbidden'])
    expect(outcome(await change(admin, owner, { role: 'viewer' }))).toEqual([403, 'forbidden'])
    expect(outcome(await change(admin, owner, { status: 'disabled' }))).toEqual([403, 'forbidden'])
    expect((await change(admin, viewer, { role: 'admin' })).body.role).toBe('admin')
    expect((await viewer.browser.send('GET', '/v1/sessions/current')).body.role).toBe('admin')
    expect((await change(owner, viewer, { role: 'owner' })).body.role).toBe('owner')
  })

  it('of the last owner stays, however many try at once', async () => {
    const partner = await makePartner(product.db)
    const [one, two] = [await signedIn(partner, 'owner'), await signedIn(partner, 'owner')]
    const answers = await Promise.all([
      change(one, one, { role: 'viewer' }),
      change(two, two, { role: 'viewer' }),
    ])
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
    const left = answers[0]?.status === 200 ? two : one
    const last = await change(left, left, { status: 'disabled' })
    expect(outcome(last)).toEqual([409, 'conflict'])
  })

  it.each<[string, Json, string[]]>([
    ['nothing', {}, ['invalid ']],
    ['an unknown role', { role: 'god' }, ['invalid /role']],
    ['an unknown state', { status: 'gone' }, ['invalid /status']],
    ['another address', { role: 'viewer', email: 'a@b.example' }, ['unknown_field /email']],
  ])('is not changed by %s', async (_what, body, expected) => {
    const owner = await signedIn(shop, 'owner')
    expect(faults(await change(owner, owner, body))).toEqual(expected)
  })
})

describe('who is disabled', () => {
  it('is signed out and without keys at once, and comes back with neither', async () => {
    const partner = await makePartner(product.db)
    const owner = await signedIn(partner, 'owner')
    const leaving = await signedIn(partner, 'admin')
    const made = await leaving.browser.send('POST', '/v1/api-keys', { label: 'mine' })
    const key = String(made.body.key)
    expect((await call('/v1/me', { key })).status).toBe(200)
    const disabled = await owner.browser.send('PATCH', memberPath(leaving), { status: 'disabled' })
    expect(disabled.body).toMatchObject({ status: 'disabled', disabled_at: expect.any(String) })
    const gone = async () => {
      expect((await call('/v1/me', { key })).status).toBe(401)
      expect((await leaving.browser.send('GET', '/v1/me')).status).toBe(401)
    }
    await gone()
    expect((await browser().signIn(leaving.email)).status).toBe(401)
    await owner.browser.send('PATCH', memberPath(leaving), { status: 'active' })
    await gone()
    expect((await browser().signIn(leaving.email)).status).toBe(201)
  })
})

const mail = () => ({ name: 'Ada', email: `${unique('ada')}@people.example` })
const accepting = '/v1/member-invitations/accept'
const accept = (body: Json) => call(accepting, { method: 'POST', body })

/** The token of the mail, from the sandbox's mailbox. */
async function mailedToken(email: string, path: string): Promise<string> {
  const { db, config, sandbox } = product
  const mailer = createMailer(config.mail)
  await sendAccessMails({ db, mailer, links: createLinks(config.api) })
  mailer.close()
  const answer = await fetch(`${sandbox.url}/_sandbox/mails`)
  const { data } = (await answer.json()) as { data: Json[] }
  const sent = data.map((one) => JSON.stringify(one)).filter((text) => text.includes(email))
  const token = new RegExp(`/${path}\\?token=([\\w-]{43})`).exec(sent.at(-1) ?? '')?.[1]
  return token ?? ''
}

describe('an invitation', () => {
  it('comes by mail, and makes a member that chooses its password', async () => {
    const owner = await signedIn(shop, 'owner')
    const form = { ...mail(), role: 'finance' }
    const invited = await owner.browser.send('POST', '/v1/member-invitations', form)
    expect(invited.status).toBe(201)
    expect(invited.body).toEqual({
      ...form,
      id: expect.stringMatching(/^miv_/),
      invited_by: outwardId('member', owner.id),
      expires_at: expect.any(String),
      accepted_at: null,
      revoked_at: null,
      created_at: expect.any(String),
    })
    const token = await mailedToken(form.email, 'member-invite')
    expect(invited.text).not.toContain(token)
    const weak = await accept({ token, password: 'password1234' })
    expect(faults(weak)).toEqual(['too_common /password'])
    const taken = await accept({ token, password })
    expect([taken.status, taken.body]).toEqual([
      201,
      {
        member: expect.stringMatching(/^mem_/),
        partner: outwardId('partner', shop),
        role: 'finance',
      },
    ])
    const own = browser()
    expect((await own.signIn(form.email)).body.role).toBe('finance')
    expect(outcome(await accept({ token, password }))).toEqual([410, 'gone'])
  })

  it('is taken up without a password by who has one, and never changes it', async () => {
    const owner = await signedIn(shop, 'owner')
    const known = await makePerson(product.db, { partnerId: await makePartner(product.db) })
    const form = { name: 'Known', email: known.email, role: 'viewer' }
    await owner.browser.send('POST', '/v1/member-invitations', form)
    const token = await mailedToken(known.email, 'member-invite')
    const other = await accept({ token, password: 'another quiet walk' })
    expect(outcome(other)).toEqual([409, 'conflict'])
    expect((await accept({ token })).status).toBe(201)
    const here = { partner: outwardId('partner', shop) }
    expect((await browser().signIn(known.email, here)).body.role).toBe('viewer')
  })

  it('makes one member however many take it up at once', async () => {
    const owner = await signedIn(shop, 'owner')
    const form = { ...mail(), role: 'viewer' }
    await owner.browser.send('POST', '/v1/member-invitations', form)
    const token = await mailedToken(form.email, 'member-invite')
    const answers = await Promise.all(Array.from({ length: 6 }, () => accept({ token, password })))
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(5).fill(410)])
  })

  it('does not hold when it is withdrawn, replaced, old, or its giver is disabled', async () => {
    const partner = await makePartner(product.db)
    const [owner, giver] = [await signedIn(partner, 'owner'), await signedIn(partner, 'admin')]
    const form = () => ({ ...mail(), role: 'viewer' })
    const invite = async (by: typeof owner, body: Json) => {
      const { status, body: made } = await by.browser.send('POST', '/v1/member-invitations', body)
      expect(status).toBe(201)
      return { id: String(made.id), token: await mailedToken(String(body.email), 'member-invite') }
    }
    const withdrawn = await invite(owner, form())
    const path = `/v1/member-invitations/${withdrawn.id}`
    const answer = await owner.browser.send('DELETE', path)
    expect([answer.status, answer.body.revoked_at]).toEqual([200, expect.any(String)])
    const again = form()
    const replaced = await invite(owner, again)
    const newest = await invite(owner, again)
    const old = await invite(owner, form())
    await sql`update member_invitations set expires_at = now()
      where id = (select subject_id from access_mails order by id desc limit 1)`.execute(product.db)
    const orphan = await invite(giver, form())
    await owner.browser.send('PATCH', memberPath(giver), { status: 'disabled' })
    for (const { token } of [withdrawn, replaced, old, orphan]) {
      expect(outcome(await accept({ token, password }))).toEqual([410, 'gone'])
    }
    expect((await accept({ token: newest.token, password })).status).toBe(201)
    expect(outcome(await accept({ token: 'never-given', password }))).toEqual([404, 'not_found'])
  })

  it('is given for no role above the own one, and to no member', async () => {
    const admin = await signedIn(shop, 'admin')
    const invite = (body: Json) => admin.browser.send('POST', '/v1/member-invitations', body)
    expect(outcome(await invite({ ...mail(), role: 'owner' }))).toEqual([403, 'forbidden'])
    const email = admin.email.toUpperCase()
    expect(outcome(await invite({ name: 'x', email, role: 'viewer' }))).toEqual([409, 'conflict'])
    const viewer = await signedIn(shop, 'viewer')
    const tried = await viewer.browser.send('POST', '/v1/member-invitations', {
      ...mail(),
      role: 'viewer',
    })
    expect(outcome(tried)).toEqual([403, 'forbidden'])
  })

  it('is seen and withdrawn by its own organisation only', async () => {
    const owner = await signedIn(shop, 'owner')
    const form = { ...mail(), role: 'viewer' }
    const { body } = await owner.browser.send('POST', '/v1/member-invitations', form)
    const list = rows(await owner.browser.send('GET', '/v1/member-invitations'))
    expect(list[0]).toEqual(body)
    const stranger = await makeKey(product.db, await makePartner(product.db))
    await expectHidden(call, {
      route: 'DELETE /v1/member-invitations/:id',
      id: String(body.id),
      strangers: [stranger, product.owner],
    })
    expect(rows(await call('/v1/member-invitations', { key: stranger }))).toEqual([])
  })
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, [
    'GET /v1/members',
    'GET /v1/members/:id',
    'PATCH /v1/members/:id',
    'GET /v1/member-invitations',
    'POST /v1/member-invitations',
    'DELETE /v1/member-invitations/:id',
  ])
})
