/** The processes that a worker runs. */
export { settlementDispatch, sweeper } from './dispatch.ts'
export { webhookInbox } from './inbox.ts'
export { partnerOnboarding } from './onboarding.ts'
export { payoutBatch } from './payouts.ts'
export { tenantProvisioning } from './provisioning.ts'
export { monthlySettlement } from './settlement.ts'
export { subscriptionSetup } from './subscriptions.ts'
export { tierReview } from './tiers.ts'
