/** What activities are made with; nothing here is global, so that tests pass their own. */
import type { Db } from '../db/database.ts'
import type { AuditSigner } from '../domain/audit.ts'
import type { SignalName, WorkflowType } from '../domain/process-names.ts'
import type { AuditPublisher } from '../integrations/audit-heads.ts'
import type { Docusign } from '../integrations/docusign.ts'
import type { DomainProbe } from '../integrations/domains.ts'
import type { Mailer } from '../integrations/email.ts'
import type { Links } from '../integrations/links.ts'
import type { Screening } from '../integrations/screening/provider.ts'
import type { StripeBalance } from '../integrations/stripe-balance.ts'
import type { StripeBank } from '../integrations/stripe-bank.ts'
import type { StripeBilling } from '../integrations/stripe-billing.ts'
import type { StripeConnect } from '../integrations/stripe-connect.ts'
import type { StripeEvents } from '../integrations/stripe-events.ts'
import type { StripeIdentity } from '../integrations/stripe-identity.ts'

/** Starts and wakes processes by name; activities never import workflow code. */
export interface ProcessStarter {
  /** Starts a process unless one of this id is running. */
  ensureRunning(process: { type: WorkflowType; workflowId: string; input: object }): Promise<void>
  /** Wakes a process and starts it where it is not running. */
  wake(process: {
    type: WorkflowType
    workflowId: string
    input: object
    signal: SignalName
  }): Promise<void>
  /** Tells a process something; one that has ended, or never was, hears nothing. */
  tell(message: { workflowId: string; signal: SignalName }): Promise<void>
}

export interface ActivityDeps {
  db: Db
  billing: StripeBilling
  connect: StripeConnect
  identity: StripeIdentity
  events: StripeEvents
  balance: StripeBalance
  bank: StripeBank
  /** So many calls a second that move money, over all workers. */
  stripePerSecond: number
  docusign: Docusign
  screening: Screening
  mailer: Mailer
  links: Links
  /** What DNS and edge say of domains. */
  domains: DomainProbe
  processes: ProcessStarter
  /** Signs the audit trail, and publishes outside of the database what was signed. */
  audit: { signer: AuditSigner; publisher: AuditPublisher }
}
