import { markTenant } from '../../../db/provisioning.ts'
import { outwardId } from '../../../domain/ids.ts'
import { type Product, startProduct } from '../../support/product.ts'
import { expectHidden, itTakesLiveKeysOnly } from '../guards.ts'
import { type Call, clientOf, faults, type Json, type Request } from '../kit.ts'
import { fillWorld, makeWorld, type PlaceName, type World } from '../world.ts'

let product: Product
let call: Call
let world: World
const ids = new Map<PlaceName, { id: string; row: string }>()
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  await fillWorld(product.db, world)
  for (const name of ['shop', 'market', 'corner'] as const) {
    const { id } = await product.db
      .selectFrom('tenants')
      .select('id')
      .where('partnerId', '=', world[name].id)
      .executeTakeFirstOrThrow()
    ids.set(name, { id: outwardId('tenant', id), row: id })
  }
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call })
const pathOf = (name: PlaceName, more = '') => `/v1/tenants/${ids.get(name)?.id}/branding${more}`
const patch = (body: Json, more: Request = {}) =>
  call(pathOf('shop'), { method: 'PATCH', key: world.shop.key, body, ...more })

const png = Buffer.concat([
  Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
  Buffer.alloc(64, 7),
])
const image = (kind: string, raw: Buffer) =>
  call(pathOf('shop', `/${kind}`), { method: 'PUT', key: world.shop.key, raw })

describe('the branding of a tenant', () => {
  it('begins with what the programme gives, and is changed by its own people field by field', async () => {
    const first = await call(pathOf('shop'), { key: world.shop.key })
    expect(first.body).toEqual({
      tenant: ids.get('shop')?.id,
      display_name: 'shop',
      primary_color: '#0f4c5c',
      background_color: '#ffffff',
      text_color: '#1a1a1a',
      on_primary_color: '#ffffff',
      css: '',
      header_text: '',
      footer_text: '',
      login_text: '',
      email_sender_name: 'shop',
      support_address: null,
      logo_sha256: null,
      favicon_sha256: null,
    })
    const etag = first.headers.get('etag') ?? ''
    const headers = { 'If-Match': etag }
    const changed = await patch(
      { display_name: 'Shop & Söhne', text_color: '#000000' },
      { headers },
    )
    expect(changed.body).toEqual({
      ...first.body,
      display_name: 'Shop & Söhne',
      text_color: '#000000',
    })
    expect(changed.headers.get('etag')).not.toBe(etag)
    const late = await patch({ footer_text: 'late' }, { headers })
    expect([late.status, late.body.code]).toEqual([412, 'precondition_failed'])
    const blind = await patch({ footer_text: 'blind' }, { headers: { 'If-Match': '' } })
    expect([blind.status, blind.body.code]).toEqual([428, 'precondition_required'])
    const cleared = await patch({ support_address: 'help@shop.example', footer_text: '' })
    expect(cleared.body).toMatchObject({ support_address: 'help@shop.example', footer_text: '' })
  })

  it.each([
    ['text that cannot be read', { text_color: '#eeeeee' }, ['invalid /text_color']],
    ['buttons that cannot be seen', { primary_color: '#fefefe' }, ['invalid /primary_color']],
    ['a color by its name', { text_color: 'red' }, ['invalid /text_color']],
    ['a style sheet that loads', { css: 'a{background:url(x)}' }, ['invalid /css']],
    ['a style sheet that imports', { css: '@import "x";' }, ['invalid /css']],
    ['a style sheet that leaves', { css: '</style><script>' }, ['invalid /css']],
    ['a style sheet that escapes', { css: 'a{b:u\\72l(x)}' }, ['invalid /css']],
    ['a style sheet without an end', { css: 'a{color:red' }, ['invalid /css']],
    [
      'a sender with a line break',
      { email_sender_name: 'a\r\nBcc: b' },
      ['invalid /email_sender_name'],
    ],
    ['a sender with an address', { email_sender_name: 'a <b@c>' }, ['invalid /email_sender_name']],
    ['an address that is none', { support_address: 'help' }, ['invalid /support_address']],
    ['what it does not know', { logo: 'x' }, ['unknown_field /logo']],
  ])('refuses %s', async (_what, body, expected) => {
    expect(faults(await patch(body))).toEqual(expected)
  })

  it('keeps a style sheet that is harmless as it is', async () => {
    const css = '.card { color: #123456 } @media (width < 1px) { a { margin: 0 } }'.replace(
      '<',
      'max-',
    )
    expect((await patch({ css })).body).toMatchObject({ css })
  })

  it('is hidden from everybody but its own people and the platform, also from those above', async () => {
    const strangers = (['market', 'corner', 'south'] as const).map((name) => world[name].key)
    for (const route of ['GET', 'PATCH']) {
      await expectHidden(call, {
        route: `${route} /v1/tenants/:id/branding`,
        id: ids.get('shop')?.id ?? '',
        strangers,
        ...(route === 'PATCH' ? { body: { footer_text: 'mine' } } : {}),
      })
    }
    const above = await call(pathOf('shop'), { key: world.north.key })
    expect([above.status, above.body.code]).toEqual([403, 'forbidden'])
    const owner = await call(pathOf('shop'), { key: world.owner.key })
    expect(owner.status).toBe(200)
  })

  it('is changed by its admins only', async () => {
    const { body } = await call('/v1/me', { key: world.market.key })
    await product.db
      .updateTable('members')
      .set({ role: 'finance' })
      .where('partnerId', '=', world.market.id)
      .execute()
    const answer = await call(pathOf('market'), {
      method: 'PATCH',
      key: world.market.key,
      body: { footer_text: 'mine' },
    })
    expect([body.level, answer.status, answer.body.code]).toEqual(['reseller', 403, 'forbidden'])
  })
})

