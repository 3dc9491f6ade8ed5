/** The nightly round over everybody whose name may have come onto a list. */
import { continueAsNew, setCurrentDetails, workflowInfo } from '@temporalio/workflow'
import type { RescreenedPage } from '../activities/rescreening.ts'
import type { RescreeningInput } from './contract.ts'
import { lookup, mail } from './steps.ts'

/**
 * Looks up who is not known on the lists as they are now, page by page, and asks people to look at
 * what is new. While the lists cannot be looked at it waits: nobody is passed over.
 */
export async function rescreening(
  input?: RescreeningInput,
): Promise<{ screened: number; findings: number }> {
  let { screened, findings } = input ?? { screened: 0, findings: 0 }
  let after = input?.after ?? null
  do {
    const page: RescreenedPage = await lookup.rescreenPage({ after })
    screened += page.screened
    findings += page.findings
    after = page.last
    setCurrentDetails(`${screened} names looked up, ${findings} with something new`)
    if (after && workflowInfo().continueAsNewSuggested) {
      await continueAsNew<typeof rescreening>({ after, screened, findings })
    }
  } while (after)
  await mail.mailScreenings({ subjectId: null })
  return { screened, findings }
}
