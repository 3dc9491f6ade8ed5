/**
 * Everything the product and its tools take from the environment. This is the only file that
 * reads `process.env`; all other code receives values as parameters.
 */
import { createPrivateKey, createSecretKey, type KeyObject } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { delimiter } from 'node:path'
import { z } from 'zod'

const flag = z
  .enum(['0', '1', 'true', 'false'])
  .default('0')
  .transform((value) => value === '1' || value === 'true')

const listed = (value: string) => value.split(',').map((secret) => secret.trim())

/** What stands in examples; whoever copies one has no secret. */
const isExample = (value: string) =>
  /change-?_?me|placeholder|example|default|your[-_]|<.*>/i.test(value) || new Set(value).size < 4

const secret = (least: number) =>
  z
    .string()
    .min(least, `needs at least ${least} characters`)
    .refine((value) => !isExample(value), 'is an example: make one of your own')

/** Several secrets separated by commas are all accepted, so that one can be rotated. */
const secretList = z
  .string()
  .transform(listed)
  .pipe(z.array(z.string().min(8, 'each secret needs at least 8 characters')).min(1))
  .refine((secrets) => !secrets.some((one) => one !== '' && isExample(one)), {
    error: 'has an example in it: make one of your own',
  })

/** The value is not repeated: where somebody gave the key instead of its file, it is a secret. */
const readableFile = z.string().transform((path, context) => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    context.addIssue({ code: 'custom', message: 'is not the path of a file that can be read' })
    return z.NEVER
  }
})

/** A key that encrypts keys. As a key object it is never printed. */
interface Kek {
  id: string
  key: KeyObject
}

const kekBytes = 32
const isText = (bytes: Buffer) => bytes.every((byte) => byte >= 0x20 && byte < 0x7f)

/** @throws Error that says which one is wrong by its number: what was given may be a secret. */
function kekOf([id, text]: [string, string], index: number): Kek {
  const bytes = Buffer.from(text, 'base64')
  const name = `key ${index + 1}`
  if (!/^[\w.-]{1,64}$/.test(id)) throw new Error(`${name} has no id of letters and digits`)
  if (bytes.length !== kekBytes || bytes.toString('base64') !== text) {
    throw new Error(`${name} is not ${kekBytes} bytes in base64`)
  }
  // 32 random bytes are never this regular.
  if (new Set(bytes).size < 8 || isText(bytes)) throw new Error(`${name} is not random`)
  return { id, key: createSecretKey(bytes) }
}

function kekList(entries: [string, string][]): Kek[] {
  if (entries.length === 0) throw new Error('has no key')
  if (new Set(entries.map(([id]) => id)).size < entries.length) {
    throw new Error('has two keys of one id')
  }
  return entries.map(kekOf)
}

/** `id:base64,id:base64`; the first one is the current one. */
function keksOf(text: string): Kek[] {
  return kekList(
    listed(text).map((entry): [string, string] => {
      const [id = '', ...key] = entry.split(':')
      return [id, key.join(':')]
    }),
  )
}

const kekFile = z.strictObject({ current: z.string(), keys: z.record(z.string(), z.string()) })

function readKekFile(path: string): Kek[] {
  let text: string
  let mode: number
  try {
    text = readFileSync(path, 'utf8')
    mode = statSync(path).mode
  } catch {
    throw new Error('is not the path of a file that can be read')
  }
  // The group may read: that is how secrets are mounted into containers.
  if (process.getuid && (mode & 0o027) !== 0) {
    throw new Error('is a file that others can read or change: chmod 600')
  }
  let content: z.infer<typeof kekFile>
  try {
    content = kekFile.parse(JSON.parse(text))
  } catch {
    throw new Error('is not {"current": ID, "keys": {ID: BASE64}}')
  }
  const { current, keys } = content
  if (!(current in keys)) throw new Error('names a current key that it does not have')
  const entries = Object.entries(keys)
  return kekList([
    ...entries.filter(([id]) => id === current),
    ...entries.filter(([id]) => id !== current),
  ])
}

