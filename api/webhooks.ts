/** What vendors tell us: checked, kept, answered at once, and handled by the inbox process. */
import { z } from 'zod'
import { recordEvent } from '../db/inbox.ts'
import { signalNames, type Vendor, workflowIds, workflowTypes } from '../domain/process-names.ts'
import { readConnectEvent } from '../integrations/docusign-webhooks.ts'
import {
  readSnapshotEvent,
  readThinEvent,
  type VerifiedEvent,
} from '../integrations/stripe-webhooks.ts'
import type { ApiDeps } from './deps.ts'
import { startCommitted } from './processes.ts'
import { type Call, openRoute, type Route } from './route.ts'
import { rungTogether } from './rung-together.ts'

const receivedAnswer = z.object({ received: z.literal(true), duplicate: z.boolean() })

type WebhookCall = Pick<Call, 'rawBody' | 'header'>

export function webhookRoutes(deps: ApiDeps): Route[] {
  const { stripe, settings } = deps
  const wake = { stripe: inboxBell(deps, 'stripe'), docusign: inboxBell(deps, 'docusign') }
  const signed = ({ rawBody, header }: WebhookCall) => ({
    rawBody,
    signature: header('Stripe-Signature'),
  })
  return [
    webhookRoute({
      wake: wake.stripe,
      path: '/v1/webhooks/stripe',
      vendor: 'stripe',
      summary: 'Snapshot events of Stripe',
      read: (call) => readSnapshotEvent(stripe, signed(call), settings.stripeWebhookSecrets),
    }),
    webhookRoute({
      wake: wake.stripe,
      path: '/v1/webhooks/stripe-thin',
      vendor: 'stripe',
      summary: 'Thin events of Stripe (Accounts v2)',
      read: (call) => readThinEvent(stripe, signed(call), settings.stripeThinWebhookSecrets),
    }),
    webhookRoute({
      wake: wake.docusign,
      path: '/v1/webhooks/docusign',
      vendor: 'docusign',
      summary: 'Connect events of DocuSign',
      read: (call) => readConnectEvent(call, settings.docusignWebhookSecrets),
    }),
  ]
}

/** Events come in flocks: one wake is enough for all that were kept before it. */
const wakeRestMs = 100

const inboxBell = (deps: ApiDeps, vendor: Vendor) =>
  rungTogether(
    () =>
      startCommitted(deps, () =>
        deps.processes.wake({
          type: workflowTypes.webhookInbox,
          workflowId: workflowIds.inbox(vendor),
          input: { vendor },
          signal: signalNames.inboxWake,
        }),
      ),
    wakeRestMs,
  )

function webhookRoute(hook: {
  path: string
  vendor: Vendor
  summary: string
  read: (call: WebhookCall) => VerifiedEvent
  /** Has what is kept by now worked on. */
  wake: () => Promise<void>
}): Route {
  return openRoute({
    method: 'POST',
    path: hook.path,
    tag: 'Webhooks',
    summary: hook.summary,
    description: 'A repeated event is answered like the first and has no second effect.',
    access: 'public',
    rawBody: true,
    answers: { 200: { description: 'Kept', schema: receivedAnswer } },
    refusals: ['invalid_signature', 'malformed_request', 'payload_too_large'],
    handle: async (call) => {
      const { vendor } = hook
      const fresh = await recordEvent(call.as('intake'), { vendor, ...hook.read(call) })
      // A duplicate wakes too: the first delivery may have died before it could.
      await hook.wake()
      return { status: 200, body: { received: true, duplicate: !fresh } }
    },
  })
}
