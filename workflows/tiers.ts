/** The review of tiers after a period is closed. */
import { setCurrentDetails } from '@temporalio/workflow'
import type { ReviewedPages } from '../activities/tiers.ts'
import type { TierReviewInput } from './contract.ts'
import { batch, mail } from './steps.ts'

/** Moves every partner up whose revenue reached a threshold, and tells it meanwhile. */
export async function tierReview({ period }: TierReviewInput): Promise<{ promoted: number }> {
  let promoted = 0
  let after: string | null = null
  let told: Promise<void> = Promise.resolve()
  do {
    const pages: ReviewedPages = await batch.reviewTierPage({ period, after })
    await told
    if (pages.promoted > 0) told = mail.mailTierChanges({ period, after, until: pages.last })
    promoted += pages.promoted
    after = pages.last
    setCurrentDetails(`${promoted} partners moved up`)
  } while (after)
  await told
  return { promoted }
}
