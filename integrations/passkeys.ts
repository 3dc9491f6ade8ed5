/** Passkeys (WebAuthn), checked by the library; user verification is always required. */
import {
  generateAuthenticationOptions,
  generateRegistrationOptions,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server'
import { DomainError } from '../domain/errors.ts'

type RegistrationResponse = Parameters<typeof verifyRegistrationResponse>[0]['response']
type AuthenticationResponse = Parameters<typeof verifyAuthenticationResponse>[0]['response']
type Transports = NonNullable<RegistrationResponse['response']['transports']>

/** What a browser sends, as far as it is looked at. */
export interface RegistrationAnswer {
  id: string
  response: { clientDataJSON: string; attestationObject: string; transports?: string[] | undefined }
}

export interface AuthenticationAnswer {
  id: string
  response: {
    clientDataJSON: string
    authenticatorData: string
    signature: string
    userHandle?: string | undefined
  }
}

export interface KnownCredential {
  credentialId: string
  transports: string[]
}

/** The site that a passkey belongs to: the host of our public address, and nothing below it. */
function siteOf(publicUrl: string) {
  const { hostname, origin } = new URL(publicUrl)
  return { rpID: hostname, origin }
}

const named = (known: KnownCredential[]) =>
  known.map(({ credentialId, transports }) => ({ id: credentialId, transports }))

/** What a browser passes to `navigator.credentials.create`; its `challenge` is to be kept. */
export function passkeyCreation(person: {
  publicUrl: string
  personId: string
  email: string
  name: string
  known: KnownCredential[]
}) {
  return generateRegistrationOptions({
    rpName: 'Tributary',
    rpID: siteOf(person.publicUrl).rpID,
    userID: new Uint8Array(Buffer.from(person.personId.replaceAll('-', ''), 'hex')),
    userName: person.email,
    userDisplayName: person.name,
    excludeCredentials: named(person.known),
    authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
  })
}

/** What a browser passes to `navigator.credentials.get`; its `challenge` is to be kept. */
export function passkeyRequest({
  publicUrl,
  known,
}: {
  publicUrl: string
  known: KnownCredential[]
}) {
  return generateAuthenticationOptions({
    rpID: siteOf(publicUrl).rpID,
    allowCredentials: named(known),
    userVerification: 'required',
  })
}

const refused = () => new DomainError('forbidden', 'the answer of the authenticator is not valid')

/** The library tells what it does not like by throwing; none of it is for the caller. */
async function checked<T>(check: () => Promise<T>): Promise<T> {
  try {
    return await check()
  } catch {
    throw refused()
  }
}

/** @throws DomainError `forbidden` */
export async function checkNewPasskey(given: {
  publicUrl: string
  challenge: string
  answer: RegistrationAnswer
}) {
  const { rpID, origin } = siteOf(given.publicUrl)
  const { id, response } = given.answer
  const { transports = [] } = response
  const result = await checked(() =>
    verifyRegistrationResponse({
      response: {
        id,
        rawId: id,
        type: 'public-key',
        clientExtensionResults: {},
        response: {
          clientDataJSON: response.clientDataJSON,
          attestationObject: response.attestationObject,
          transports: transports as Transports,
        },
      },
      expectedChallenge: given.challenge,
      expectedOrigin: origin,
      expectedRPID: rpID,
      requireUserVerification: true,
    }),
  )
  if (!result.verified) throw refused()
  const { credential, credentialBackedUp } = result.registrationInfo
  return {
    credentialId: credential.id,
    publicKey: Buffer.from(credential.publicKey),
    counter: BigInt(credential.counter),
    backedUp: credentialBackedUp,
    transports,
  }
}

/** @returns the counter that the authenticator tells. @throws DomainError `forbidden` */
export async function checkPasskey(given: {
  publicUrl: string
  challenge: string
  answer: AuthenticationAnswer
  passkey: { credentialId: string; publicKey: Buffer; counter: bigint }
}): Promise<bigint> {
  const { rpID, origin } = siteOf(given.publicUrl)
  const { id, response } = given.answer
  const { credentialId, publicKey, counter } = given.passkey
  const result = await checked(() =>
    verifyAuthenticationResponse({
      response: {
        id,
        rawId: id,
        type: 'public-key',
        clientExtensionResults: {},
        response: response as AuthenticationResponse['response'],
      },
      expectedChallenge: given.challenge,
      expectedOrigin: origin,
      expectedRPID: rpID,
      credential: {
        id: credentialId,
        publicKey: new Uint8Array(publicKey),
        counter: Number(counter),
      },
      requireUserVerification: true,
    }),
  )
  if (!result.verified) throw refused()
  return BigInt(result.authenticationInfo.newCounter)
}
