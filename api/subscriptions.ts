/** Customers of partners and their subscriptions. */
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import { type FeaturePackageRow, getFeaturePackage } from '../db/catalog.ts'
import { type Db, inTransaction } from '../db/database.ts'
import { getProgramme } from '../db/programmes.ts'
import {
  type CustomerRow,
  findCustomer,
  findSubscription,
  listCustomers,
  listSubscriptions,
  recordCustomer,
  recordSubscription,
  type SubscriptionRow,
} from '../db/subscriptions.ts'
import { isOffered } from '../db/tenant-packages.ts'
import { requireRoom } from '../db/tenant-quotas.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { type ActorLevel, mayCreate } from '../domain/partners.ts'
import { workflowIds, workflowTypes } from '../domain/process-names.ts'
import { subscriptionStatuses } from '../domain/subscriptions.ts'
import type { SubscriptionInput } from '../workflows/contract.ts'
import type { ApiDeps } from './deps.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { linkOfCustomer } from './partner-links.ts'
import { refuseStoppedSales } from './partner-verification.ts'
import { startCommitted } from './processes.ts'
import { type Call, type Route, route } from './route.ts'
import { emailAddress, found, idAnswer, idField, instantAnswer, pathId, text } from './validate.ts'

const customerForm = z.strictObject({
  name: text(),
  email: emailAddress,
  link: idField('link').optional(),
})

const customerAnswer = z.object({
  id: idAnswer('customer'),
  partner: idAnswer('partner'),
  name: z.string(),
  email: z.string(),
  link: idAnswer('link').nullable(),
  created_at: instantAnswer,
})

const subscriptionForm = z.strictObject({
  customer: idField('customer'),
  package: idField('featurePackage'),
})

const subscriptionAnswer = z.object({
  id: idAnswer('subscription'),
  customer: idAnswer('customer'),
  package: idAnswer('featurePackage'),
  partner: idAnswer('partner'),
  status: z.enum(subscriptionStatuses),
  problem: z.string().nullable(),
  created_at: instantAnswer,
  activated_at: instantAnswer.nullable(),
  canceled_at: instantAnswer.nullable(),
})

const noCustomer = 'there is no such customer'
const noSubscription = 'there is no such subscription'

export function customerRoutes(): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/customers',
      tag: 'Customers',
      summary: 'Create a customer of yours',
      description: 'With the `link` of yours that it came through, for good.',
      access: 'customers.write',
      effect: 'transaction',
      body: customerForm,
      answers: { 201: { description: 'Created', schema: customerAnswer } },
      refusals: ['invalid_request', 'partner_not_active', 'quota_exceeded'],
      handle: async ({ db, principal, body, operationId }) => {
        const partnerId = ownPartner(principal)
        const { link, ...form } = body
        const row = await inTransaction(db, async (trx) => {
          await requireRoom(trx, partnerId, 'customers')
          const linkId = await linkOfCustomer(trx, { link, partnerId })
          return recordCustomer(trx, { id: operationId, partnerId, linkId, ...form })
        })
        const created = presentCustomer(row)
        const headers = { Location: `/v1/customers/${created.id}` }
        return { status: 201, body: created, headers }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/customers',
      tag: 'Customers',
      summary: 'List customers',
      description: 'Yours and those of everyone below you.',
      access: 'customers.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(customerAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const page = await listCustomers(db, pageRequest(query))
        return { status: 200, body: presentPage(page, presentCustomer) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/customers/:id',
      tag: 'Customers',
      summary: 'Read a customer',
      access: 'customers.read',
      answers: { 200: { description: 'The customer', schema: customerAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, params }) => {
        const id = pathId('customer', params.id, noCustomer)
        const row = found(await findCustomer(db, id), noCustomer)
        return { status: 200, body: presentCustomer(row) }
      },
    }),
  ]
}

export function subscriptionRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/subscriptions',
      tag: 'Subscriptions',
      summary: 'Subscribe a customer of yours to a package',
      description: 'With `Prefer: wait=10` the answer comes when the status has left `pending`.',
      access: 'subscriptions.write',
      idempotencyKey: 'required',
      body: subscriptionForm,
      answers: { 202: { description: 'It is being set up', schema: subscriptionAnswer } },
      refusals: [
        'invalid_request',
        'not_found',
        'partner_not_active',
        'package_not_offered',
        'verification_required',
      ],
      handle: (call) => subscribe(deps, call),
    }),
    route({
      method: 'GET',
      path: '/v1/subscriptions',
      tag: 'Subscriptions',
      summary: 'List subscriptions',
      access: 'subscriptions.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(subscriptionAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const page = await listSubscriptions(db, pageRequest(query))
        return { status: 200, body: presentPage(page, presentSubscription) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/subscriptions/:id',
      tag: 'Subscriptions',
      summary: 'Read a subscription',
      access: 'subscriptions.read',
      answers: { 200: { description: 'The subscription', schema: subscriptionAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, params }) => {
        const id = pathId('subscription', params.id, noSubscription)
        const row = found(await findSubscription(db, id), noSubscription)
        return { status: 200, body: presentSubscription(row) }
      },
    }),
  ]
}

