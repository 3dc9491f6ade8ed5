/** Mails in words of one's own: who may write them, what they may say, and how they look. */

import { sql } from 'kysely'
import { sendAccessMails } from '../../activities/access-mails.ts'
import { inTransaction } from '../../db/database.ts'
import { recordAccessMail } from '../../db/people/mails.ts'
import { recordTenant } from '../../db/provisioning.ts'
import { markBranding, recordBranding } from '../../db/tenant-branding.ts'
import type { Mail, Mailer } from '../../integrations/email.ts'
import { mailTemplates } from '../../integrations/email-templates/index.ts'
import { partnerTemplates } from '../../integrations/email-templates/own-words.ts'
import { createLinks } from '../../integrations/links.ts'
import { type Product, startProduct } from '../support/product.ts'
import { itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf, type Json, rows } from './kit.ts'
import { makeWorld, type World } from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
})
afterAll(() => product.stop())

const path = (template: string) => `/v1/mail-templates/${template}`
const words = {
  subject: 'Join {company}',
  paragraphs: ['We at {company} would like to work with you.', 'See you soon.'],
  action_label: 'Come in',
}
const put = (template: string, body: Json, key: string) =>
  call(path(template), { method: 'PUT', key, body })

const previewOf = async (key: string) => {
  const headers = { Authorization: `Bearer ${key}` }
  const answer = await fetch(`${product.api}${path('memberInvitation')}/preview`, { headers })
  return answer.text()
}

/** What goes out in the next round, by recipient. */
async function nextRound(): Promise<Mail[]> {
  const sent: Mail[] = []
  const mailer = { send: async (mail: Mail) => void sent.push(mail), close() {} } as Mailer
  const links = createLinks({
    publicUrl: 'https://api.example',
    tenantDomain: 'tributary.example',
    linkSecret: 'a-secret-of-more-than-thirty-two-characters',
  })
  await sendAccessMails({ db: product.db, mailer, links })
  return sent
}

const invite = (partnerId: string) =>
  inTransaction(product.db, async (trx) => {
    const { rows } = await sql<{ id: string }>`select uuidv7() as id`.execute(trx)
    const subjectId = rows[0]?.id ?? ''
    const mail = { kind: 'member_invitation' as const, recipient: `${subjectId}@x.example` }
    await recordAccessMail(trx, { ...mail, subjectId, partnerId, name: 'Ada' })
    return mail.recipient
  })

describe('mails in words of one’s own', () => {
  it('are listed with the facts that they know: all for the platform, some for a partner', async () => {
    const all = await call('/v1/mail-templates', { key: product.owner })
    expect(rows(all).map(({ template }: Json) => template)).toEqual([...mailTemplates])
    const some = await call('/v1/mail-templates', { key: world.shop.key })
    expect(rows(some).map(({ template }: Json) => template)).toEqual([...partnerTemplates])
    const { body } = await call(path('applicationRejected'), { key: product.owner })
    expect(body).toMatchObject({
      own: false,
      placeholders: ['again', 'company', 'contact', 'reason'],
    })
    expect(JSON.stringify(body.paragraphs)).toContain('{company}')
    expect((await call(path('applicationRejected'), { key: world.shop.key })).status).toBe(404)
  })

  it('go out in the name of the partner that wrote them, and of no other', async () => {
    expect((await put('memberInvitation', words, world.shop.key)).status).toBe(200)
    const own = await invite(world.shop.id)
    const other = await invite(world.north.id)
    const sent = await nextRound()
    const subjectFor = (to: string) => sent.find((mail) => mail.to === to)?.content.subject
    expect(subjectFor(own)).toMatch(/^Join \S/)
    expect(subjectFor(own)).not.toContain('{company}')
    expect(subjectFor(other)).toMatch(/^You are invited/)
    expect(sent.find((mail) => mail.to === own)?.content.action?.label).toBe('Come in')
    expect((await call(path('memberInvitation'), { key: world.north.key })).body.own).toBe(false)
  })

  it('of the platform count where a partner has none, until they are taken back', async () => {
    await put('memberInvitation', { ...words, subject: 'From the platform' }, product.owner)
    const recipient = await invite(world.north.id)
    const sent = await nextRound()
    expect(sent.find(({ to }) => to === recipient)?.content.subject).toBe('From the platform')
    const back = await call(path('memberInvitation'), { method: 'DELETE', key: product.owner })
    expect(back.body.own).toBe(false)
    const later = await invite(world.north.id)
    const after = await nextRound()
    expect(after.find(({ to }) => to === later)?.content.subject).toMatch(/^You are invited/)
  })

  it('are refused with a word in braces that stands for nothing, and where it stands', async () => {
    const bad = { ...words, paragraphs: ['Hello {company}', 'your {password} is'] }
    const { status, body } = await put('memberInvitation', bad, product.owner)
    expect([status, body.code]).toEqual([422, 'invalid_request'])
    expect(body.errors).toEqual([
      expect.objectContaining({ pointer: '/paragraphs/1', code: 'unknown_placeholder' }),
    ])
    const unknown = await put('noSuchMail', words, product.owner)
    expect(unknown.status).toBe(404)
    const empty = await put('memberInvitation', { subject: 'x', paragraphs: [] }, product.owner)
    expect(empty.status).toBe(422)
    expect(empty.body.errors).toEqual([expect.objectContaining({ pointer: '/paragraphs' })])
  })

  it('can be seen as they will look, and sent to oneself', async () => {
    await put('memberInvitation', { ...words, subject: '<b>{company}</b>' }, world.shop.key)
    const preview = `${product.api}${path('memberInvitation')}/preview`
    const headers = { Authorization: `Bearer ${world.shop.key}` }
    const html = await fetch(preview, { headers })
    expect(html.headers.get('content-type')).toContain('text/html')
    expect(html.headers.get('content-security-policy')).toContain("default-src 'none'")
    const page = await html.text()
    expect(page).toContain('&lt;b&gt;')
    expect(page).not.toContain('<b>')
    const text = await fetch(`${preview}?format=text`, { headers })
    expect(await text.text()).toContain('See you soon.')
    const sent = await call(`${path('memberInvitation')}/preview`, {
      method: 'POST',
      key: world.shop.key,
    })
    expect(sent.status).toBe(202)
    const mails = await nextRound()
    expect(mails.map(({ kind }) => kind)).toContain('template_preview')
  })

  it('are seen in the looks that they go out in, which are those of the tenant', async () => {
    const partnerId = world.market.id
    await inTransaction(product.db, async (trx) => {
      const id = await recordTenant(trx, { partnerId, name: 'Market' })
      await recordBranding(trx, { id, partnerId, name: 'Market' })
      await markBranding(trx, id, { emailSenderName: 'Market Hall', primaryColor: '#7a1f5c' })
    })
    const own = await previewOf(world.market.key)
    expect(own).toContain('#7a1f5c')
    expect(own).toContain('Market Hall')
    const address = await invite(partnerId)
    const mail = (await nextRound()).find(({ to }) => to === address)
    expect(mail?.brand).toMatchObject({ name: 'Market Hall', accent: '#7a1f5c' })
    expect(await previewOf(world.north.key)).not.toContain('#7a1f5c')
  })

  it('are refused without a key with 401', async () => {
    expect((await call('/v1/mail-templates', { key: null })).status).toBe(401)
  })

  itTakesLiveKeysOnly(() => ({ db: product.db, call }), ['GET /v1/mail-templates'])
})
