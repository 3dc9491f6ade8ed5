/** Secrets of a sandboxed stack: made at its first start, kept beside its data, never committed. */
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const secretsSchema = z.strictObject({
  linkSecret: z.string(),
  stripeSecretKey: z.string(),
  stripeWebhookSecret: z.string(),
  stripeThinWebhookSecret: z.string(),
  docusignIntegrationKey: z.string(),
  docusignUserId: z.string(),
  docusignAccountId: z.string(),
  docusignHmacKey: z.string(),
  docusignPublicKey: z.string(),
})

export type StackSecrets = z.infer<typeof secretsSchema> & { docusignPrivateKeyFile: string }

const token = (bytes = 24) => randomBytes(bytes).toString('hex')

function writePrivate(file: string, content: string): void {
  writeFileSync(file, content, { mode: 0o600 })
  chmodSync(file, 0o600)
}

/** The secrets in this directory; made when there are none. */
export function stackSecrets(directory: string): StackSecrets {
  const file = join(directory, 'secrets.json')
  const docusignPrivateKeyFile = join(directory, 'docusign-key.pem')
  if (existsSync(file) && existsSync(docusignPrivateKeyFile)) {
    const secrets = secretsSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
    return { ...secrets, docusignPrivateKeyFile }
  }
  mkdirSync(directory, { recursive: true })
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  const secrets: z.infer<typeof secretsSchema> = {
    linkSecret: token(32),
    stripeSecretKey: `sk_test_${token()}`,
    stripeWebhookSecret: `whsec_${token()}`,
    stripeThinWebhookSecret: `whsec_${token()}`,
    docusignIntegrationKey: randomUUID(),
    docusignUserId: randomUUID(),
    docusignAccountId: randomUUID(),
    docusignHmacKey: token(),
    docusignPublicKey: publicKey,
  }
  writePrivate(docusignPrivateKeyFile, privateKey)
  writePrivate(file, JSON.stringify(secrets, null, 2))
  return { ...secrets, docusignPrivateKeyFile }
}