const checkedBy = (read: (text: string) => Kek[]) =>
  z
    .string()
    .superRefine((text, context) => {
      try {
        read(text)
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message })
      }
    })
    .optional()

const keySettings = {
  KEKS: checkedBy(keksOf),
  KEKS_FILE: checkedBy(readKekFile),
}

/** `localhost:4400` alone is a URL too, of the scheme `localhost`. */
const webAddress = z.url({ protocol: /^https?$/, error: 'expected http://… or https://…' })

const databaseSettings = {
  CONTEXT_SECRET: secret(32),
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'expected postgres://…' }),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(2).max(200).default(10),
}

const temporalSettings = {
  TEMPORAL_ADDRESS: z.string().regex(/^[^\s:]+:\d+$/, 'expected host:port'),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  TEMPORAL_API_KEY: z.string().min(1).optional(),
  TEMPORAL_TLS: flag,
  TEMPORAL_ACCEPT_PLAINTEXT: flag,
}

const apiSettings = {
  API_HOST: z.string().min(1).default('127.0.0.1'),
  API_PORT: z.coerce.number().int().min(0).max(65535).default(4400),
  API_PUBLIC_URL: webAddress,
  TENANT_DOMAIN: z.string().min(3),
  LINK_SECRET: secret(32),
  KEY_PER_MINUTE: z.coerce.number().int().min(1).default(600),
  TENANT_PER_MINUTE: z.coerce.number().int().min(1).default(6_000),
  APPLICATIONS_PER_MINUTE: z.coerce.number().int().min(1).default(3),
}

const stripeSettings = {
  STRIPE_SECRET_KEY: z
    .string()
    .regex(/^(sk|rk)_(test|live)_\w+$/, 'expected sk_test_… or sk_live_…'),
  STRIPE_API_BASE: webAddress.default('https://api.stripe.com'),
  STRIPE_WEBHOOK_SECRETS: secretList,
  STRIPE_THIN_WEBHOOK_SECRETS: secretList,
}

const docusignSettings = {
  DOCUSIGN_BASE_PATH: webAddress,
  DOCUSIGN_OAUTH_HOST: z.string().min(3),
  DOCUSIGN_INTEGRATION_KEY: z.uuid(),
  DOCUSIGN_USER_ID: z.uuid(),
  DOCUSIGN_ACCOUNT_ID: z.uuid(),
  DOCUSIGN_PRIVATE_KEY_FILE: readableFile,
  DOCUSIGN_WEBHOOK_SECRETS: secretList,
}

const mailSettings = {
  SMTP_URL: z.url({ protocol: /^smtps?$/, error: 'expected smtp://… or smtps://…' }),
  MAIL_FROM: z.string().min(3),
}

function isEd25519(pem: string): boolean {
  try {
    return createPrivateKey(pem).asymmetricKeyType === 'ed25519'
  } catch {
    return false
  }
}

const auditSettings = {
  AUDIT_SIGNING_KEY_FILE: readableFile.refine(isEd25519, 'is no private key of Ed25519 as PEM'),
  AUDIT_HEADS_FILE: z.string().min(1).default('.data/audit-heads.jsonl'),
}

/** Where people may sign in with an identity provider; all of it or nothing. */
const oidcSettings = {
  OIDC_ISSUER: webAddress.optional(),
  OIDC_CLIENT_ID: z.string().min(1).optional(),
  OIDC_CLIENT_SECRET: secret(8).optional(),
}

const environment = z.object({
  SANDBOX: flag,
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  WORKFLOW_BUNDLE_DIR: z.string().min(1).default('.data/bundles'),
  ...databaseSettings,
  ...keySettings,
  ...auditSettings,
  ...temporalSettings,
  ...apiSettings,
  ...stripeSettings,
  ...docusignSettings,
  ...mailSettings,
  ...oidcSettings,
})

type Environment = Readonly<Record<string, string | undefined>>

