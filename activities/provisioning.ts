/** Steps of provisioning, each with the step that undoes it. */
import { createHash } from 'node:crypto'
import {
  findInvitationOf,
  invitationDays,
  markInvitationRevoked,
  recordInvitation,
} from '../db/access.ts'
import { inTransaction, readTogether, type Trx } from '../db/database.ts'
import { recordUndosLeft } from '../db/manual-tasks.ts'
import { markApplication, recordTimeline } from '../db/onboarding/applications.ts'
import { getPartner, lockPartner, type PartnerRow } from '../db/partners.ts'
import { getProgramme, markFeePriced } from '../db/programmes.ts'
import { getTenant, markTenant, reserveSubdomain, type TenantRow } from '../db/provisioning.ts'
import { findBranding, recordBranding } from '../db/tenant-branding.ts'
import { recordOffers } from '../db/tenant-packages.ts'
import { findQuotas, recordQuotas } from '../db/tenant-quotas.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { daysLater } from '../domain/period.ts'
import {
  type ProvisioningStep,
  provisioningSteps,
  type TenantPart,
} from '../domain/provisioning.ts'
import { mails } from '../integrations/email-templates/index.ts'
import type { ActivityDeps } from './deps.ts'
import { notify } from './notices.ts'

interface TenantInput {
  tenantId: string
}

/** Which try of a step this is: the second asks the vendor first what became of the others. */
interface StepInput extends TenantInput {
  attempt: number
  tries: number
}

const metadataOf = ({ id, partnerId }: Pick<TenantRow, 'id' | 'partnerId'>) => ({
  kind: 'platform',
  tenant: outwardId('tenant', id),
  partner: outwardId('partner', partnerId),
})

/** A further attempt begins with nothing done. */
const anew = Object.fromEntries(provisioningSteps.map((step) => [step, 'pending' as const]))

/**
 * Whoever was terminated meanwhile gets no environment: what its departure has ended is not made
 * again. @throws DomainError `partner_not_active`
 */
function requireStanding({ status }: Pick<PartnerRow, 'status'>): void {
  if (status !== 'terminated') return
  throw new DomainError('partner_not_active', 'the partner was terminated meanwhile')
}

/** A vendor repeats its refusals for a key, so that a new try has another. */
const keyOf = (what: string, { tenantId, attempt, tries }: StepInput) =>
  `${what}:${tenantId}:${attempt}${tries > 1 ? `:${tries}` : ''}`

export function provisioningActivities(deps: ActivityDeps) {
  return {
    ...environmentActivities(deps),
    ...customerActivities(deps),
    ...platformSubscriptionActivities(deps),
    ...invitationActivities(deps),
    ...progressActivities(deps),
  }
}

function environmentActivities({ db }: ActivityDeps) {
  return {
    /** Everything that is in our own database: subdomain, branding, quotas, packages. */
    async prepareTenant({ tenantId }: StepInput): Promise<void> {
      await inTransaction(db, async (trx) => {
        const [programme, tenant] = await Promise.all([
          getProgramme(trx),
          getTenant(trx, tenantId),
          reserveSubdomain(trx, tenantId),
        ])
        requireStanding(await getPartner(trx, tenant.partnerId))
        if (tenant.status === 'failed') await markTenant(trx, tenantId, { steps: anew })
        await Promise.all([
          recordBranding(trx, tenant),
          recordQuotas(trx, tenant, programme),
          recordOffers(trx, tenant),
          markTenant(trx, tenantId, {
            status: 'provisioning',
            problem: null,
            steps: { environment: 'done' },
          }),
        ])
      })
    },

    /** The subdomain is free for others again; what was chosen for the tenant waits for it. */
    async clearTenant({ tenantId }: TenantInput): Promise<void> {
      await markTenant(db, tenantId, { subdomain: null, steps: { environment: 'undone' } })
    },
  }
}

function customerActivities({ db, billing }: ActivityDeps) {
  return {
    async createBillingCustomer(input: StepInput): Promise<void> {
      const { tenantId } = input
      const tenant = await getTenant(db, tenantId)
      let { vendorCustomerId } = tenant
      if (!vendorCustomerId) {
        const { name, contactEmail: email } = await getPartner(db, tenant.partnerId)
        const metadata = metadataOf(tenant)
        const known = input.tries > 1 ? await billing.findCustomer(email, metadata) : null
        vendorCustomerId =
          known ??
          (await billing.createCustomer({ name, email, metadata }, keyOf('tenant-customer', input)))
      }
      await markTenant(db, tenantId, { vendorCustomerId, steps: { customer: 'done' } })
    },

    /**
     * Deletes the customer at the vendor, also one whose making was never answered; one that has
     * invoices stays and serves the next attempt.
     */
    async removeBillingCustomer({ tenantId }: TenantInput): Promise<void> {
      const tenant = await getTenant(db, tenantId)
      const { contactEmail } = await getPartner(db, tenant.partnerId)
      const customerId =
        tenant.vendorCustomerId ?? (await billing.findCustomer(contactEmail, metadataOf(tenant)))
      const gone = customerId === null || (await billing.removeCustomer(customerId))
      await markTenant(db, tenantId, {
        vendorCustomerId: gone ? null : customerId,
        steps: { customer: 'undone' },
      })
    },
  }
}

