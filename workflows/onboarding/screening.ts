/** The first look at an application. */
import { setHandler } from '@temporalio/workflow'
import { confirmScreening, type OnboardingInput } from '../contract.ts'
import { lookup, mail, refusal } from '../steps.ts'
import { type Desk, type Ending, isOpen, leave } from './desk.ts'

/** A person has confirmed a finding: the application ends, whatever it waits for. */
export function hearOfConfirmation(desk: Desk): void {
  setHandler(confirmScreening, () => leave(desk, confirmed), {
    validator: () => {
      if (!isOpen(desk)) throw refusal('application_closed')
    },
  })
}

/** Like any rejection: who is on a list does not learn it from us. */
const confirmed: Ending = {
  status: 'rejected',
  what: 'rejected',
  mail: 'application_rejected',
}

/**
 * Waits here while the lists cannot be looked at: no answer is never a clear one.
 * @returns how the application ended, or null when it goes on.
 */
export async function screen({ applicationId }: OnboardingInput): Promise<Ending | null> {
  const [, screened] = await Promise.all([
    mail.mailApplicant({ applicationId, kind: 'application_received' }),
    lookup.screenApplication({ applicationId }),
  ])
  if (screened === 'review') await mail.mailScreenings({ subjectId: applicationId })
  return screened === 'rejected' ? turnedAway : null
}

const turnedAway: Ending = {
  status: 'rejected',
  what: 'not what the programme looks for',
  mail: 'application_rejected',
}
