/** An authenticator in software: it makes passkeys and signs, as a browser passes it on. */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

interface Options {
  challenge: string
  rp?: { id?: string }
  rpId?: string
}

/** What may be wrong with an answer. */
export interface Faults {
  origin?: string
  rpId?: string
  type?: string
  challenge?: string
  /** The person was there, but nothing says that it is the right one. */
  unverified?: true
  counter?: number
}

const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest()

/** The little of CBOR that an attestation needs: integers, bytes, text and maps. */
function cbor(value: number | string | Buffer | Map<number | string, unknown>): Buffer {
  if (typeof value === 'number') return value < 0 ? head(1, -1 - value) : head(0, value)
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value])
  if (typeof value === 'string') {
    return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  }
  const entries = [...value].flatMap(([key, entry]) => [cbor(key), cbor(entry as never)])
  return Buffer.concat([head(5, value.size), ...entries])
}

function head(major: number, length: number): Buffer {
  const kind = major << 5
  if (length < 24) return Buffer.of(kind | length)
  if (length < 256) return Buffer.of(kind | 24, length)
  return Buffer.of(kind | 25, length >> 8, length & 255)
}

const present = 1
const verified = 4
const withCredential = 64

export function createAuthenticator(origin: string) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const id = randomBytes(16)
  let counter = 0

  function clientData(type: string, options: Options, faults: Faults): Buffer {
    const { challenge } = options
    return Buffer.from(
      JSON.stringify({
        type: faults.type ?? type,
        challenge: faults.challenge ?? challenge,
        origin: faults.origin ?? origin,
        crossOrigin: false,
      }),
    )
  }

  function authenticatorData(options: Options, faults: Faults, credential?: Buffer): Buffer {
    const rpId = faults.rpId ?? options.rpId ?? options.rp?.id ?? ''
    counter += 1
    const count = Buffer.alloc(4)
    count.writeUInt32BE(faults.counter ?? counter)
    const seen = present | (faults.unverified ? 0 : verified)
    const flags = Buffer.of(seen | (credential ? withCredential : 0))
    return Buffer.concat([sha256(rpId), flags, count, credential ?? Buffer.of()])
  }

  return {
    id: id.toString('base64url'),

    /** The answer to `navigator.credentials.create`. */
    register(options: Options, faults: Faults = {}) {
      const { x = '', y = '' } = publicKey.export({ format: 'jwk' }) as { x?: string; y?: string }
      const cose = cbor(
        new Map<number, unknown>([
          [1, 2],
          [3, -7],
          [-1, 1],
          [-2, Buffer.from(x, 'base64url')],
          [-3, Buffer.from(y, 'base64url')],
        ]),
      )
      const length = Buffer.of(id.length >> 8, id.length & 255)
      const credential = Buffer.concat([Buffer.alloc(16), length, id, cose])
      const attestation = cbor(
        new Map<string, unknown>([
          ['fmt', 'none'],
          ['attStmt', new Map()],
          ['authData', authenticatorData(options, faults, credential)],
        ]),
      )
      return {
        id: id.toString('base64url'),
        rawId: id.toString('base64url'),
        type: 'public-key',
        authenticatorAttachment: 'platform',
        clientExtensionResults: { credProps: { rk: true } },
        response: {
          clientDataJSON: clientData('webauthn.create', options, faults).toString('base64url'),
          attestationObject: attestation.toString('base64url'),
          transports: ['internal'],
        },
      }
    },

    /** The answer to `navigator.credentials.get`. */
    show(options: Options, faults: Faults = {}) {
      const data = authenticatorData(options, faults)
      const client = clientData('webauthn.get', options, faults)
      const signature = sign('sha256', Buffer.concat([data, sha256(client)]), privateKey)
      return {
        id: id.toString('base64url'),
        rawId: id.toString('base64url'),
        type: 'public-key',
        clientExtensionResults: {},
        response: {
          clientDataJSON: client.toString('base64url'),
          authenticatorData: data.toString('base64url'),
          signature: signature.toString('base64url'),
        },
      }
    },
  }
}
