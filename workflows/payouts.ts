/** Paying the payouts of a released run, each once. */
import { condition, setCurrentDetails, setHandler } from '@temporalio/workflow'
import type { PaidPage } from '../activities/payouts.ts'
import { balanceAvailable, type PayoutBatchInput } from './contract.ts'
import { batch, mail, quick } from './steps.ts'
import { pauseAfter } from './waiting.ts'

/**
 * Goes over the payable payouts until every one is paid or held. A lost answer is asked for
 * again, an empty balance waits for money; neither ever leads to a second transfer.
 */
export async function payoutBatch(input: PayoutBatchInput): Promise<{ paid: number }> {
  const balance = { filled: false }
  setHandler(balanceAvailable, () => {
    balance.filled = true
  })
  let paid = 0
  for (let round = 0; ; round++) {
    await quick.releaseHeldPayouts(input)
    const result = await payRound(input, balance)
    paid += result.paid
    if (result.unknown === 0) break
    setCurrentDetails(`Looking up ${result.unknown} payouts whose outcome is not known`)
    await pauseAfter(round, 3_600)
  }
  await mail.mailPayouts(input)
  return { paid }
}

/** One pass over all payable payouts; after an empty balance it starts again from the first. */
async function payRound(input: PayoutBatchInput, balance: { filled: boolean }) {
  let after: string | null = null
  let paid = 0
  let unknown = 0
  for (;;) {
    setCurrentDetails(`Paying; ${paid} paid in this round`)
    const page: PaidPage = await batch.payPage({ ...input, after })
    paid += page.paid
    unknown += page.unknown
    if (page.insufficientBalance) await moneyComes(balance)
    else if (page.last === null) return { paid, unknown }
    after = page.insufficientBalance ? null : page.last
  }
}

/** Waits until the platform's balance was filled, or looks again after an hour. */
async function moneyComes(balance: { filled: boolean }): Promise<void> {
  setCurrentDetails('Waiting: the balance of the platform is too low')
  await condition(() => balance.filled, '1 hour')
  balance.filled = false
}
