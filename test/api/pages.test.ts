import { meanings } from '../../api/errors.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Answer, type Call, clientOf } from './kit.ts'

let product: Product
let call: Call
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
})
afterAll(() => product.stop())

const pages = ['/docs', '/docs/errors', '/invite', '/invite?token=abc']

/** Where the tags of a page fetch something from. */
function sources({ text }: Answer): string[] {
  return [...text.matchAll(/\b(?:src|href|action)="([^"]*)"/g)].map((match) => match[1] ?? '')
}

function policyOf({ headers }: Answer): Map<string, string> {
  const directives = (headers.get('content-security-policy') ?? '').split(';')
  return new Map(
    directives.map((directive) => {
      const [name = '', ...values] = directive.trim().split(' ')
      return [name, values.join(' ')]
    }),
  )
}

describe.each(pages)('the page %s', (path) => {
  it('is shown to everyone', async () => {
    const answer = await call(path)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(answer.text).toMatch(/^<!doctype html>\n<html lang="en">/)
  })

  it('loads everything from its own host, and all of it is there', async () => {
    const answer = await call(path)
    const found = sources(answer)
    expect(found.length).toBeGreaterThan(0)
    for (const source of found) {
      expect(source).toMatch(/^\/[a-z]/)
      const part = await call(source)
      expect([source, part.status]).toEqual([source, 200])
    }
  })

  it('runs no script but its own files, and sits in no frame', async () => {
    const answer = await call(path)
    const policy = policyOf(answer)
    expect(policy.get('default-src')).toBe("'none'")
    expect(policy.get('script-src')).toBe("'self'")
    expect(policy.get('connect-src')).toBe("'self'")
    expect(policy.get('frame-ancestors')).toBe("'none'")
    expect(policy.get('base-uri')).toBe("'none'")
    for (const [, values] of policy) expect(values).not.toMatch(/https?:|\*/)
    expect(answer.text).not.toMatch(/<script(?![^>]*\bsrc=)[^>]*>/)
    expect(answer.text).not.toMatch(/\son\w+=/)
  })
})

describe('the documentation', () => {
  it.each([
    ['/docs/swagger-ui.css', 'text/css; charset=utf-8'],
    ['/docs/swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
    ['/docs/docs.js', 'text/javascript; charset=utf-8'],
    ['/docs/page.css', 'text/css; charset=utf-8'],
    ['/invite.js', 'text/javascript; charset=utf-8'],
    ['/openapi.json', 'application/json; charset=utf-8'],
  ])('serves %s as what it is', async (path, type) => {
    const answer = await call(path)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, type])
    expect(answer.bytes.length).toBeGreaterThan(50)
  })

  it('reads its own description and no other', async () => {
    const { text } = await call('/docs/docs.js')
    expect(text).toContain("url: '/openapi.json'")
    expect(text).not.toMatch(/https?:/)
  })

  it.each([
    '/docs/package.json',
    '/docs/swagger-ui.js',
    '/docs/..%2fpackage.json',
    '/docs/%2e%2e/%2e%2e/package.json',
    '/docs/__proto__',
    '/docs/toString',
    '/docs/constructor',
  ])('serves no other file: %s', async (path) => {
    const { status, body } = await call(path)
    expect([status, body.code]).toEqual([404, 'not_found'])
  })

  it('explains every code of a refusal, under the address that refusals name', async () => {
    const { text } = await call('/docs/errors')
    for (const code of Object.keys(meanings)) expect(text).toContain(`id="${code}"`)
    const refused = await call('/v1/me')
    const address = new URL(String(refused.body.type))
    expect(address.pathname).toBe('/docs/errors')
    expect(text).toContain(`id="${address.hash.slice(1)}"`)
  })

  it('explains a failure on our side as well', async () => {
    expect((await call('/docs/errors')).text).toContain('id="internal"')
  })
})

describe('the page of an invitation', () => {
  it('shows nothing of what its address holds', async () => {
    const token = '"><script>alert(1)</script>'
    const { text } = await call(`/invite?token=${encodeURIComponent(token)}`)
    expect(text).not.toContain('alert(1)')
    expect(text).toBe((await call('/invite')).text)
  })

  it('sends its token to nobody but us', async () => {
    const answer = await call('/invite?token=secret')
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
    const { text } = await call('/invite.js')
    expect(text).toContain("fetch('/v1/invitations/accept'")
    expect(text).not.toMatch(/https?:|innerHTML|eval\(/)
  })
})