/** Settings that are well formed one by one and yet cannot hold together. */
function contradictions(env: Environment): string[] {
  const sandbox = env.SANDBOX === '1' || env.SANDBOX === 'true'
  const stripeBase = env.STRIPE_API_BASE ?? 'https://api.stripe.com'
  const realStripe = /^https:\/\/api\.stripe\.com\/?$/.test(stripeBase)
  const liveKey = env.STRIPE_SECRET_KEY?.includes('_live_') ?? false
  const snapshotSecrets = listed(env.STRIPE_WEBHOOK_SECRETS ?? '').filter(Boolean)
  const thinSecrets = listed(env.STRIPE_THIN_WEBHOOK_SECRETS ?? '')
  const found: string[] = []
  if (!sandbox && !realStripe) {
    found.push('STRIPE_API_BASE: points away from Stripe; only SANDBOX=1 may do that')
  }
  if (sandbox && realStripe) {
    found.push('STRIPE_API_BASE: is the real Stripe; SANDBOX=1 needs the address of the sandbox')
  }
  if (sandbox && liveKey) {
    found.push('STRIPE_SECRET_KEY: is a live key; SANDBOX=1 takes test keys only')
  }
  if (!sandbox && env.API_PUBLIC_URL && !env.API_PUBLIC_URL.startsWith('https://')) {
    found.push('API_PUBLIC_URL: must be https:// outside the sandbox')
  }
  if (!env.KEKS && !env.KEKS_FILE) found.push('KEKS: is not set')
  if (env.KEKS && env.KEKS_FILE) found.push('KEKS_FILE: is set beside KEKS; set one of them')
  if (snapshotSecrets.some((secret) => thinSecrets.includes(secret))) {
    found.push('STRIPE_THIN_WEBHOOK_SECRETS: repeats a secret of STRIPE_WEBHOOK_SECRETS')
  }
  return [...found, ...oidcContradictions(env, sandbox)]
}

function oidcContradictions(env: Environment, sandbox: boolean): string[] {
  const missing = Object.keys(oidcSettings).filter((name) => !env[name])
  if (missing.length === 3) return []
  const found = missing.map((name) => `${name}: is not set; an identity provider needs all three`)
  if (!sandbox && env.OIDC_ISSUER && !env.OIDC_ISSUER.startsWith('https://')) {
    found.push('OIDC_ISSUER: must be https:// outside the sandbox')
  }
  return found
}

interface KeySettings {
  KEKS?: string | undefined
  KEKS_FILE?: string | undefined
}

/** The keys as they were checked; those of a file can be read again while the process runs. */
function keyEncryptionOf({ KEKS: inline, KEKS_FILE: file }: KeySettings) {
  if (file === undefined) return { keks: keksOf(inline ?? ''), reread: null }
  return { keks: readKekFile(file), reread: () => readKekFile(file) }
}

export type Config = ReturnType<typeof structured>

function structured(env: z.output<typeof environment>) {
  const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId = '', OIDC_CLIENT_SECRET = '' } = env
  return Object.freeze({
    sandbox: env.SANDBOX,
    logLevel: env.LOG_LEVEL,
    bundleDir: env.WORKFLOW_BUNDLE_DIR,
    database: {
      url: env.DATABASE_URL,
      poolSize: env.DATABASE_POOL_SIZE,
      contextSecret: env.CONTEXT_SECRET,
    },
    temporal: {
      address: env.TEMPORAL_ADDRESS,
      namespace: env.TEMPORAL_NAMESPACE,
      apiKey: env.TEMPORAL_API_KEY,
      tls: env.TEMPORAL_TLS,
      acceptPlaintext: env.TEMPORAL_ACCEPT_PLAINTEXT,
    },
    keyEncryption: keyEncryptionOf(env),
    audit: { signingKey: env.AUDIT_SIGNING_KEY_FILE, headsFile: env.AUDIT_HEADS_FILE },
    api: {
      host: env.API_HOST,
      port: env.API_PORT,
      publicUrl: env.API_PUBLIC_URL.replace(/\/$/, ''),
      tenantDomain: env.TENANT_DOMAIN,
      linkSecret: env.LINK_SECRET,
      applicationsPerMinute: env.APPLICATIONS_PER_MINUTE,
      quotas: {
        key: { quota: env.KEY_PER_MINUTE, windowSeconds: 60 },
        tenant: { quota: env.TENANT_PER_MINUTE, windowSeconds: 60 },
      },
    },
    stripe: {
      secretKey: env.STRIPE_SECRET_KEY,
      apiBase: env.STRIPE_API_BASE,
      webhookSecrets: env.STRIPE_WEBHOOK_SECRETS,
      thinWebhookSecrets: env.STRIPE_THIN_WEBHOOK_SECRETS,
    },
    docusign: {
      basePath: env.DOCUSIGN_BASE_PATH,
      oauthHost: env.DOCUSIGN_OAUTH_HOST,
      integrationKey: env.DOCUSIGN_INTEGRATION_KEY,
      userId: env.DOCUSIGN_USER_ID,
      accountId: env.DOCUSIGN_ACCOUNT_ID,
      privateKey: env.DOCUSIGN_PRIVATE_KEY_FILE,
      webhookSecrets: env.DOCUSIGN_WEBHOOK_SECRETS,
    },
    mail: { smtpUrl: env.SMTP_URL, from: env.MAIL_FROM },
    oidc: issuer ? { issuer, clientId, clientSecret: OIDC_CLIENT_SECRET } : undefined,
  })
}