export function platformSubscriptionActivities({
  db,
  billing,
}: Pick<ActivityDeps, 'db' | 'billing'>) {
  /** The price of the platform's monthly fee, made at the vendor when it is first needed. */
  async function feePriceId(): Promise<string> {
    const programme = await getProgramme(db)
    if (programme.vendorFeePriceId) return programme.vendorFeePriceId
    const price = await billing.createMonthlyPrice(
      {
        name: `${programme.name} platform fee`,
        amount: programme.platformFeeMinor,
        currency: programme.currency,
        metadata: { kind: 'platform' },
      },
      `platform-fee:${programme.id}`,
    )
    await markFeePriced(db, programme.id, price)
    return price.priceId
  }

  return {
    /** The partner's own monthly fee; what it pays earns nobody commission. */
    async openPlatformSubscription(input: StepInput): Promise<void> {
      const tenant = await getTenant(db, input.tenantId)
      let { vendorSubscriptionId } = tenant
      if (!vendorSubscriptionId) {
        const customerId = tenant.vendorCustomerId
        if (!customerId) {
          throw new DomainError('not_ready', 'the tenant has no customer at the vendor')
        }
        const metadata = metadataOf(tenant)
        const known =
          input.tries > 1 ? (await billing.findSubscriptions(customerId, metadata))[0] : undefined
        vendorSubscriptionId =
          known ??
          (
            await billing.openSubscription(
              { customerId, priceId: await feePriceId(), metadata },
              keyOf('tenant-subscription', input),
            )
          ).subscriptionId
      }
      await markTenant(db, tenant.id, { vendorSubscriptionId, steps: { subscription: 'done' } })
    },

    /** At once and without proration, also one whose opening was never answered. */
    async cancelPlatformSubscription({ tenantId }: TenantInput): Promise<void> {
      const tenant = await getTenant(db, tenantId)
      const customerId = tenant.vendorCustomerId
      const found = customerId
        ? await billing.findSubscriptions(customerId, metadataOf(tenant))
        : []
      const known = tenant.vendorSubscriptionId ? [tenant.vendorSubscriptionId] : []
      for (const id of new Set([...known, ...found])) await billing.cancelSubscription(id)
      await markTenant(db, tenantId, {
        vendorSubscriptionId: null,
        steps: { subscription: 'undone' },
      })
    },
  }
}

function invitationActivities(deps: ActivityDeps) {
  const { db, links } = deps
  return {
    /** Invites the first administrator; the token is in the mail and nowhere else. */
    async inviteAdministrator({ tenantId, attempt }: StepInput): Promise<void> {
      const tenant = await getTenant(db, tenantId)
      // One invitation for a partner, so that its id can be the partner's.
      const token = links.invitationToken(tenant.partnerId)
      const partner = await inTransaction(db, async (trx) => {
        const found = await lockPartner(trx, tenant.partnerId)
        requireStanding(found)
        await recordInvitation(trx, {
          id: found.id,
          partnerId: found.id,
          name: found.contactName,
          email: found.contactEmail,
          tokenHash: createHash('sha256').update(token).digest(),
          expiresAt: daysLater(new Date(), invitationDays),
        })
        return found
      })
      await notify(
        deps,
        {
          kind: 'invitation',
          subjectId: partner.id,
          recipient: partner.contactEmail,
          occurrence: String(attempt),
        },
        mails.invitation({
          contact: partner.contactName,
          company: partner.name,
          inviteUrl: links.inviteUrl(token),
          tenantUrl: links.tenantUrl(tenant.subdomain ?? ''),
        }),
      )
      await markTenant(db, tenantId, { steps: { invitation: 'done' } })
    },

    async revokeInvitation({ tenantId }: TenantInput): Promise<void> {
      const tenant = await getTenant(db, tenantId)
      await inTransaction(db, async (trx) => {
        await markInvitationRevoked(trx, tenant.partnerId)
        await markTenant(trx, tenantId, { steps: { invitation: 'undone' } })
      })
    },
  }
}

