/** How fast Stripe is asked, by all workers together. */
import { takeFromBuckets } from '../db/limits.ts'
import type { ActivityDeps } from './deps.ts'

const bucket = 'stripe:money'

/** Waits until one more call that moves money fits into this second. */
export async function paceOfStripe({
  db,
  stripePerSecond,
}: Pick<ActivityDeps, 'db' | 'stripePerSecond'>): Promise<void> {
  for (;;) {
    const wanted = { name: bucket, quota: stripePerSecond, windowSeconds: 1 }
    const { taken, buckets } = await takeFromBuckets(db, [wanted])
    if (taken) return
    const seconds = buckets[0]?.resetSeconds ?? 1
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000))
  }
}
