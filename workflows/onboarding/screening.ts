/** The first look at an application. */
import type { OnboardingInput } from '../contract.ts'
import { mail, quick } from '../steps.ts'
import type { Ending } from './desk.ts'

export async function screen({ applicationId }: OnboardingInput): Promise<Ending | null> {
  await Promise.all([
    mail.mailApplicant({ applicationId, kind: 'application_received' }),
    quick.screenApplication({ applicationId }),
  ])
  return null
}