/** Every problem of the environment at once; the process prints it and exits with code 2. */
export class ConfigError extends Error {
  readonly problems: string[]

  constructor(problems: string[]) {
    super(`${problems.length} problem(s) in the environment:\n  - ${problems.join('\n  - ')}`)
    this.name = 'ConfigError'
    this.problems = problems
  }
}

function withoutBlanks(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''))
}

/**
 * Reads and checks all settings.
 * @throws ConfigError that lists every missing, malformed or contradictory setting.
 */
export function readConfig(env: Environment = process.env): Config {
  const given = withoutBlanks(env)
  const parsed = environment.safeParse(given)
  const malformed = (parsed.error?.issues ?? []).map((issue) => {
    const name = String(issue.path[0])
    return `${name}: ${given[name] === undefined ? 'is not set' : issue.message}`
  })
  const problems = [...malformed, ...contradictions(given)]
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems)
  return structured(parsed.data)
}

/**
 * The keys that encrypt keys alone, for a command that needs nothing else.
 * @throws ConfigError
 */
export function readKeyEncryption(env: Environment): Config['keyEncryption'] {
  const given = withoutBlanks(env)
  const parsed = z.object(keySettings).safeParse(given)
  const problems = (parsed.error?.issues ?? []).map(
    (issue) => `${String(issue.path[0])}: ${issue.message}`,
  )
  if (!given.KEKS && !given.KEKS_FILE) problems.push('KEKS: is not set')
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems)
  return keyEncryptionOf(parsed.data)
}

/** Where installers put programs like Go, which a fresh account often lacks on its PATH. */
const usualPlaces = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/local/go/bin', '/opt/homebrew/bin']

function programPath(path: string): string {
  const places = [...path.split(delimiter), ...usualPlaces].filter((place) => place !== '')
  return [...new Set(places)].join(delimiter)
}

/** What the tools below `scripts/` take from the environment; all of it is optional. */
export function readToolEnvironment(env: Environment = process.env) {
  const set = withoutBlanks(env)
  return {
    home: set.HOME,
    xdgCacheHome: set.XDG_CACHE_HOME,
    cacheDir: set.TRIBUTARY_CACHE_DIR,
    databaseUrl: set.DATABASE_URL,
    contextSecret: set.CONTEXT_SECRET,
    temporalAddress: set.TEMPORAL_ADDRESS,
    temporalCli: set.TEMPORAL_CLI,
    temporalNamespace: set.TEMPORAL_NAMESPACE,
    temporalApiKey: set.TEMPORAL_API_KEY,
    temporalTls: set.TEMPORAL_TLS === '1' || set.TEMPORAL_TLS === 'true',
    path: programPath(set.PATH ?? ''),
    all: Object.fromEntries(
      Object.entries(env).filter(([, value]) => value !== undefined),
    ) as Record<string, string>,
  }
}
