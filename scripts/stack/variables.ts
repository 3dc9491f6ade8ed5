/** The settings of the processes of a sandboxed stack, and those of the sandbox itself. */
import { processLogin, urlFor } from '../../db/context-keys.ts'
import { webhookEventTypes } from '../../integrations/stripe-events.ts'
import type { StackSecrets } from './secrets.ts'

export interface StackPlaces {
  /** As its owner; the product gets a login of its own. */
  databaseUrl: string
  temporal: { address: string; namespace: string }
  apiPort: number
  sandboxUrl: string
  sandboxTlsPort: number
  smtpPort: number
  /** The certificate of the sandbox's token service, which Node has to trust. */
  certificate: string
  bundleDir: string
}

/** Environment variables of the API and of the worker. */
export function productVariables(
  places: StackPlaces,
  secrets: StackSecrets,
): Record<string, string> {
  return {
    SANDBOX: '1',
    LOG_LEVEL: 'info',
    WORKFLOW_BUNDLE_DIR: places.bundleDir,
    DATABASE_URL: urlFor(places.databaseUrl, processLogin(secrets.contextSecret)),
    CONTEXT_SECRET: secrets.contextSecret,
    TEMPORAL_ADDRESS: places.temporal.address,
    TEMPORAL_NAMESPACE: places.temporal.namespace,
    API_PORT: String(places.apiPort),
    API_PUBLIC_URL: `http://127.0.0.1:${places.apiPort}`,
    TENANT_DOMAIN: 'tributary.localhost',
    // The sandbox's name server has the number of its HTTP port, and its edge is its TLS port.
    DNS_SERVERS: `127.0.0.1:${new URL(places.sandboxUrl).port}`,
    EDGE_ADDRESS: `127.0.0.1:${places.sandboxTlsPort}`,
    EDGE_CA_FILE: places.certificate,
    KEKS_FILE: secrets.keksFile,
    TEMPORAL_ACCEPT_PLAINTEXT: secrets.plainHistories ? '1' : '0',
    AUDIT_SIGNING_KEY_FILE: secrets.auditKeyFile,
    AUDIT_HEADS_FILE: secrets.auditHeadsFile,
    LINK_SECRET: secrets.linkSecret,
    APPLICATIONS_PER_MINUTE: '600',
    APPLICATIONS_OPEN_PER_MAILBOX: '6000',
    APPLICATIONS_DAILY_PER_MAILBOX: '60000',
    // A demonstration is played faster than anybody sells.
    KEY_PER_MINUTE: '60000',
    TENANT_PER_MINUTE: '600000',
    STRIPE_SECRET_KEY: secrets.stripeSecretKey,
    STRIPE_API_BASE: places.sandboxUrl,
    // The sandbox has no limit of its own.
    STRIPE_PER_SECOND: '1000',
    STRIPE_WEBHOOK_SECRETS: secrets.stripeWebhookSecret,
    STRIPE_THIN_WEBHOOK_SECRETS: secrets.stripeThinWebhookSecret,
    DOCUSIGN_BASE_PATH: `${places.sandboxUrl}/restapi`,
    DOCUSIGN_OAUTH_HOST: `localhost:${places.sandboxTlsPort}`,
    DOCUSIGN_INTEGRATION_KEY: secrets.docusignIntegrationKey,
    DOCUSIGN_USER_ID: secrets.docusignUserId,
    DOCUSIGN_ACCOUNT_ID: secrets.docusignAccountId,
    DOCUSIGN_PRIVATE_KEY_FILE: secrets.docusignPrivateKeyFile,
    DOCUSIGN_WEBHOOK_SECRETS: secrets.docusignHmacKey,
    SCREENING_LIST_FILE: secrets.screeningListFile,
    SMTP_URL: `smtp://127.0.0.1:${places.smtpPort}`,
    MAIL_FROM: 'Tributary <billing@tributary.localhost>',
    NODE_EXTRA_CA_CERTS: places.certificate,
  }
}

/** The settings file of the sandbox: what the vendors would know of us. */
export function sandboxSettings(apiPort: number, secrets: StackSecrets): object {
  const api = `http://127.0.0.1:${apiPort}/v1/webhooks`
  return {
    stripe: {
      secret_key: secrets.stripeSecretKey,
      endpoints: [
        {
          url: `${api}/stripe`,
          secret: secrets.stripeWebhookSecret,
          payload: 'snapshot',
          enabled_events: webhookEventTypes.snapshot,
        },
        {
          url: `${api}/stripe-thin`,
          secret: secrets.stripeThinWebhookSecret,
          payload: 'thin',
          enabled_events: webhookEventTypes.thin,
        },
      ],
    },
    docusign: {
      integration_key: secrets.docusignIntegrationKey,
      user_id: secrets.docusignUserId,
      account_id: secrets.docusignAccountId,
      public_key_pem: secrets.docusignPublicKey,
      hmac_keys: [secrets.docusignHmacKey],
    },
  }
}
