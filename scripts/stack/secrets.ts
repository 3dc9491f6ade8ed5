/** Secrets of a sandboxed stack: made at its first start, kept beside its data, never committed. */
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const secretsSchema = z.strictObject({
  linkSecret: z.string(),
  contextSecret: z.string(),
  /** Its engine holds processes that began before anything was sealed. */
  plainHistories: z.boolean(),
  stripeSecretKey: z.string(),
  stripeWebhookSecret: z.string(),
  stripeThinWebhookSecret: z.string(),
  docusignIntegrationKey: z.string(),
  docusignUserId: z.string(),
  docusignAccountId: z.string(),
  docusignHmacKey: z.string(),
  docusignPublicKey: z.string(),
})

export type StackSecrets = z.infer<typeof secretsSchema> & {
  docusignPrivateKeyFile: string
  /** The keys that encrypt keys. */
  keksFile: string
  auditKeyFile: string
  auditHeadsFile: string
  /** Invented parties that screening finds. */
  screeningListFile: string
}

const token = (bytes = 24) => randomBytes(bytes).toString('hex')

function writePrivate(file: string, content: string): void {
  writeFileSync(file, content, { mode: 0o600 })
  chmodSync(file, 0o600)
}

/** Where a stack keeps the keys that encrypt keys. */
export const keksFileOf = (directory: string) => join(directory, 'keks.json')

/** Where a stack keeps the key that signs its audit trail, and the list of what was signed. */
export const auditFilesOf = (directory: string) => ({
  auditKeyFile: join(directory, 'audit-key.pem'),
  auditHeadsFile: join(directory, 'audit-heads.jsonl'),
})

/** The secrets in this directory; made when there are none. */
export function stackSecrets(directory: string): StackSecrets {
  const file = join(directory, 'secrets.json')
  const files = {
    docusignPrivateKeyFile: join(directory, 'docusign-key.pem'),
    keksFile: keksFileOf(directory),
    ...auditFilesOf(directory),
    screeningListFile: join(directory, 'screening-list.csv'),
  }
  mkdirSync(directory, { recursive: true })
  const isOlder = !existsSync(files.keksFile)
  if (isOlder) writePrivate(files.keksFile, newKeks())
  if (!existsSync(files.auditKeyFile)) writePrivate(files.auditKeyFile, newAuditKey())
  if (!existsSync(files.screeningListFile)) writeFileSync(files.screeningListFile, exampleList)
  if (existsSync(file) && existsSync(files.docusignPrivateKeyFile)) {
    return { ...knownSecrets(file, isOlder), ...files }
  }
  const { secrets, privateKey } = newSecrets()
  writePrivate(files.docusignPrivateKeyFile, privateKey)
  writePrivate(file, JSON.stringify(secrets, null, 2))
  return { ...secrets, ...files }
}

/** Nobody who is on it exists. Replace the file of a stack to try another list. */
const exampleList = `id,name,kind,aliases,country,list
EX-1,Blackwater Sturgeon Trading FZE,company,Black Water Sturgeon;BST Trading,,example
EX-2,Obsidian Lantern Shipping Ltd,company,Obsidian Lantern Maritime,,example
EX-3,Zoltarion Quexley,person,Z. Quexley-Varn,,example
`

/** A file of one key, in the form that KEKS_FILE wants. */
function newKeks(): string {
  const id = 'first'
  return JSON.stringify({ current: id, keys: { [id]: randomBytes(32).toString('base64') } })
}

function newAuditKey(): string {
  const { privateKey } = generateKeyPairSync('ed25519')
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** A stack that was made by an earlier version gets what it lacks. */
function knownSecrets(file: string, isOlder: boolean): z.infer<typeof secretsSchema> {
  const stored = JSON.parse(readFileSync(file, 'utf8'))
  const secrets = secretsSchema.parse({
    contextSecret: token(32),
    plainHistories: isOlder,
    ...stored,
  })
  if (Object.keys(stored).length < Object.keys(secrets).length) {
    writePrivate(file, JSON.stringify(secrets, null, 2))
  }
  return secrets
}

function newSecrets(): { secrets: z.infer<typeof secretsSchema>; privateKey: string } {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  })
  const secrets: z.infer<typeof secretsSchema> = {
    linkSecret: token(32),
    contextSecret: token(32),
    plainHistories: false,
    stripeSecretKey: `sk_test_${token()}`,
    stripeWebhookSecret: `whsec_${token()}`,
    stripeThinWebhookSecret: `whsec_${token()}`,
    docusignIntegrationKey: randomUUID(),
    docusignUserId: randomUUID(),
    docusignAccountId: randomUUID(),
    docusignHmacKey: token(),
    docusignPublicKey: publicKey,
  }
  return { secrets, privateKey }
}
