/** Steps that set up the subscription of a customer. */
import { markFeaturePackagePriced } from '../db/catalog.ts'
import {
  getSubscriptionOrder,
  markCustomerAtVendor,
  markSubscription,
  markSubscriptionOpened,
  markSubscriptionProblem,
} from '../db/subscriptions.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import type { SubscriptionStatus } from '../domain/subscriptions.ts'
import type { ActivityDeps } from './deps.ts'

interface OrderInput {
  subscriptionId: string
}

export function subscriptionActivities({ db, billing }: ActivityDeps) {
  return {
    async createCustomerAtVendor({ subscriptionId }: OrderInput): Promise<void> {
      const order = await getSubscriptionOrder(db, subscriptionId)
      if (order.vendorCustomerId) return
      const vendorCustomerId = await billing.createCustomer(
        {
          name: order.customerName,
          email: order.customerEmail,
          metadata: {
            customer: outwardId('customer', order.customerId),
            partner: outwardId('partner', order.partnerId),
          },
        },
        `customer:${order.customerId}`,
      )
      await markCustomerAtVendor(db, order.customerId, vendorCustomerId)
    },

    async createPriceAtVendor({ subscriptionId }: OrderInput): Promise<void> {
      const order = await getSubscriptionOrder(db, subscriptionId)
      if (order.vendorPriceId) return
      const price = await billing.createMonthlyPrice(
        {
          name: order.packageName,
          amount: order.amountMinor,
          currency: order.currency,
          metadata: { package: outwardId('featurePackage', order.featurePackageId) },
        },
        `package:${order.featurePackageId}`,
      )
      await markFeaturePackagePriced(db, order.featurePackageId, price)
    },

    /** Opens the subscription; its first invoice then waits to be paid. */
    async openSubscription({ subscriptionId }: OrderInput): Promise<void> {
      const order = await getSubscriptionOrder(db, subscriptionId)
      if (order.vendorSubscriptionId) return
      if (!order.vendorCustomerId || !order.vendorPriceId) {
        throw new DomainError('not_ready', 'customer or price is missing at the vendor')
      }
      const opened = await billing.openSubscription(
        {
          customerId: order.vendorCustomerId,
          priceId: order.vendorPriceId,
          metadata: {
            kind: 'customer',
            subscription: outwardId('subscription', order.id),
            customer: outwardId('customer', order.customerId),
            partner: outwardId('partner', order.partnerId),
          },
        },
        `subscription:${order.id}`,
      )
      await markSubscriptionOpened(db, order.id, opened)
    },

    /** Reads the state at the vendor and follows it. */
    async followSubscription({ subscriptionId }: OrderInput): Promise<SubscriptionStatus> {
      const order = await getSubscriptionOrder(db, subscriptionId)
      if (!order.vendorSubscriptionId) return order.status
      const { status } = await billing.readSubscription(order.vendorSubscriptionId)
      await markSubscription(db, order.id, status)
      return status
    },

    /** Gives up on an order that was not paid in time. */
    async expireSubscription({ subscriptionId }: OrderInput): Promise<void> {
      const order = await getSubscriptionOrder(db, subscriptionId)
      if (order.vendorSubscriptionId) await billing.cancelSubscription(order.vendorSubscriptionId)
      await markSubscription(db, order.id, 'canceled')
      await markSubscriptionProblem(db, order.id, 'the first invoice was not paid in time')
    },

    /** Ends an order that the vendor refused for good. */
    async refuseSubscription(input: OrderInput & { problem: string }): Promise<void> {
      await markSubscription(db, input.subscriptionId, 'canceled')
      await markSubscriptionProblem(db, input.subscriptionId, input.problem)
    },
  }
}
