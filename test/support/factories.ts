/** Rows to start from, with what a test cares about overridden. Made by the product's own code. */

import { randomBytes, randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { generateKey } from '../../api/keys.ts'
import { scopes } from '../../api/policies.ts'
import { type NewMember, recordApiKey, recordMember } from '../../db/access.ts'
import { getTermsInForce } from '../../db/agreement-terms.ts'
import { recordFeaturePackage } from '../../db/catalog.ts'
import { type Db, inTransaction } from '../../db/database.ts'
import { recordAgreement, recordSignedAgreement } from '../../db/onboarding/agreements.ts'
import { type NewApplication, recordApplication } from '../../db/onboarding/applications.ts'
import {
  markPayoutAccountOpened,
  markPayoutAccountOwner,
  recordPayoutAccount,
  recordVerification,
} from '../../db/onboarding/payout-accounts.ts'
import { recordLink } from '../../db/partner-links.ts'
import { markPartner, type NewPartner, recordPartner } from '../../db/partners.ts'
import { getProgramme, type NewProgramme, recordProgramme } from '../../db/programmes.ts'
import { recordCustomer, recordSubscription } from '../../db/subscriptions.ts'
import { outwardId } from '../../domain/ids.ts'
import type { PaidInvoice } from '../../integrations/stripe-billing.ts'
import { createAdminKey, demoProgramme } from '../../scripts/stack/programme.ts'

export const unique = (prefix: string) => `${prefix}_${randomBytes(6).toString('hex')}`

/** The programme of the demo, unless changed: 20 % at depth 0, 5 % at depth 1. */
export async function makeProgramme(db: Db, changes: Partial<NewProgramme> = {}) {
  await inTransaction(db, (trx) => recordProgramme(trx, { ...demoProgramme, ...changes }))
  return getProgramme(db)
}

const longAgo = new Date('2020-01-01T00:00:00Z')

/** An active partner; a reseller unless it says otherwise. */
export async function makePartner(db: Db, changes: Partial<NewPartner> = {}): Promise<string> {
  const programme = await getProgramme(db)
  const id = changes.id ?? randomUUIDv7()
  const partner: NewPartner = {
    id,
    programmeId: programme.id,
    name: `Partner ${id.slice(-4)}`,
    level: 'reseller',
    type: 'white_label',
    country: 'US',
    website: 'https://partner.example',
    contactName: 'Contact',
    contactEmail: `${id}@partner.example`,
    parentId: null,
    tier: 'bronze',
    effectiveFrom: longAgo,
    ...changes,
  }
  await inTransaction(db, async (trx) => {
    await recordPartner(trx, partner)
    await markPartner(trx, id, { from: ['approved'], to: 'active' })
  })
  return id
}

/** A master reseller and a reseller below it. */
export async function makeChain(db: Db): Promise<{ master: string; reseller: string }> {
  const master = await makePartner(db, { level: 'master_reseller' })
  const reseller = await makePartner(db, { parentId: master })
  return { master, reseller }
}

/** A key for a member of the partner, or of the platform owner when there is none. */
export async function makeKey(db: Db, partnerId: string | null): Promise<string> {
  if (partnerId === null) {
    const email = `${unique('owner')}@platform.example`
    return createAdminKey(db, { name: 'Owner', email, mode: 'test' })
  }
  const { secret, ...stored } = generateKey('test')
  await inTransaction(db, async (trx) => {
    const email = `${unique('member')}@partner.example`
    const member = { id: randomUUIDv7(), partnerId, name: 'Member', email }
    await recordApiKey(trx, {
      ...stored,
      id: randomUUIDv7(),
      memberId: await recordMember(trx, member),
      label: 'test',
      scopes: [...scopes],
      expiresAt: new Date(Date.now() + 3_600_000),
    })
  })
  return secret
}

/** Somebody of an organisation, with neither key nor password. */
export async function makeMember(
  db: Db,
  member: Partial<NewMember> & Pick<NewMember, 'partnerId'>,
): Promise<string> {
  const email = `${unique('member')}@partner.example`
  const made = { id: randomUUIDv7(), name: 'Member', email, ...member }
  return inTransaction(db, (trx) => recordMember(trx, made))
}

export interface Order {
  partnerId: string
  customerId: string
  subscriptionId: string
}

/** A link that the partner hands out. */
export async function makeLink(db: Db, partnerId: string, code = unique('link')): Promise<string> {
  const link = { id: randomUUIDv7(), partnerId, code, name: `Link ${code}` }
  const { id } = await inTransaction(db, (trx) => recordLink(trx, link))
  return id
}

/** A customer of the partner with an order for a package of 99.99 USD. */
export async function makeOrder(
  db: Db,
  partnerId: string,
  linkId: string | null = null,
): Promise<Order> {
  const programme = await getProgramme(db)
  const [customerId, packageId, subscriptionId] = [randomUUIDv7(), randomUUIDv7(), randomUUIDv7()]
  await inTransaction(db, async (trx) => {
    await recordFeaturePackage(trx, {
      id: packageId,
      programmeId: programme.id,
      name: 'Professional',
      amountMinor: 9_999n,
      currency: 'USD',
      interval: 'month',
    })
    await recordCustomer(trx, {
      id: customerId,
      partnerId,
      name: 'Customer',
      email: 'customer@customer.example',
      linkId,
    })
    await recordSubscription(trx, {
      id: subscriptionId,
      customerId,
      partnerId,
      featurePackageId: packageId,
    })
  })
  return { partnerId, customerId, subscriptionId }
}

export interface InvoiceFacts {
  net?: bigint
  tax?: bigint
  currency?: string
  paidAt?: string
  /** Parts in which it was paid; the whole at once when left out. */
  parts?: bigint[]
}

/** What the vendor says of a paid invoice of this order. */
export function paidInvoice(order: Order, facts: InvoiceFacts = {}): PaidInvoice {
  const { net = 9_999n, tax = 0n, currency = 'USD', paidAt = '2026-10-05T10:00:00Z' } = facts
  const total = net + tax
  const start = new Date(paidAt).getTime()
  return {
    invoiceId: unique('in'),
    currency,
    total,
    settled: true,
    lines: [{ lineId: unique('il'), product: 'prod_1', quantity: 1, setupFee: false, net, tax }],
    payments: (facts.parts ?? [total]).map((amount, i) => ({
      paymentId: unique('inpay'),
      chargeId: unique('ch'),
      amount,
      lineId: null,
      paidAt: new Date(start + i * 1_000),
    })),
    subscriptionId: unique('sub'),
    metadata: {
      kind: 'customer',
      subscription: outwardId('subscription', order.subscriptionId),
      customer: outwardId('customer', order.customerId),
      partner: outwardId('partner', order.partnerId),
    },
  }
}

/** An application as the form makes it. */
export async function makeApplication(
  db: Db,
  changes: Partial<NewApplication> = {},
): Promise<string> {
  const programme = await getProgramme(db)
  const id = changes.id ?? randomUUIDv7()
  const companyName = changes.companyName ?? `Company ${id.slice(-6)}`
  await inTransaction(db, (trx) =>
    recordApplication(trx, {
      id,
      programmeId: programme.id,
      type: 'white_label',
      level: 'reseller',
      parentId: null,
      companyName,
      companyNormalized: companyName.toLowerCase(),
      country: 'US',
      website: 'https://company.example',
      contactName: 'Contact',
      contactEmail: `${id}@company.example`,
      ...changes,
    }),
  )
  return id
}

/** The first attempt to have an application's agreement signed, not sent yet. */
export async function makeAgreement(db: Db, applicationId: string, attempt = 1) {
  const { id: programmeId } = await getProgramme(db)
  const terms = await getTermsInForce(db, programmeId)
  const signer = { name: 'Contact', email: `${applicationId}@company.example` }
  return inTransaction(db, (trx) =>
    recordAgreement(trx, {
      ...{ applicationId, partnerId: null, attempt, terms, embedded: false, signer },
    }),
  )
}

/** An application that waits for its decision with everything green. */
export async function makeGreenApplication(
  db: Db,
  changes: Partial<NewApplication> = {},
): Promise<string> {
  const id = await makeApplication(db, changes)
  await makeAgreement(db, id)
  await sql`update agreements set status = 'completed', completed_at = clock_timestamp()
    where application_id = ${id}`.execute(db)
  await sql`insert into payout_accounts (application_id, status)
    values (${id}, 'verified')`.execute(db)
  await sql`update applications set status = 'in_review', stage = 'approval', screening = 'clear'
    where id = ${id}`.execute(db)
  return id
}

/** Terms that a partner has signed. */
export async function makeSignedTerms(db: Db, partnerId: string): Promise<string> {
  const { id: programmeId } = await getProgramme(db)
  const terms = await getTermsInForce(db, programmeId)
  const signer = { name: 'Contact', email: `${partnerId}@company.example` }
  return inTransaction(db, async (trx) => {
    const { id } = await recordAgreement(trx, {
      ...{ applicationId: null, partnerId, attempt: 1, terms, embedded: false, signer },
    })
    const [signed, certificate, audit] = ['%PDF-signed', '%PDF-certificate', '{}'].map((text) =>
      Buffer.from(text),
    ) as [Buffer, Buffer, Buffer]
    await recordSignedAgreement(trx, id, { signed, certificate, audit })
    return id
  })
}

/** A payout account of the partner that the processor has verified. */
export async function makePayoutAccount(
  db: Db,
  partnerId: string,
  vendorAccountId = unique('acct'),
): Promise<string> {
  const applicationId = await makeApplication(db, {})
  const account = await recordPayoutAccount(db, applicationId)
  await markPayoutAccountOpened(db, account.id, vendorAccountId)
  await inTransaction(db, async (trx) => {
    await recordVerification(trx, account.id, { status: 'verified', detail: null })
    await markPayoutAccountOwner(trx, applicationId, partnerId)
  })
  return vendorAccountId
}

/** An area of the partner, alone unless it says otherwise; what is taken is a conflict. */
export async function makeTerritory(
  db: Db,
  made: { partnerId: string; code: string; mode?: 'exclusive' | 'shared' },
): Promise<string> {
  const { partnerId, code, mode = 'exclusive' } = made
  const { rows } = await sql<{ id: string }>`
    select claimed.id from partners, claim_territory(jsonb_populate_record(
      null::territory_assignments, jsonb_build_object('programme_id', partners.programme_id,
        'territory', ${code}::text, 'mode', ${mode}::text, 'status', 'assigned',
        'partner_id', partners.id))) claimed
    where partners.id = ${partnerId}`.execute(db)
  return rows[0]?.id ?? ''
}
