/** A partner and a month, played once; every contract looks at what was said to the vendors. */
import { newestClosable, periodStart } from '../../domain/period.ts'
import { onboardPartner, payPlatformFee } from '../../scripts/story/partners.ts'
import { refund, sell } from '../../scripts/story/sales.ts'
import { settle } from '../../scripts/story/settlement.ts'
import { ensureSchedules } from '../../worker/schedules.ts'
import { startProduct } from '../support/product.ts'
import { createRecorder, type Exchange } from './recorder.ts'

/** What the product asked its vendors while a partner came in, sold and was paid. */
export async function recordedStory(): Promise<Exchange[]> {
  const recorder = createRecorder()
  const product = await startProduct({ vendorsAt: (url) => recorder.before(url) })
  try {
    await product.startWorker()
    await ensureSchedules(product.temporal)
    const { story, owner, second, temporal } = product
    const period = newestClosable(new Date())
    const partner = await onboardPartner(
      story,
      { name: 'Contract', level: 'reseller', type: 'franchise', email: 'own@contract.example' },
      { approver: owner, reason: 'known', effectiveFrom: periodStart(period).toISOString() },
    )
    await payPlatformFee(story, partner.partner)
    const sale = {
      customer: 'Customer',
      email: 'pay@customer.example',
      package: 'Package',
      amount: 60_000,
      paidAt: `${period}-07T08:00:00.000Z`,
    }
    const sold = await sell(story, sale, { owner, seller: partner.key })
    await refund(story, { ...sold, refund: 5_000 }, partner.key)
    await settle(story, temporal, { period, owners: { first: owner, second } })
    return [...recorder.exchanges]
  } finally {
    await product.stop()
    await recorder.close()
  }
}