function progressActivities(deps: ActivityDeps) {
  const { db } = deps

  /** Who acts next, where the application reads it; of a tenant that has one. */
  async function tellApplication(
    trx: Trx,
    { partnerId }: TenantRow,
    next: { nextActor: 'super_admin' | 'system'; key: string; what: string; dueAt?: Date },
  ): Promise<void> {
    const { key, what, nextActor, dueAt = null } = next
    const stage = 'provisioning'
    // The application has the partner's id.
    await markApplication(trx, partnerId, { stage, nextActor, dueAt })
    const entry = { key, stage, actor: 'system', what, dueAt, internal: true } as const
    await recordTimeline(trx, partnerId, entry)
  }

  return {
    /**
     * Looks whether everything is in place, at Stripe too, and calls the tenant ready.
     * @returns the first part that is missing, or null.
     */
    async activateTenant({ tenantId }: TenantInput): Promise<TenantPart | null> {
      const tenant = await getTenant(db, tenantId)
      if (tenant.status === 'active') return null
      const missing = await missingPart(deps, tenant)
      if (missing) return missing
      await inTransaction(db, async (trx) => {
        requireStanding(await lockPartner(trx, tenant.partnerId))
        await markTenant(trx, tenantId, {
          status: 'active',
          problem: null,
          waitsUntil: null,
          steps: { check: 'done' },
        })
      })
      return null
    },

    /** A step failed for good: a person of the platform says what becomes of it. */
    async markTenantWaiting(
      input: TenantInput & { step: ProvisioningStep; problem: string; waitsUntil: string },
    ): Promise<void> {
      const { tenantId, step } = input
      const waitsUntil = new Date(input.waitsUntil)
      await inTransaction(db, async (trx) => {
        const problem = `${step}: ${input.problem}`
        await markTenant(trx, tenantId, { problem, waitsUntil, steps: { [step]: 'failed' } })
        await tellApplication(trx, await getTenant(trx, tenantId), {
          nextActor: 'super_admin',
          key: `provisioning_waits_${step}_${waitsUntil.getTime()}`,
          what: `the step ${step} failed; a person of the platform decides`,
          dueAt: waitsUntil,
        })
      })
    },

    /** A person wants the step tried again. */
    async markTenantResumed(input: TenantInput & { step: ProvisioningStep }): Promise<void> {
      const { tenantId, step } = input
      await inTransaction(db, async (trx) => {
        const tenant = await getTenant(trx, tenantId)
        const since = tenant.waitsUntil?.getTime() ?? 0
        await markTenant(trx, tenantId, {
          problem: null,
          waitsUntil: null,
          steps: { [step]: 'pending' },
        })
        if (since === 0) return
        await tellApplication(trx, tenant, {
          nextActor: 'system',
          key: `provisioning_resumed_${step}_${since}`,
          what: `the step ${step} is tried again`,
        })
      })
    },

    /** All is undone but for what is left, and that is a person's to do. */
    async markTenantFailed(
      input: TenantInput & { attempt: number; problem: string; left: string[] },
    ): Promise<void> {
      const { tenantId, attempt, left } = input
      await inTransaction(db, async (trx) => {
        const { problem } = await getTenant(trx, tenantId)
        await markTenant(trx, tenantId, {
          status: 'failed',
          problem: problem ?? input.problem,
          waitsUntil: null,
        })
        const of = `provisioning:${tenantId}:${attempt}`
        await recordUndosLeft(trx, { of, subject: outwardId('tenant', tenantId), left })
      })
    },
  }
}

/** In the order in which the parts are made. */
async function missingPart(
  { db, billing }: ActivityDeps,
  tenant: TenantRow,
): Promise<TenantPart | null> {
  const { id, vendorCustomerId, vendorSubscriptionId } = tenant
  const [branding, quotas, invitation] = await readTogether(db, (one) =>
    Promise.all([
      findBranding(one, id),
      findQuotas(one, id),
      findInvitationOf(one, tenant.partnerId),
    ]),
  )
  if (!tenant.subdomain) return 'subdomain'
  if (!branding) return 'branding'
  if (!quotas) return 'quotas'
  if (!vendorCustomerId || !(await billing.hasCustomer(vendorCustomerId))) return 'customer'
  const open = await billing.findSubscriptions(vendorCustomerId, metadataOf(tenant))
  if (!vendorSubscriptionId || !open.includes(vendorSubscriptionId)) return 'subscription'
  return invitation ? null : 'invitation'
}
