/** From a customer's order to a subscription that is paid. */
import { setCurrentDetails, setHandler } from '@temporalio/workflow'
import type { SubscriptionStatus } from '../domain/subscriptions.ts'
import { type SubscriptionInput, subscriptionChanged } from './contract.ts'
import { failureType, quick, vendor } from './steps.ts'
import { happensInTime } from './waiting.ts'

/** Opens the subscription at the vendor and waits for its first payment. */
export async function subscriptionSetup(input: SubscriptionInput): Promise<SubscriptionStatus> {
  const news = { waiting: false }
  setHandler(subscriptionChanged, () => {
    news.waiting = true
  })
  if (!(await openAtVendor(input))) return 'canceled'
  return firstPayment(input, news)
}

/** @returns false where the vendor refused the order for good. */
async function openAtVendor({ subscriptionId }: SubscriptionInput): Promise<boolean> {
  setCurrentDetails('Opening the subscription')
  try {
    await vendor.createCustomerAtVendor({ subscriptionId })
    await vendor.createPriceAtVendor({ subscriptionId })
    await vendor.openSubscription({ subscriptionId })
    return true
  } catch (error) {
    if (failureType(error) !== 'vendor_refused') throw error
    const problem = 'the payment provider refused the order'
    await quick.refuseSubscription({ subscriptionId, problem })
    setCurrentDetails(`Ended: ${problem}`)
    return false
  }
}

async function firstPayment(
  { subscriptionId, firstPaymentExpiry }: SubscriptionInput,
  news: { waiting: boolean },
): Promise<SubscriptionStatus> {
  setCurrentDetails('Waiting for the first payment')
  const since = Date.now()
  for (;;) {
    const heard = await happensInTime({
      since,
      until: () => news.waiting,
      reminders: [],
      expiry: firstPaymentExpiry,
      remind: async () => {},
    })
    news.waiting = false
    const status = await vendor.followSubscription({ subscriptionId })
    if (status === 'active' || status === 'canceled') {
      setCurrentDetails(status === 'active' ? 'Paid' : 'Ended: canceled')
      return status
    }
    if (!heard) {
      await vendor.expireSubscription({ subscriptionId })
      setCurrentDetails('Ended: not paid in time')
      return 'canceled'
    }
  }
}
