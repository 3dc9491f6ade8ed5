/** Steps of onboarding. */
import type { ActivityDeps } from '../deps.ts'
import { activationActivities } from './activation.ts'
import { agreementActivities } from './agreement.ts'
import { approvalActivities } from './approval.ts'
import { informationActivities } from './information.ts'
import { mailActivities } from './mails.ts'
import { screeningActivities } from './screening.ts'
import { territoryActivities } from './territories.ts'
import { verificationActivities } from './verification.ts'

export function onboardingActivities(deps: ActivityDeps) {
  return {
    ...screeningActivities(deps),
    ...agreementActivities(deps),
    ...verificationActivities(deps),
    ...approvalActivities(deps),
    ...informationActivities(deps),
    ...territoryActivities(deps),
    ...activationActivities(deps),
    ...mailActivities(deps),
  }
}
