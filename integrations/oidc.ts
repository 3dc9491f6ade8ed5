/** Sign-in with an identity provider (OpenID Connect, authorization code with PKCE). */
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  type Configuration,
  calculatePKCECodeChallenge,
  discovery,
  enableNonRepudiationChecks,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
} from 'openid-client'
import { DomainError } from '../domain/errors.ts'

/** What has to be kept until the browser comes back. */
export interface OidcStart {
  url: string
  state: string
  nonce: string
  codeVerifier: string
}

/** Whom the provider vouches for. */
export interface OidcIdentity {
  issuer: string
  subject: string
  email: string
  /** Whether it has seen a second factor. */
  isStrong: boolean
  /** When it saw the person itself; a provider need not tell. */
  authenticatedAt: Date | null
}

export type Oidc = ReturnType<typeof createOidc>

export function createOidc(settings: {
  issuer: string
  clientId: string
  clientSecret: string
  publicUrl: string
}) {
  const redirectUri = `${settings.publicUrl}/v1/sign-in/oidc/callback`
  let known: Promise<Configuration> | undefined

  /** The provider's own description, read once; a failure is not kept. */
  function provider(): Promise<Configuration> {
    const plain = settings.issuer.startsWith('http://') ? [allowInsecureRequests] : []
    known ??= discovery(
      new URL(settings.issuer),
      settings.clientId,
      settings.clientSecret,
      undefined,
      // Signatures are checked also where the transport would vouch for a token.
      { execute: [enableNonRepudiationChecks, ...plain], timeout: 10 },
    ).catch(() => {
      known = undefined
      throw new DomainError('temporarily_unavailable', 'the identity provider does not answer')
    })
    return known
  }

  return {
    /** @throws DomainError `temporarily_unavailable` */
    async begin(): Promise<OidcStart> {
      const configuration = await provider()
      const [state, nonce, codeVerifier] = [randomState(), randomNonce(), randomPKCECodeVerifier()]
      const url = buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        response_type: 'code',
        scope: 'openid email',
        code_challenge: await calculatePKCECodeChallenge(codeVerifier),
        code_challenge_method: 'S256',
        state,
        nonce,
      })
      return { url: url.href, state, nonce, codeVerifier }
    },

    /**
     * Takes the provider's answer for an identity: issuer, audience, signature, nonce, state and
     * expiry are checked, and the address has to be one that the provider has verified.
     * @param query everything that came with the browser.
     * @throws DomainError `not_authenticated`
     */
    async finish(
      query: Record<string, string>,
      started: Omit<OidcStart, 'url'>,
    ): Promise<OidcIdentity> {
      const url = new URL(redirectUri)
      for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
      const configuration = await provider()
      const claims = await authorizationCodeGrant(configuration, url, {
        pkceCodeVerifier: started.codeVerifier,
        expectedState: started.state,
        expectedNonce: started.nonce,
        idTokenExpected: true,
      })
        .then((tokens) => tokens.claims())
        .catch(() => undefined)
      if (!claims || typeof claims.email !== 'string' || claims.email_verified !== true) {
        throw new DomainError('not_authenticated', 'the identity provider does not vouch for you')
      }
      const { amr, auth_time: seenAt } = claims
      return {
        issuer: claims.iss,
        subject: claims.sub,
        email: claims.email,
        isStrong: Array.isArray(amr) && amr.includes('mfa'),
        authenticatedAt: typeof seenAt === 'number' ? new Date(seenAt * 1000) : null,
      }
    },
  }
}
