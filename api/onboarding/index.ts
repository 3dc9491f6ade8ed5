/** Every route of onboarding, in the order of the way. */
import type { ApiDeps } from '../deps.ts'
import type { Route } from '../route.ts'
import { applicationAgreementRoutes } from './agreement.ts'
import { applicationFormRoutes } from './application-form.ts'
import { applicationInvitationRoutes } from './application-invitations.ts'
import { applicationRoutes } from './applications.ts'
import { applyPageRoutes } from './apply-page.ts'
import { decisionRoutes } from './decision.ts'
import { informationRoutes } from './information.ts'
import { verificationRoutes } from './verification.ts'
import { withdrawalRoutes } from './withdrawal.ts'

export function onboardingRoutes(deps: ApiDeps): Route[] {
  return [
    ...applyPageRoutes(),
    ...applicationFormRoutes(deps),
    ...applicationInvitationRoutes(deps),
    ...applicationRoutes(deps),
    ...applicationAgreementRoutes(deps),
    ...verificationRoutes(deps),
    ...decisionRoutes(deps),
    ...informationRoutes(deps),
    ...withdrawalRoutes(deps),
  ]
}
