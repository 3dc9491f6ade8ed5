/**
 * Everything the product and its tools take from the environment. This is the only file that
 * reads `process.env`; all other code receives values as parameters.
 */
import { delimiter } from 'node:path'
import { z } from 'zod'
import { keyEncryptionOf, keySettings } from './config/key-encryption.ts'
import { environment, oidcSettings } from './config/settings.ts'
import { listed } from './config/values.ts'

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
  if (env.SCREENING_LIST_FILE && env.SCREENING_URL) {
    found.push('SCREENING_URL: is set beside SCREENING_LIST_FILE; set one of them')
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
      applicationsPerMailbox: {
        open: env.APPLICATIONS_OPEN_PER_MAILBOX,
        daily: env.APPLICATIONS_DAILY_PER_MAILBOX,
      },
      quotas: {
        key: { quota: env.KEY_PER_MINUTE, windowSeconds: 60 },
        tenant: { quota: env.TENANT_PER_MINUTE, windowSeconds: 60 },
      },
    },
    domains: {
      dnsServers: env.DNS_SERVERS ?? [],
      edgeAddress: env.EDGE_ADDRESS ?? `custom.${env.TENANT_DOMAIN}:443`,
      edgeCa: env.EDGE_CA_FILE,
      target: `custom.${env.TENANT_DOMAIN}`,
    },
    stripe: {
      secretKey: env.STRIPE_SECRET_KEY,
      apiBase: env.STRIPE_API_BASE,
      perSecond: env.STRIPE_PER_SECOND,
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
    screening: { listFile: env.SCREENING_LIST_FILE, url: env.SCREENING_URL },
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
