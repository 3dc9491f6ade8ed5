/** The first look at an application. */
import type { OnboardingInput } from '../contract.ts'
import { mail, quick } from '../steps.ts'
import type { Ending } from './desk.ts'

/** @returns how the application ended, or null when it goes on. */
export async function screen({ applicationId }: OnboardingInput): Promise<Ending | null> {
  const [, screened] = await Promise.all([
    mail.mailApplicant({ applicationId, kind: 'application_received' }),
    quick.screenApplication({ applicationId }),
  ])
  return screened === 'rejected' ? turnedAway : null
}

const turnedAway: Ending = {
  status: 'rejected',
  what: 'not what the programme looks for',
  mail: 'application_rejected',
}