describe('an image', () => {
  it.each(['logo', 'favicon'])('is set as %s and replaced', async (kind) => {
    const first = await image(kind, png)
    expect(first.status).toBe(200)
    const field = `${kind}_sha256`
    expect(first.body[field]).toMatch(/^[0-9a-f]{64}$/)
    const jpeg = Buffer.concat([Buffer.from([0xff, 0xd8, 0xff, 0xe0]), Buffer.alloc(9)])
    const second = await image(kind, jpeg)
    expect(second.body[field]).not.toBe(first.body[field])
  })

  it.each([
    ['SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>')],
    ['GIF', Buffer.from('GIF89a')],
    ['nothing', Buffer.alloc(0)],
  ])('is no image as %s', async (_what, raw) => {
    const answer = await image('logo', raw)
    expect([answer.status, answer.body.code]).toEqual([415, 'unsupported_media_type'])
  })

  it('is refused above 512 kB', async () => {
    const answer = await image('logo', Buffer.concat([png, Buffer.alloc(512 * 1024)]))
    expect([answer.status, answer.body.code]).toEqual([413, 'payload_too_large'])
  })

  it('of a tenant of somebody else is answered 404', async () => {
    const answer = await call(pathOf('market', '/logo'), {
      method: 'PUT',
      key: world.shop.key,
      raw: png,
    })
    expect([answer.status, answer.body.code]).toEqual([404, 'not_found'])
  })
})

describe('the login page at a host', () => {
  const page = (host: string, more = '') => call(`/v1/tenants/by-host${more}?host=${host}`)

  it('shows the branding of an active tenant to anybody, with its images', async () => {
    const host = 'shop.tributary.localhost'
    expect((await page(host)).status).toBe(404)
    await markTenant(product.db, ids.get('shop')?.row ?? '', { status: 'active' })
    await image('logo', png)
    const { status, body } = await page(host.toUpperCase())
    expect([status, body.name]).toEqual([200, 'Shop & Söhne'])
    expect(JSON.stringify(body)).not.toContain(world.shop.partner)
    const logo = await call(String(body.logo_url).replace(product.api, ''))
    expect(logo.headers.get('content-type')).toBe('image/png')
    expect(logo.bytes).toEqual(png)
    await markTenant(product.db, ids.get('shop')?.row ?? '', { status: 'suspended' })
    expect((await page(host)).status).toBe(404)
    expect((await page(host, '/logo')).status).toBe(404)
  })

  it.each(['corner.tributary.localhost', 'nobody.tributary.localhost', 'shop.example', 'x'])(
    'is nobody’s at %s',
    async (host) => {
      for (const what of ['', '/logo', '/favicon']) {
        const answer = await page(host, what)
        expect([answer.status, answer.body.code]).toEqual([404, 'not_found'])
      }
    },
  )

  it('takes host names only', async () => {
    expect(faults(await page('a%20b'))).toEqual(['invalid /host'])
    expect(faults(await call('/v1/tenants/by-host'))).toEqual(['missing /host'])
  })
})

describe('whoever has no live key is answered 401', () => {
  itTakesLiveKeysOnly(stage, [
    'GET /v1/tenants/:id/branding',
    'PATCH /v1/tenants/:id/branding',
    'PUT /v1/tenants/:id/branding/logo',
    'PUT /v1/tenants/:id/branding/favicon',
  ])
})
