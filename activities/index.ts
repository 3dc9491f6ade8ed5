/** All activities, made with their dependencies. */
import { auditActivities } from './audit.ts'
import { balanceActivities } from './balance.ts'
import type { ActivityDeps } from './deps.ts'
import { domainActivities } from './domains.ts'
import { guardSteps } from './failures.ts'
import { inboxActivities } from './inbox.ts'
import { lifecycleActivities } from './lifecycle/index.ts'
import { onboardingActivities } from './onboarding/index.ts'
import { payoutExceptionActivities } from './payout-exceptions/index.ts'
import { payoutActivities } from './payouts.ts'
import { provisioningActivities } from './provisioning.ts'
import { reconciliationActivities } from './reconciliation.ts'
import { relayActivities } from './relay.ts'
import { rescreeningActivities } from './rescreening.ts'
import { settlementActivities } from './settlement/index.ts'
import { subscriptionActivities } from './subscriptions.ts'
import { termsActivities } from './terms.ts'
import { tierGraceActivities } from './tier-grace.ts'
import { tierActivities } from './tiers.ts'
import { trainingActivities } from './training.ts'
import { verificationUpkeepActivities } from './verification/index.ts'
import { welcomeActivities } from './welcome.ts'

export type Activities = ReturnType<typeof createActivities>

export function createActivities(deps: ActivityDeps) {
  return guardSteps({
    ...onboardingActivities(deps),
    ...provisioningActivities(deps),
    // biome-ignore lint/nursery/noMisusedPromises: it is an object of steps, not a promise
    ...domainActivities(deps),
    ...lifecycleActivities(deps),
    ...subscriptionActivities(deps),
    ...inboxActivities(deps),
    ...settlementActivities(deps),
    ...payoutActivities(deps),
    ...reconciliationActivities(deps),
    ...payoutExceptionActivities(deps),
    ...balanceActivities(deps),
    ...termsActivities(deps),
    ...tierActivities(deps),
    // biome-ignore lint/nursery/noMisusedPromises: it is an object of steps, not a promise
    ...tierGraceActivities(deps),
    ...trainingActivities(deps),
    ...welcomeActivities(deps),
    ...rescreeningActivities(deps),
    ...relayActivities(deps),
    ...auditActivities(deps),
    ...verificationUpkeepActivities(deps),
  })
}
