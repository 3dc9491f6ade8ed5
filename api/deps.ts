/** What routes are made with. */
import type { Client } from '@temporalio/client'
import type Stripe from 'stripe'
import type { Quota } from '../db/limits.ts'
import type { Tenancy } from '../db/tenancy.ts'
import type { Links } from '../integrations/links.ts'
import type { Oidc } from '../integrations/oidc.ts'
import type { Processes } from '../integrations/temporal.ts'
import type { EventStreams } from './event-streams.ts'

export interface ApiLog {
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}

export interface ApiDeps {
  /** Handlers get a database that is bound to their caller (`call.db`). */
  tenancy: Tenancy
  temporal: Client
  processes: Processes
  links: Links
  /** Where the installation has an identity provider. */
  oidc?: Oidc
  /** Only its signature checks are used here; objects at Stripe are made by activities. */
  stripe: Stripe
  log: ApiLog
  streams: EventStreams
  settings: {
    publicUrl: string
    /** Which part of a key tells test from live. */
    keyMode: 'test' | 'live'
    linkSecret: string
    applicationsPerMinute: number
    /** How many applications a mailbox may have on their way, and send in a day. */
    applicationsPerMailbox: { open: number; daily: number }
    /** How often one key, and one organisation, may ask. */
    quotas: { key: Quota; tenant: Quota }
    stripeWebhookSecrets: string[]
    stripeThinWebhookSecrets: string[]
    docusignWebhookSecrets: string[]
    /** Tests check every answer against its schema; production does not pay for it. */
    checkAnswers: boolean
  }
}
