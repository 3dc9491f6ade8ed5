/** Makes what activities need from the settings of this process. */
import type { Client } from '@temporalio/client'
import { workContext } from '../activities/context.ts'
import type { ActivityDeps } from '../activities/deps.ts'
import type { Config } from '../config.ts'
import { processRoles } from '../db/roles.ts'
import { openTenancy } from '../db/tenancy.ts'
import { auditPublisher, auditSigner } from '../integrations/audit-heads.ts'
import { createDocusign } from '../integrations/docusign.ts'
import { createDomainProbe } from '../integrations/domains.ts'
import { createMailer } from '../integrations/email.ts'
import type { Vault } from '../integrations/envelope.ts'
import { createLinks } from '../integrations/links.ts'
import { createScreening } from '../integrations/screening/screening.ts'
import { stripeBalance } from '../integrations/stripe-balance.ts'
import { stripeBank } from '../integrations/stripe-bank.ts'
import { stripeBilling } from '../integrations/stripe-billing.ts'
import { createStripe } from '../integrations/stripe-client.ts'
import { stripeConnect } from '../integrations/stripe-connect.ts'
import { stripeEvents } from '../integrations/stripe-events.ts'
import { stripeIdentity } from '../integrations/stripe-identity.ts'
import { processStarter } from '../integrations/temporal.ts'

interface WorkerParts {
  client: Client
  /** Seals and opens personal fields. */
  vault: Vault
  onDatabaseError: (error: Error) => void
}

export function activityDependencies(
  config: Config,
  { client, vault, onDatabaseError }: WorkerParts,
): { deps: ActivityDeps; close: () => Promise<void> } {
  const stripe = createStripe(config.stripe)
  const tenancy = openTenancy({
    ...config.database,
    applicationName: 'tributary-worker',
    role: processRoles.worker,
    vault,
    onError: onDatabaseError,
  })
  const mailer = createMailer(config.mail)
  const deps: ActivityDeps = {
    db: tenancy.dbFor(workContext),
    billing: stripeBilling(stripe),
    connect: stripeConnect(stripe),
    identity: stripeIdentity(stripe),
    events: stripeEvents(stripe),
    balance: stripeBalance(stripe),
    bank: stripeBank(stripe),
    stripePerSecond: config.stripe.perSecond,
    docusign: createDocusign(config.docusign),
    screening: createScreening(config.screening),
    mailer,
    links: createLinks(config.api),
    domains: createDomainProbe(config.domains),
    processes: processStarter(client),
    audit: {
      signer: auditSigner(config.audit.signingKey),
      publisher: auditPublisher(config.audit.headsFile),
    },
  }
  const close = async () => {
    mailer.close()
    await tenancy.close()
  }
  return { deps, close }
}
