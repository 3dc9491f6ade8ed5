/** The daily comparison of the books with Stripe's own. */
import { setCurrentDetails } from '@temporalio/workflow'
import type { ReconciledDays } from '../activities/reconciliation.ts'
import { batch, lookup, mail } from './steps.ts'

/**
 * Reads Stripe's ledger to its end, books what is due, and compares day by day what was sent with
 * what Stripe shows: of every run, also of those that are closed. Differences are kept until they
 * are gone or a person has explained them, and people are told of new ones. While Stripe cannot be
 * read it waits: nothing is called missing that could not be looked for.
 */
export async function reconciliation(): Promise<{ added: number; gone: number }> {
  setCurrentDetails("Reading Stripe's ledger")
  while (!(await lookup.mirrorBalance()).complete);
  while ((await batch.bookBalance()) > 0);
  let { added, gone } = await batch.reconcileStanding()
  let after: string | null = null
  do {
    const days: ReconciledDays = await batch.reconcileDays({ after })
    added += days.added
    gone += days.gone
    after = days.last
    setCurrentDetails(`${added} new differences, ${gone} gone`)
  } while (after)
  await mail.mailBreaks({})
  return { added, gone }
}
