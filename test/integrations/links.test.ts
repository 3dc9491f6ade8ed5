import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { outwardId } from '../../domain/ids.ts'
import { createLinks } from '../../integrations/links.ts'

const settings = {
  publicUrl: 'https://api.tributary.example',
  tenantDomain: 'tributary.example',
  linkSecret: 'link-secret-of-thirty-two-characters-or-more',
}
const links = createLinks(settings)
const id = '01890a5d-ac96-774b-bcce-b302099a8057'

const tokenIn = (url: string) => new URL(url).searchParams.get('token') ?? ''

describe('a link of an application', () => {
  test('leads to the application with a token that is good for it', () => {
    const url = links.statusUrl(id)
    expect(url.split('?')[0]).toBe(
      `https://api.tributary.example/v1/applications/${outwardId('application', id)}`,
    )
    expect(links.isApplicationToken(id, tokenIn(url))).toBe(true)
    const verification = links.verificationUrl(id)
    expect(new URL(verification).pathname).toBe(
      `/v1/applications/${outwardId('application', id)}/verification`,
    )
    expect(links.isApplicationToken(id, tokenIn(verification))).toBe(true)
  })

  test('for an approver carries no token: it needs a key', () => {
    expect(links.applicationUrl(id)).not.toContain('token')
  })

  test('is the same when it is made again, as for a repeated mail', () => {
    expect(createLinks(settings).statusUrl(id)).toBe(links.statusUrl(id))
  })
})

describe('a token', () => {
  const token = tokenIn(links.statusUrl(id))

  test('opens no other application', () => {
    for (let n = 0; n < 50; n++) expect(links.isApplicationToken(randomUUID(), token)).toBe(false)
  })

  test('of an invitation opens no application, and the reverse', () => {
    const invitation = links.invitationToken(id)
    expect(links.isApplicationToken(id, invitation)).toBe(false)
    expect(invitation).not.toBe(token)
    expect(links.invitationToken(randomUUID())).not.toBe(invitation)
  })

  test('of another installation is not good', () => {
    const other = createLinks({ ...settings, linkSecret: `${settings.linkSecret}!` })
    expect(links.isApplicationToken(id, tokenIn(other.statusUrl(id)))).toBe(false)
  })

  test('fails with any one character changed, and with one more or less', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    for (let at = 0; at < token.length; at++) {
      for (const character of alphabet) {
        if (character === token[at]) continue
        const changed = `${token.slice(0, at)}${character}${token.slice(at + 1)}`
        expect(links.isApplicationToken(id, changed)).toBe(false)
      }
    }
    for (const wrong of ['', token.slice(1), token.slice(0, -1), `${token}=`, `${token}A`]) {
      expect(links.isApplicationToken(id, wrong)).toBe(false)
    }
  })

  test('is refused for any text, without an error', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 90 }), (text) => {
        expect(links.isApplicationToken(id, text)).toBe(false)
      }),
      { numRuns: 300 },
    )
  })

  test('can stand in an address as it is', () => {
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/)
    expect(links.inviteUrl(token)).toBe(`https://api.tributary.example/invite?token=${token}`)
  })
})

describe('the secrets of mails about access', () => {
  test('differ by what they are for, and can stand in an address as they are', () => {
    const tokens = [
      links.memberInvitationToken(id),
      links.passwordResetToken(id),
      links.invitationToken(id),
    ]
    expect(new Set(tokens).size).toBe(3)
    for (const secret of tokens) expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/)
    const base = 'https://api.tributary.example'
    expect(links.memberInvitationUrl('x')).toBe(`${base}/member-invite?token=x`)
    expect(links.passwordResetUrl('x')).toBe(`${base}/password-reset?token=x`)
  })
})

describe('other addresses', () => {
  test('are below the public one, and tenants below their domain', () => {
    expect(links.tenantUrl('acme')).toBe('https://acme.tributary.example')
    expect(links.docsUrl()).toBe('https://api.tributary.example/docs')
    expect(links.docusignWebhookUrl()).toBe('https://api.tributary.example/v1/webhooks/docusign')
  })
})