function ownPartner({ partnerId }: { partnerId: string | null }): string {
  if (partnerId) return partnerId
  throw new DomainError('level_not_allowed', 'only partners have customers')
}

async function subscribe(deps: ApiDeps, call: Call<unknown, z.output<typeof subscriptionForm>>) {
  const { processes } = deps
  const { db, principal, body, operationId } = call
  const customer = found(await findCustomer(db, body.customer), noCustomer)
  // A customer of a partner below is visible, and still not ours to sell to.
  if (customer.partnerId !== principal.partnerId) throw new DomainError('not_found', noCustomer)
  await refuseStoppedSales(db, customer.partnerId)
  const featurePackage = await getFeaturePackage(db, body.package)
  const programme = await getProgramme(db)
  refuseUnfitPackage(principal.level, featurePackage, programme)
  await refuseUnoffered(db, customer.partnerId, featurePackage.id)
  const row = await inTransaction(db, (trx) =>
    recordSubscription(trx, {
      id: operationId,
      customerId: customer.id,
      partnerId: customer.partnerId,
      featurePackageId: featurePackage.id,
    }),
  )
  const input: SubscriptionInput = {
    subscriptionId: row.id,
    firstPaymentExpiry: programme.deadlines.firstPaymentExpiry,
  }
  await startCommitted(deps, () =>
    processes.startOnce({
      type: workflowTypes.subscriptionSetup,
      workflowId: workflowIds.subscription(row.id),
      input,
    }),
  )
  const settled = await whenSetUp(call, row)
  const answer = presentSubscription(settled)
  return { status: 202, body: answer, headers: { Location: `/v1/subscriptions/${answer.id}` } }
}

/** Who may not create a level does not sell it; who may still subscribes customers only. */
function refuseUnfitPackage(
  seller: ActorLevel,
  { creates }: FeaturePackageRow,
  programme: { resellerChains: boolean },
): void {
  if (!mayCreate(seller, creates, programme)) {
    throw new DomainError('level_not_allowed', 'your level may not sell this package')
  }
  if (creates === 'customer') return
  const detail = 'this package makes partners: it is part of an application'
  throw new DomainError('invalid_request', 'body: the package is not for customers', {
    fields: [{ pointer: '/package', code: 'invalid', detail }],
  })
}

async function refuseUnoffered(db: Db, partnerId: string, featurePackageId: string) {
  if (await isOffered(db, { partnerId, featurePackageId })) return
  throw new DomainError(
    'package_not_offered',
    'this package is not offered to your tenant: ask the platform, or sell another one',
  )
}

const longestWaitSeconds = 10

/** Waits as long as the caller prefers, ten seconds at most, for the status to leave `pending`. */
async function whenSetUp(
  { db, header }: Pick<Call, 'db' | 'header'>,
  row: SubscriptionRow,
): Promise<SubscriptionRow> {
  const preferred = Number(/\bwait=(\d+)\b/.exec(header('Prefer'))?.[1] ?? 0)
  const until = Date.now() + Math.min(preferred, longestWaitSeconds) * 1000
  let seen = row
  while (seen.status === 'pending' && Date.now() < until) {
    await pause(100)
    seen = found(await findSubscription(db, row.id), noSubscription)
  }
  return seen
}

function presentCustomer(row: CustomerRow) {
  return {
    id: outwardId('customer', row.id),
    partner: outwardId('partner', row.partnerId),
    name: row.name,
    email: row.email,
    link: row.linkId && outwardId('link', row.linkId),
    created_at: row.createdAt.toISOString(),
  }
}

function presentSubscription(row: SubscriptionRow) {
  return {
    id: outwardId('subscription', row.id),
    customer: outwardId('customer', row.customerId),
    package: outwardId('featurePackage', row.featurePackageId),
    partner: outwardId('partner', row.partnerId),
    status: row.status,
    problem: row.problem,
    created_at: row.createdAt.toISOString(),
    activated_at: row.activatedAt?.toISOString() ?? null,
    canceled_at: row.canceledAt?.toISOString() ?? null,
  }
}
