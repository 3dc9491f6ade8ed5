/** Every setting of the product, in groups. */
import { createPrivateKey } from 'node:crypto'
import { z } from 'zod'
import { keySettings } from './key-encryption.ts'
import { flag, listed, readableFile, secret, secretList, webAddress } from './values.ts'

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
  DNS_SERVERS: z
    .string()
    .transform(listed)
    .pipe(
      z.array(z.string().regex(/^[\d.:[\]a-f]+$/, 'expected addresses, with a port if need be')),
    )
    .optional(),
  EDGE_ADDRESS: z
    .string()
    .regex(/^[^\s:]+:\d+$/, 'expected host:port')
    .optional(),
  EDGE_CA_FILE: readableFile.optional(),
  LINK_SECRET: secret(32),
  KEY_PER_MINUTE: z.coerce.number().int().min(1).default(600),
  TENANT_PER_MINUTE: z.coerce.number().int().min(1).default(6_000),
  APPLICATIONS_PER_MINUTE: z.coerce.number().int().min(1).default(3),
  APPLICATIONS_OPEN_PER_MAILBOX: z.coerce.number().int().min(1).default(3),
  APPLICATIONS_DAILY_PER_MAILBOX: z.coerce.number().int().min(1).default(5),
}

const stripeSettings = {
  STRIPE_SECRET_KEY: z
    .string()
    .regex(/^(sk|rk)_(test|live)_\w+$/, 'expected sk_test_… or sk_live_…'),
  STRIPE_API_BASE: webAddress.default('https://api.stripe.com'),
  STRIPE_PER_SECOND: z.coerce.number().int().min(1).max(1_000).default(20),
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

/** What names are looked up on; one of them, or none. */
const screeningSettings = {
  SCREENING_LIST_FILE: z.string().min(1).optional(),
  SCREENING_URL: webAddress.optional(),
}

/** Where people may sign in with an identity provider; all of it or nothing. */
export const oidcSettings = {
  OIDC_ISSUER: webAddress.optional(),
  OIDC_CLIENT_ID: z.string().min(1).optional(),
  OIDC_CLIENT_SECRET: secret(8).optional(),
}

export const environment = z.object({
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
  ...screeningSettings,
  ...oidcSettings,
})
