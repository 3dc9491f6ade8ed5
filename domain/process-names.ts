/**
 * The names by which processes are started, signalled and found. Ids are business keys: starting
 * the same process twice is safe by construction.
 */
import { outwardId } from './ids.ts'

export const taskQueue = 'tributary'

export const workflowTypes = {
  partnerOnboarding: 'partnerOnboarding',
  tenantProvisioning: 'tenantProvisioning',
  domainVerification: 'domainVerification',
  subscriptionSetup: 'subscriptionSetup',
  termsReacceptance: 'termsReacceptance',
  webhookInbox: 'webhookInbox',
  settlementDispatch: 'settlementDispatch',
  monthlySettlement: 'monthlySettlement',
  payoutBatch: 'payoutBatch',
  payoutException: 'payoutException',
  tierReview: 'tierReview',
  tierGrace: 'tierGrace',
  rescreening: 'rescreening',
  reconciliation: 'reconciliation',
  sweeper: 'sweeper',
  kycReverification: 'kycReverification',
  verificationUpkeep: 'verificationUpkeep',
  certification: 'certification',
  welcomeSequence: 'welcomeSequence',
  tenantOffboarding: 'tenantOffboarding',
} as const
export type WorkflowType = keyof typeof workflowTypes

export const signalNames = {
  inboxWake: 'inboxWake',
  agreementChanged: 'agreementChanged',
  verificationChanged: 'verificationChanged',
  subscriptionChanged: 'subscriptionChanged',
  balanceAvailable: 'balanceAvailable',
  runResumed: 'runResumed',
  payoutChanged: 'payoutChanged',
  trainingChanged: 'trainingChanged',
  certificateChanged: 'certificateChanged',
  metricsUpdated: 'metricsUpdated',
} as const
export type SignalName = keyof typeof signalNames

export type Vendor = 'stripe' | 'docusign'

/** A small programme has one shard; large ones have several. */
const shardLabel = (shard: number) => `s${shard.toString().padStart(2, '0')}`

export const workflowIds = {
  onboarding: (applicationId: string) => `onboarding:${outwardId('application', applicationId)}`,
  provisioning: (tenantId: string) => `provisioning:${outwardId('tenant', tenantId)}`,
  domain: (domainId: string) => `domain-verify:${outwardId('tenantDomain', domainId)}`,
  subscription: (subscriptionId: string) =>
    `subscription:${outwardId('subscription', subscriptionId)}`,
  terms: (termsId: string, partnerId: string) =>
    `terms:${outwardId('agreementTerms', termsId)}:${outwardId('partner', partnerId)}`,
  inbox: (vendor: Vendor) => `inbox:${vendor}`,
  settlement: (period: string) => `settlement:${period}`,
  settlementPreview: (period: string, number: number) => `settlement:${period}:preview:${number}`,
  payout: (period: string, shard: number) => `payout:${period}:${shardLabel(shard)}`,
  payoutException: (payoutId: string) => `payout-exception:${outwardId('payout', payoutId)}`,
  tiers: (period: string) => `tiers:${period}`,
  /** Of a partner and the period whose review found its figure too small. */
  tierGrace: (partnerId: string, period: string) =>
    `tier-grace:${outwardId('partner', partnerId)}:${period}`,
  rescreening: 'rescreening',
  /** With the time of its firing, which the schedule adds. */
  reconciliation: 'reconcile',
  sweeper: 'sweeper',
  reverification: (partnerId: string) => `kyc:${outwardId('partner', partnerId)}`,
  verificationUpkeep: 'verification-upkeep',
  certification: (certificateId: string) =>
    `certification:${outwardId('certificate', certificateId)}`,
  offboarding: (tenantId: string) => `offboard:${outwardId('tenant', tenantId)}`,
  welcome: (partnerId: string) => `welcome:${outwardId('partner', partnerId)}`,
}

export const scheduleIds = {
  settlement: 'settlement-monthly',
  settlementQuarterly: 'settlement-quarterly',
  settlementWeekly: 'settlement-weekly',
  rescreening: 'rescreening-nightly',
  reconciliation: 'reconciliation-daily',
  sweeper: 'sweeper',
  verificationUpkeep: 'verification-upkeep',
}
