/** Steps of provisioning, each with the step that undoes it. */
import { createHash } from 'node:crypto'
import { findInvitationOf, markInvitationRevoked, recordInvitation } from '../db/access.ts'
import { inTransaction } from '../db/database.ts'
import { getPartner } from '../db/partners.ts'
import { getProgramme, markFeePriced } from '../db/programmes.ts'
import { getTenant, markTenant, reserveSubdomain } from '../db/provisioning.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { mails } from '../integrations/email-templates/index.ts'
import type { ActivityDeps } from './deps.ts'
import { notify } from './notices.ts'

interface TenantInput {
  tenantId: string
}

const inviteLifeMs = 7 * 24 * 3_600_000

export function provisioningActivities(deps: ActivityDeps) {
  const { db, billing, links } = deps

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
    async reserveSubdomain({ tenantId }: TenantInput): Promise<void> {
      await inTransaction(db, async (trx) => {
        await markTenant(trx, tenantId, { status: 'provisioning', problem: null })
        await reserveSubdomain(trx, tenantId)
      })
    },

    async releaseSubdomain({ tenantId }: TenantInput): Promise<void> {
      await markTenant(db, tenantId, { subdomain: null })
    },

    async createBillingCustomer({ tenantId }: TenantInput): Promise<void> {
      const tenant = await getTenant(db, tenantId)
      if (tenant.vendorCustomerId) return
      const partner = await getPartner(db, tenant.partnerId)
      const vendorCustomerId = await billing.createCustomer(
        {
          name: partner.name,
          email: partner.contactEmail,
          metadata: {
            kind: 'platform',
            tenant: outwardId('tenant', tenantId),
            partner: outwardId('partner', partner.id),
          },
        },
        `tenant-customer:${tenantId}`,
      )
      await markTenant(db, tenantId, { vendorCustomerId })
    },

    /** The partner's own monthly fee; what it pays earns nobody commission. */
    async openPlatformSubscription(input: TenantInput & { attempt: number }): Promise<void> {
      const tenant = await getTenant(db, input.tenantId)
      if (tenant.vendorSubscriptionId) return
      if (!tenant.vendorCustomerId) {
        throw new DomainError('not_ready', 'the tenant has no customer at the vendor')
      }
      const opened = await billing.openSubscription(
        {
          customerId: tenant.vendorCustomerId,
          priceId: await feePriceId(),
          metadata: {
            kind: 'platform',
            tenant: outwardId('tenant', tenant.id),
            partner: outwardId('partner', tenant.partnerId),
          },
        },
        `tenant-subscription:${tenant.id}:${input.attempt}`,
      )
      await markTenant(db, tenant.id, { vendorSubscriptionId: opened.subscriptionId })
    },

    async cancelPlatformSubscription({ tenantId }: TenantInput): Promise<void> {
      const tenant = await getTenant(db, tenantId)
      if (!tenant.vendorSubscriptionId) return
      await billing.cancelSubscription(tenant.vendorSubscriptionId)
      await markTenant(db, tenantId, { vendorSubscriptionId: null })
    },

    /** Invites the first administrator; the token is in the mail and nowhere else. */
    async inviteAdministrator({ tenantId, attempt }: TenantInput & { attempt: number }) {
      const tenant = await getTenant(db, tenantId)
      const partner = await getPartner(db, tenant.partnerId)
      // One invitation for a partner, so that its id can be the partner's.
      const token = links.invitationToken(partner.id)
      await inTransaction(db, (trx) =>
        recordInvitation(trx, {
          id: partner.id,
          partnerId: partner.id,
          name: partner.contactName,
          email: partner.contactEmail,
          tokenHash: createHash('sha256').update(token).digest(),
          expiresAt: new Date(Date.now() + inviteLifeMs),
        }),
      )
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
    },

    async revokeInvitation({ tenantId }: TenantInput): Promise<void> {
      const tenant = await getTenant(db, tenantId)
      await inTransaction(db, (trx) => markInvitationRevoked(trx, tenant.partnerId))
    },

    /** Looks whether everything is in place before the tenant is called ready. */
    async activateTenant({ tenantId }: TenantInput): Promise<void> {
      const tenant = await getTenant(db, tenantId)
      const invitation = await findInvitationOf(db, tenant.partnerId)
      const complete =
        tenant.subdomain && tenant.vendorCustomerId && tenant.vendorSubscriptionId && invitation
      if (!complete) throw new DomainError('not_ready', 'a part of the tenant is missing')
      await markTenant(db, tenantId, { status: 'active' })
    },

    async markTenantFailed({ tenantId, problem }: TenantInput & { problem: string }) {
      await markTenant(db, tenantId, { status: 'failed', problem })
    },
  }
}
