/** Paying the payouts of a released run, each once. */
import { condition, continueAsNew, setCurrentDetails, setHandler } from '@temporalio/workflow'
import type { PaidPage } from '../activities/payouts.ts'
import { balanceAvailable, type PayoutBatchInput, runResumed } from './contract.ts'
import { batch, mail, quick } from './steps.ts'
import { hasLongHistory, pauseAfter } from './waiting.ts'

const day = 86_400_000

interface News {
  /** The balance of the platform was filled. */
  filled: boolean
  /** A pause is over. */
  resumed: boolean
  /** When people were last told of an empty balance, in milliseconds. */
  toldAt: number
}

/**
 * Goes over the payable payouts until every one is paid or held. A lost answer is asked for
 * again, an empty balance waits for money, a paused run for people; none of them ever leads to a
 * second transfer.
 */
export async function payoutBatch(input: PayoutBatchInput): Promise<{ paid: number }> {
  const news: News = { filled: false, resumed: false, toldAt: Number.NEGATIVE_INFINITY }
  setHandler(balanceAvailable, () => {
    news.filled = true
  })
  setHandler(runResumed, () => {
    news.resumed = true
  })
  const { paid: before = 0, ...shard } = input
  let paid = before
  for (let round = 0; ; round++) {
    await quick.releaseHeldPayouts(shard)
    const result = await payRound({ ...shard, paid }, news)
    paid += result.paid
    if (result.unknown === 0) break
    setCurrentDetails(`Looking up ${result.unknown} payouts whose outcome is not known`)
    await pauseAfter(round, 3_600)
  }
  await mail.mailPayouts(shard)
  return { paid }
}

/**
 * One pass over all payable payouts. What it has no balance for waits until all others are paid;
 * then it starts again from the first.
 */
async function payRound({ paid: before = 0, ...shard }: PayoutBatchInput, news: News) {
  let after: string | null = null
  let paid = 0
  let unknown = 0
  let without: { without?: string[] } = {}
  for (;;) {
    if (hasLongHistory()) {
      await continueAsNew({ ...shard, paid: before + paid })
    }
    setCurrentDetails(`Paying; ${paid} paid in this round`)
    const page: PaidPage = await batch.payPage({ ...shard, after, ...without })
    paid += page.paid
    unknown += page.unknown
    if (page.paused) await peopleGoOn(news)
    else if (page.lacking) {
      without = { without: page.lacking }
      after = page.last ?? after
    } else if (page.insufficientBalance) {
      await moneyComes(shard, news)
      without = {}
      after = null
    } else if (page.last === null) return { paid, unknown }
    else after = page.last
  }
}

/** Waits until nobody pauses the run any more, or looks again after an hour. */
async function peopleGoOn(news: News): Promise<void> {
  setCurrentDetails('Paused by a person')
  await condition(() => news.resumed, '1 hour')
  news.resumed = false
}

/** Waits until the platform's balance was filled, or looks again after an hour. */
async function moneyComes({ runId }: PayoutBatchInput, news: News): Promise<void> {
  setCurrentDetails('Waiting: the balance of the platform is too low')
  if (Date.now() - news.toldAt >= day) {
    news.toldAt = Date.now()
    await mail.mailLowBalance({ runId })
  }
  await condition(() => news.filled, '1 hour')
  news.filled = false
}
