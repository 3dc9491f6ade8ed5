/** Every route of the API, capability by capability. */

import { accessRoutes } from './access.ts'
import { adjustmentRoutes } from './adjustments.ts'
import { agreementTermsRoutes } from './agreement-terms.ts'
import { agreementRoutes } from './agreements.ts'
import { apiKeyRoutes } from './api-keys.ts'
import { approvalRoutes } from './approvals.ts'
import { auditRoutes } from './audit.ts'
import { catalogRoutes } from './catalog.ts'
import { commissionRoutes } from './commission.ts'
import { customerPeopleRoutes } from './customers-people.ts'
import type { ApiDeps } from './deps.ts'
import { earningsRoutes } from './earnings.ts'
import { healthRoutes } from './health.ts'
import { invitationRoutes } from './invitations.ts'
import { ledgerRoutes } from './ledger.ts'
import { lifecycleRoutes } from './lifecycle/index.ts'
import { lineDisputeRoutes } from './line-disputes.ts'
import { mailTemplateRoutes } from './mail-templates.ts'
import { manualTaskRoutes } from './manual-tasks.ts'
import { memberRoutes } from './members.ts'
import { onboardingRoutes } from './onboarding/index.ts'
import { partnerLinkRoutes } from './partner-links.ts'
import { partnerMoveRoutes } from './partner-moves.ts'
import { partnerVerificationRoutes } from './partner-verification.ts'
import { partnerRoutes } from './partners.ts'
import { passkeyRoutes } from './passkeys.ts'
import { passwordRoutes } from './passwords.ts'
import { payoutCurrencyRoutes } from './payout-currencies.ts'
import { payoutExceptionRoutes } from './payout-exceptions.ts'
import { payoutRoutes } from './payouts.ts'
import { programmeRoutes } from './programme.ts'
import { provisioningRoutes } from './provisioning.ts'
import { reconciliationRoutes } from './reconciliation.ts'
import { remittanceRoutes } from './remittances.ts'
import { reserveRoutes } from './reserves.ts'
import type { Route } from './route.ts'
import { screeningRoutes } from './screenings.ts'
import { secondFactorRoutes } from './second-factors.ts'
import { selfBillingRoutes } from './self-billing.ts'
import { selfBillingDocumentRoutes } from './self-billing-documents.ts'
import { sessionRoutes } from './sessions.ts'
import { settlementRoutes } from './settlement.ts'
import { settlementDecisionRoutes } from './settlement-decisions.ts'
import { settlementDiffRoutes } from './settlement-diff.ts'
import { settlementEventRoutes } from './settlement-events.ts'
import { settlementExceptionRoutes } from './settlement-exceptions.ts'
import { signInOidcRoutes } from './sign-in-oidc.ts'
import { simulationRoutes } from './simulations.ts'
import { statementRoutes } from './statements.ts'
import { customerRoutes, subscriptionRoutes } from './subscriptions.ts'
import { taxFormRoutes } from './tax-forms.ts'
import { taxReportRoutes } from './tax-reports.ts'
import { tenantRoutes } from './tenants/index.ts'
import { territoryRoutes } from './territories.ts'
import { tierDecisionRoutes } from './tier-decisions.ts'
import { tierProgressRoutes } from './tier-progress.ts'
import { tierRoutes } from './tiers.ts'
import { trainingRoutes } from './training/index.ts'
import { webhookRoutes } from './webhooks.ts'
import { welcomeRoutes } from './welcome.ts'
import { writeOffRoutes } from './write-offs.ts'

/** Fixed paths stand before those with parameters. */
export function allRoutes(deps: ApiDeps): Route[] {
  return [
    ...onboardingRoutes(deps),
    ...agreementTermsRoutes(),
    ...agreementRoutes(),
    ...partnerRoutes(),
    ...partnerMoveRoutes(),
    ...partnerVerificationRoutes(deps),
    ...territoryRoutes(),
    ...lifecycleRoutes(deps),
    ...tenantRoutes(deps),
    ...programmeRoutes(),
    ...provisioningRoutes(deps),
    ...manualTaskRoutes(),
    ...reconciliationRoutes(),
    ...ledgerRoutes(),
    ...writeOffRoutes(),
    ...catalogRoutes(),
    ...partnerLinkRoutes(),
    ...customerRoutes(),
    ...subscriptionRoutes(deps),
    ...commissionRoutes(),
    ...earningsRoutes(),
    ...settlementRoutes(deps),
    ...settlementDecisionRoutes(deps),
    ...settlementEventRoutes(deps),
    ...settlementDiffRoutes(),
    ...settlementExceptionRoutes(),
    ...statementRoutes(),
    ...reserveRoutes(),
    ...lineDisputeRoutes(),
    ...payoutCurrencyRoutes(),
    ...selfBillingRoutes(),
    ...selfBillingDocumentRoutes(),
    ...taxFormRoutes(),
    ...taxReportRoutes(),
    ...payoutRoutes(),
    ...remittanceRoutes(),
    ...payoutExceptionRoutes(deps),
    ...tierRoutes(),
    ...tierProgressRoutes(),
    ...tierDecisionRoutes(deps),
    ...trainingRoutes(deps),
    ...adjustmentRoutes(),
    ...screeningRoutes(deps),
    ...approvalRoutes(),
    ...simulationRoutes(),
    ...accessRoutes(),
    ...invitationRoutes(deps),
    ...apiKeyRoutes(deps),
    ...customerPeopleRoutes(deps),
    ...signInOidcRoutes(deps),
    ...sessionRoutes(deps),
    ...secondFactorRoutes(deps),
    ...passkeyRoutes(deps),
    ...passwordRoutes(deps),
    ...memberRoutes(deps),
    ...mailTemplateRoutes(),
    ...welcomeRoutes(deps),
    ...auditRoutes(),
    ...webhookRoutes(deps),
    ...healthRoutes(deps),
  ]
}
