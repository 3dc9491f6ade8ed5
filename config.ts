/**
 * Everything the product and its tools take from the environment. This is the only file that
 * reads `process.env`; all other code receives values as parameters.
 */
import { readFileSync } from 'node:fs'
import { delimiter } from 'node:path'
import { z } from 'zod'

const flag = z
  .enum(['0', '1', 'true', 'false'])
  .default('0')
  .transform((value) => value === '1' || value === 'true')

const listed = (value: string) => value.split(',').map((secret) => secret.trim())

/** Several secrets separated by commas are all accepted, so that one can be rotated. */
const secretList = z
  .string()
  .transform(listed)
  .pipe(z.array(z.string().min(8, 'each secret needs at least 8 characters')).min(1))

/** The value is not repeated: where somebody gave the key instead of its file, it is a secret. */
const readableFile = z.string().transform((path, context) => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    context.addIssue({ code: 'custom', message: 'is not the path of a file that can be read' })
    return z.NEVER
  }
})

/** `localhost:4400` alone is a URL too, of the scheme `localhost`. */
const webAddress = z.url({ protocol: /^https?$/, error: 'expected http://… or https://…' })

const databaseSettings = {
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/, error: 'expected postgres://…' }),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(2).max(200).default(10),
}

const temporalSettings = {
  TEMPORAL_ADDRESS: z.string().regex(/^[^\s:]+:\d+$/, 'expected host:port'),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  TEMPORAL_API_KEY: z.string().min(1).optional(),
  TEMPORAL_TLS: flag,
}

const apiSettings = {
  API_HOST: z.string().min(1).default('127.0.0.1'),
  API_PORT: z.coerce.number().int().min(0).max(65535).default(4400),
  API_PUBLIC_URL: webAddress,
  TENANT_DOMAIN: z.string().min(3),
  LINK_SECRET: z.string().min(32, 'needs at least 32 characters'),
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

const environment = z.object({
  SANDBOX: flag,
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  WORKFLOW_BUNDLE_DIR: z.string().min(1).default('.data/bundles'),
  ...databaseSettings,
  ...temporalSettings,
  ...apiSettings,
  ...stripeSettings,
  ...docusignSettings,
  ...mailSettings,
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
  if (snapshotSecrets.some((secret) => thinSecrets.includes(secret))) {
    found.push('STRIPE_THIN_WEBHOOK_SECRETS: repeats a secret of STRIPE_WEBHOOK_SECRETS')
  }
  return found
}

export type Config = ReturnType<typeof structured>

function structured(env: z.output<typeof environment>) {
  return Object.freeze({
    sandbox: env.SANDBOX,
    logLevel: env.LOG_LEVEL,
    bundleDir: env.WORKFLOW_BUNDLE_DIR,
    database: { url: env.DATABASE_URL, poolSize: env.DATABASE_POOL_SIZE },
    temporal: {
      address: env.TEMPORAL_ADDRESS,
      namespace: env.TEMPORAL_NAMESPACE,
      apiKey: env.TEMPORAL_API_KEY,
      tls: env.TEMPORAL_TLS,
    },
    api: {
      host: env.API_HOST,
      port: env.API_PORT,
      publicUrl: env.API_PUBLIC_URL.replace(/\/$/, ''),
      tenantDomain: env.TENANT_DOMAIN,
      linkSecret: env.LINK_SECRET,
      applicationsPerMinute: env.APPLICATIONS_PER_MINUTE,
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
