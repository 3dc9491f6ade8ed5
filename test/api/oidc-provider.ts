/** A tiny identity provider for tests: discovery, keys and tokens, signed with node:crypto. */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

type Claims = Record<string, unknown>

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

export interface OidcProvider {
  issuer: string
  clientId: string
  clientSecret: string
  /** What the provider is to say of the next person, over what it would say. */
  says(claims: Claims): void
  /** The person agrees at this address: where the browser is sent next. */
  agree(authorizationUrl: string): URL
  stop(): Promise<void>
}

export async function startOidcProvider(): Promise<OidcProvider> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const [clientId, clientSecret] = ['tributary', 'a secret of the client']
  const codes = new Map<string, { nonce: string; challenge: string }>()
  let said: Claims = {}
  let issuer = ''

  function idToken(nonce: string): string {
    const now = Math.floor(Date.now() / 1000)
    const { forged, ...claims } = said
    const payload = {
      iss: issuer,
      sub: 'subject-1',
      aud: clientId,
      iat: now,
      exp: now + 300,
      nonce,
      email_verified: true,
      ...claims,
    }
    const text = `${encoded({ alg: 'RS256', kid: 'key-1' })}.${encoded(payload)}`
    const key = forged ? stranger : privateKey
    return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`
  }

  function token(body: URLSearchParams): { status: number; answer: Claims } {
    const code = codes.get(body.get('code') ?? '')
    codes.delete(body.get('code') ?? '')
    const verifier = createHash('sha256').update(body.get('code_verifier') ?? '')
    if (!code || verifier.digest('base64url') !== code.challenge) {
      return { status: 400, answer: { error: 'invalid_grant' } }
    }
    const answer = { access_token: 'x', token_type: 'Bearer', id_token: idToken(code.nonce) }
    return { status: 200, answer }
  }

  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const routes: Record<string, () => { status: number; answer: unknown }> = {
      '/.well-known/openid-configuration': () => ({
        status: 200,
        answer: {
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          jwks_uri: `${issuer}/keys`,
          response_types_supported: ['code'],
          subject_types_supported: ['public'],
          id_token_signing_alg_values_supported: ['RS256'],
        },
      }),
      '/keys': () => ({
        status: 200,
        answer: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'key-1', alg: 'RS256' }] },
      }),
      '/token': () => token(new URLSearchParams(Buffer.concat(chunks).toString())),
    }
    const found = routes[request.url ?? '']?.() ?? { status: 404, answer: {} }
    response.writeHead(found.status, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify(found.answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    issuer,
    clientId,
    clientSecret,
    says(claims) {
      said = claims
    },
    agree(authorizationUrl) {
      const asked = new URL(authorizationUrl).searchParams
      expect(asked.get('code_challenge_method')).toBe('S256')
      expect(asked.get('client_id')).toBe(clientId)
      const code = randomBytes(16).toString('hex')
      const [nonce, challenge] = [asked.get('nonce') ?? '', asked.get('code_challenge') ?? '']
      codes.set(code, { nonce, challenge })
      const back = new URL(asked.get('redirect_uri') ?? '')
      back.searchParams.set('code', code)
      back.searchParams.set('state', asked.get('state') ?? '')
      back.searchParams.set('session_state', 'whatever')
      return back
    },
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
