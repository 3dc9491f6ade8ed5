/**
 * The signature under the audit trail, and the list of signed days outside of the database: who may
 * change everything there can neither sign nor take back what was published.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type AuditSigner, type SignedHead, signedText } from '../domain/audit.ts'

function keyIdOf(publicKey: KeyObject): string {
  const bytes = publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16)
}

/** @throws Error where it is no private key of Ed25519 as PEM. */
export function auditSigner(privateKeyPem: string): AuditSigner {
  const key = createPrivateKey(privateKeyPem)
  if (key.asymmetricKeyType !== 'ed25519') throw new Error('the key is not one of Ed25519')
  return {
    keyId: keyIdOf(createPublicKey(key)),
    sign: (text) => sign(null, Buffer.from(text), key),
  }
}

/**
 * Whether a day is signed by one of these keys: PEM blocks, public or private, the present one and
 * those before it.
 */
export function auditVerifier(pem: string): (head: SignedHead) => boolean {
  const blocks = pem.match(/-----BEGIN [A-Z ]+-----[\s\S]+?-----END [A-Z ]+-----/g) ?? []
  const keys = new Map(
    blocks.map((block) => {
      const key = createPublicKey(block)
      return [keyIdOf(key), key]
    }),
  )
  return (head) => {
    const key = keys.get(head.keyId)
    if (!key) return false
    return verify(null, Buffer.from(signedText(head)), key, Buffer.from(head.signature, 'base64'))
  }
}

/** The lines of the list; none where there is no file yet. */
export async function readPublishedHeads(file: string): Promise<string[]> {
  try {
    return (await readFile(file, 'utf8')).split('\n').filter((line) => line !== '')
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return []
    throw error
  }
}

/** Where signed days are published: a file that is only appended to. */
export interface AuditPublisher {
  /** The newest day in the list; null where it is empty. */
  newestDay(): Promise<string | null>
  publish(lines: string[]): Promise<void>
}

export function auditPublisher(file: string): AuditPublisher {
  return {
    async newestDay() {
      const last = (await readPublishedHeads(file)).at(-1)
      return last === undefined ? null : (JSON.parse(last) as { day: string }).day
    },
    async publish(lines) {
      await mkdir(dirname(file), { recursive: true })
      await appendFile(file, lines.map((line) => `${line}\n`).join(''), { mode: 0o644 })
    },
  }
}
