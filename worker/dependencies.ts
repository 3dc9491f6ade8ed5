/** Makes what activities need from the settings of this process. */
import type { Client } from '@temporalio/client'
import type { ActivityDeps } from '../activities/deps.ts'
import type { Config } from '../config.ts'
import { openDatabase } from '../db/database.ts'
import { appRole } from '../db/grants.ts'
import { createDocusign } from '../integrations/docusign.ts'
import { createMailer } from '../integrations/email.ts'
import { createLinks } from '../integrations/links.ts'
import { stripeBalance } from '../integrations/stripe-balance.ts'
import { stripeBilling } from '../integrations/stripe-billing.ts'
import { createStripe } from '../integrations/stripe-client.ts'
import { stripeConnect } from '../integrations/stripe-connect.ts'
import { stripeEvents } from '../integrations/stripe-events.ts'
import { processStarter } from '../integrations/temporal.ts'

export function activityDependencies(
  config: Config,
  client: Client,
  onDatabaseError: (error: Error) => void,
): { deps: ActivityDeps; close: () => Promise<void> } {
  const stripe = createStripe(config.stripe)
  const database = openDatabase({
    ...config.database,
    applicationName: 'tributary-worker',
    role: appRole,
    onError: onDatabaseError,
  })
  const mailer = createMailer(config.mail)
  const deps: ActivityDeps = {
    db: database.db,
    billing: stripeBilling(stripe),
    connect: stripeConnect(stripe),
    events: stripeEvents(stripe),
    balance: stripeBalance(stripe),
    docusign: createDocusign(config.docusign),
    mailer,
    links: createLinks(config.api),
    processes: processStarter(client),
  }
  const close = async () => {
    mailer.close()
    await database.close()
  }
  return { deps, close }
}
