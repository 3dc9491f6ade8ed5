/** The review of tiers after a period is closed. */
import { setCurrentDetails } from '@temporalio/workflow'
import type { ReviewedPage } from '../activities/tiers.ts'
import type { TierReviewInput } from './contract.ts'
import { batch, mail } from './steps.ts'

/** Moves every partner up whose revenue reached a threshold, and tells it. */
export async function tierReview({ period }: TierReviewInput): Promise<{ promoted: number }> {
  let promoted = 0
  let after: string | null = null
  do {
    const page: ReviewedPage = await batch.reviewTierPage({ period, after })
    for (const partnerId of page.promoted) await mail.mailTierChange({ partnerId, period })
    promoted += page.promoted.length
    after = page.last
    setCurrentDetails(`${promoted} partners moved up`)
  } while (after)
  return { promoted }
}
