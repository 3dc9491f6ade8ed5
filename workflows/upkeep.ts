/** The daily round over checks of identity; a schedule starts it. */
import type { UpkeepPage } from '../activities/verification/upkeep.ts'
import { batch } from './steps.ts'

type PageStep = (input: { after: string | null }) => Promise<UpkeepPage>

/** @returns how many lost events were found, accounts looked at and results redacted. */
export async function verificationUpkeep(): Promise<{
  found: number
  looked: number
  redacted: number
}> {
  const { found } = await batch.recoverVerificationEvents()
  const looked = await everyPage(batch.recheckVerifications)
  const redacted = await everyPage(batch.redactVerifications)
  return { found, looked, redacted }
}

async function everyPage(step: PageStep): Promise<number> {
  let done = 0
  let after: string | null = null
  do {
    const page: UpkeepPage = await step({ after })
    done += page.done
    after = page.last
  } while (after !== null)
  return done
}
