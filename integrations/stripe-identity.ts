/**
 * Stripe Identity: whether a person is who it says. Of a session only its outcome is read; the
 * secret by which a browser joins it, and what was found about the person, never leave Stripe.
 */
import type Stripe from 'stripe'
import { codeOf, type IdentityStatus, identityStatusOf } from '../domain/verification.ts'
import type { Metadata } from './stripe-billing.ts'
import { callStripe } from './stripe-client.ts'

export interface IdentitySession {
  sessionId: string
  /** Null for a word that we do not know. */
  status: IdentityStatus | null
  /** Why the last try failed, as a code. */
  lastError: string | null
  reportId: string | null
  /** True from the moment at which the vendor was asked to forget what it found. */
  redacting: boolean
}

export type StripeIdentity = ReturnType<typeof stripeIdentity>

export function stripeIdentity(stripe: Stripe) {
  const sessions = stripe.identity.verificationSessions
  return {
    /** Opens a session for one person; the same key gives the same session. */
    async openSession(
      check: { reference: string; returnUrl: string; metadata: Metadata },
      idempotencyKey: string,
    ): Promise<IdentitySession> {
      const made = await callStripe(
        sessions.create(
          {
            type: 'document',
            client_reference_id: check.reference,
            options: { document: { require_matching_selfie: true } },
            return_url: check.returnUrl,
            metadata: check.metadata,
          },
          { idempotencyKey },
        ),
      )
      return sessionOf(made)
    },

    async readSession(sessionId: string): Promise<IdentitySession> {
      return sessionOf(await callStripe(sessions.retrieve(sessionId)))
    },

    /** The page on which the person goes on; null once there is nothing to do on it. */
    async pageOf(sessionId: string): Promise<string | null> {
      return (await callStripe(sessions.retrieve(sessionId))).url
    },

    /** Ends a session that still waits for the person; any other is left as it is. */
    async cancelSession(sessionId: string): Promise<void> {
      const session = await callStripe(sessions.retrieve(sessionId))
      if (session.status !== 'requires_input' || session.redaction) return
      await callStripe(sessions.cancel(sessionId, {}, { idempotencyKey: `cancel:${sessionId}` }))
    },

    /**
     * Asks Stripe to forget what a session found, for good; it takes up to four days. One that is
     * asked for already, or is done, is only read.
     */
    async redactSession(sessionId: string): Promise<IdentitySession> {
      const session = await callStripe(sessions.retrieve(sessionId))
      if (session.redaction) return sessionOf(session)
      return sessionOf(
        await callStripe(sessions.redact(sessionId, {}, { idempotencyKey: `redact:${sessionId}` })),
      )
    },
  }
}

function sessionOf(session: Stripe.Identity.VerificationSession): IdentitySession {
  const { last_verification_report: report, last_error: error } = session
  return {
    sessionId: session.id,
    status: identityStatusOf(session.status, session.redaction?.status ?? null),
    lastError: error?.code ? codeOf(error.code) : null,
    reportId: typeof report === 'string' ? report : (report?.id ?? null),
    redacting: session.redaction !== null,
  }
}
