/** Everything that the ends of partnerships and tenants do, step by step. */
import type { ActivityDeps } from '../deps.ts'
import { offboardingActivities } from './offboarding.ts'
import { offboardingMailActivities } from './offboarding-mails.ts'

export function lifecycleActivities(deps: ActivityDeps) {
  return { ...offboardingActivities(deps), ...offboardingMailActivities(deps) }
}
