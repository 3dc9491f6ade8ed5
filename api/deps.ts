/** What routes are made with. */
import type { Client } from '@temporalio/client'
import type Stripe from 'stripe'
import type { Db } from '../db/database.ts'
import type { Links } from '../integrations/links.ts'
import type { Processes } from '../integrations/temporal.ts'

export interface ApiLog {
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}

export interface ApiDeps {
  db: Db
  temporal: Client
  processes: Processes
  links: Links
  /** Only its signature checks are used here; objects at Stripe are made by activities. */
  stripe: Stripe
  log: ApiLog
  settings: {
    publicUrl: string
    /** Which part of a key tells test from live. */
    keyMode: 'test' | 'live'
    linkSecret: string
    applicationsPerMinute: number
    stripeWebhookSecrets: string[]
    stripeThinWebhookSecrets: string[]
    docusignWebhookSecrets: string[]
    /** Tests check every answer against its schema; production does not pay for it. */
    checkAnswers: boolean
  }
}
