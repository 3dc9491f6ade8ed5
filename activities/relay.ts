/**
 * Starts what is committed but not running. The API writes a row first and starts its process
 * second; between the two a crash or a lost server leaves a row that nobody works on. What was
 * booked since the last round is sealed with it.
 */
import { type Db, inTransaction } from '../db/database.ts'
import { listWaitingVendors } from '../db/inbox.ts'
import {
  listOpenOffboardings,
  listUnsubscribedTenants,
  reopeningTask,
} from '../db/lifecycle/offboardings.ts'
import { listTerminatedInTraining } from '../db/lifecycle/terminations.ts'
import { removeFullBuckets } from '../db/limits.ts'
import { recordManualTask } from '../db/manual-tasks.ts'
import { getApplication, listOpenApplications } from '../db/onboarding/applications.ts'
import { releaseOldHolds } from '../db/partner-holds.ts'
import { listUnendedExceptions, openHoldCases } from '../db/payout-exceptions.ts'
import { listClosedRunsToPay } from '../db/payouts.ts'
import { getProgramme } from '../db/programmes.ts'
import { removeOldRequestKeys } from '../db/requests.ts'
import { sealJournals } from '../db/seals.ts'
import { listOpenRuns } from '../db/settlement/runs.ts'
import { listPendingSubscriptions } from '../db/subscriptions.ts'
import { listOpenClaims } from '../db/tenant-domains.ts'
import { expireReservations } from '../db/territories.ts'
import { listUnwatchedCertificates } from '../db/training/certificates.ts'
import { processPeriod } from '../domain/cadence.ts'
import { outwardId } from '../domain/ids.ts'
import { offboardingDeadlines, reopenedFrom } from '../domain/lifecycle.ts'
import { isDecided, onboardingDeadlines } from '../domain/onboarding.ts'
import { signalNames, workflowIds, workflowTypes } from '../domain/process-names.ts'
import { VendorError } from '../integrations/vendor-error.ts'
import { sendAccessMails } from './access-mails.ts'
import type { ActivityDeps } from './deps.ts'
import { sendKeyNotices } from './key-notices.ts'
import { sendStatusMails } from './lifecycle/status-mails.ts'
import { effectDueTerminations } from './lifecycle/terminations.ts'
import { startException, tellException } from './payout-exceptions/tell.ts'
import { platformSubscriptionActivities } from './provisioning.ts'
import { sendDisputeMails } from './settlement/line-disputes.ts'
import { tellOfOverduePeriods } from './settlement/overdue.ts'
import { keepTaxForms } from './tax/forms.ts'
import { startReacceptances } from './terms.ts'
import { sendTierMails } from './tier-mails.ts'

/** In one round; what is left waits for the next. */
const mostForgotten = 5_000

/** So many applications are looked after in one round; of more, each has its turn. */
const mostApplications = 500

/** Younger rows are about to be started by the request that wrote them. */
const graceSeconds = 30

export function relayActivities(deps: ActivityDeps) {
  const { db, processes } = deps
  const { openPlatformSubscription } = platformSubscriptionActivities(deps)

  async function startOnboardings(): Promise<void> {
    const { deadlines } = await getProgramme(db)
    const round = Math.floor(Date.now() / 60_000)
    const open = { olderThanSeconds: graceSeconds, round, most: mostApplications }
    for (const id of await listOpenApplications(db, open)) {
      const { parentId, stage, status } = await getApplication(db, id)
      // What is done must not be done anew, and what is decided is not decided again.
      const from =
        stage === 'training' ? { from: stage } : isDecided(status) ? { from: 'provisioning' } : {}
      await processes.ensureRunning({
        type: workflowTypes.partnerOnboarding,
        workflowId: workflowIds.onboarding(id),
        input: { applicationId: id, parentId, deadlines: onboardingDeadlines(deadlines), ...from },
      })
    }
  }

  /** Whoever waits for a certificate of a partner that was terminated waits for nothing. */
  async function endTrainings(): Promise<void> {
    for (const id of await listTerminatedInTraining(db)) {
      const signal = signalNames.trainingChanged
      await processes.tell({ workflowId: workflowIds.onboarding(id), signal })
    }
  }

  /**
   * Who stays, after its termination was taken back, pays for its environment again. A refusal of
   * the vendor is left to a person.
   */
  async function reopenSubscriptions(): Promise<void> {
    for (const { tenantId, departures } of await listUnsubscribedTenants(db)) {
      const attempt = reopenedFrom + departures
      try {
        await openPlatformSubscription({ tenantId, attempt, tries: 1 })
      } catch (error) {
        if (!(error instanceof VendorError)) throw error
        if (error.failure === 'rejected') await leaveToPerson(db, tenantId, attempt)
      }
    }
  }

  async function startSubscriptions(): Promise<void> {
    const { deadlines } = await getProgramme(db)
    for (const id of await listPendingSubscriptions(db, graceSeconds)) {
      await processes.ensureRunning({
        type: workflowTypes.subscriptionSetup,
        workflowId: workflowIds.subscription(id),
        input: { subscriptionId: id, firstPaymentExpiry: deadlines.firstPaymentExpiry },
      })
    }
  }

  async function startDomains(): Promise<void> {
    const { deadlines } = await getProgramme(db)
    for (const { id } of await listOpenClaims(db, graceSeconds)) {
      await processes.ensureRunning({
        type: workflowTypes.domainVerification,
        workflowId: workflowIds.domain(id),
        input: {
          domainId: id,
          reminders: deadlines.domainReminders,
          expiry: deadlines.domainExpiry,
        },
      })
    }
  }

  async function startSettlements(): Promise<void> {
    const { deadlines } = await getProgramme(db)
    const { releaseReminder, releaseEscalation } = deadlines
    const reminders = { releaseReminder, releaseEscalation }
    for (const run of await listOpenRuns(db, graceSeconds)) {
      const { id, mode, number } = run
      const period = mode === 'live' ? processPeriod(run) : run.period
      const workflowId =
        mode === 'live'
          ? workflowIds.settlement(period)
          : workflowIds.settlementPreview(period, number)
      await processes.ensureRunning({
        type: workflowTypes.monthlySettlement,
        workflowId,
        input: { runId: id, period, mode, ...reminders },
      })
    }
  }

  async function startCertifications(): Promise<void> {
    const unwatched = await listUnwatchedCertificates(db, graceSeconds)
    if (unwatched.length === 0) return
    const { deadlines } = await getProgramme(db)
    for (const certificateId of unwatched) {
      await processes.ensureRunning({
        type: workflowTypes.certification,
        workflowId: workflowIds.certification(certificateId),
        input: { certificateId, reminders: deadlines.certificateReminders },
      })
    }
  }

  /** A partner whose hold is over gets what earlier months kept for it. */
  async function startPayouts(): Promise<void> {
    for (const { id, period } of await listClosedRunsToPay(db)) {
      await processes.ensureRunning({
        type: workflowTypes.payoutBatch,
        workflowId: workflowIds.payout(period, 0),
        input: { runId: id },
      })
    }
  }

  async function startOffboardings(): Promise<void> {
    const { deadlines } = await getProgramme(db)
    for (const row of await listOpenOffboardings(db)) {
      const { id: offboardingId, tenantId, requestedBy, exportWanted, legalHold } = row
      await processes.ensureRunning({
        type: workflowTypes.tenantOffboarding,
        workflowId: workflowIds.offboarding(tenantId),
        input: {
          ...{ offboardingId, tenantId, requestedBy, exportWanted, legalHold },
          deadlines: offboardingDeadlines(deadlines),
        },
      })
    }
  }

  /** Payouts that wait for a person, and those whose process has not heard of the end. */
  async function startExceptions(): Promise<void> {
    const { deadlines } = await getProgramme(db)
    await openHoldCases(db, deadlines.payoutHoldCase)
    for (const { id, closedAt } of await listUnendedExceptions(db)) {
      if (closedAt) await tellException(deps, id)
      else await startException(deps, id)
    }
  }

  async function releaseBankChanges(): Promise<void> {
    const { deadlines } = await getProgramme(db)
    await releaseOldHolds(db, { cause: 'bank_change', seconds: deadlines.bankChangeHold })
  }

  async function wakeInboxes(): Promise<void> {
    for (const vendor of await listWaitingVendors(db)) {
      await processes.wake({
        type: workflowTypes.webhookInbox,
        workflowId: workflowIds.inbox(vendor),
        input: { vendor },
        signal: signalNames.inboxWake,
      })
    }
  }

  return {
    /** One round over everything that may have been left behind. */
    async sweep(): Promise<void> {
      await wakeInboxes()
      await startOnboardings()
      await startSubscriptions()
      await startDomains()
      await startSettlements()
      await effectDueTerminations(deps)
      await startReacceptances(deps)
      await endTrainings()
      await startOffboardings()
      await reopenSubscriptions()
      await startPayouts()
      await startExceptions()
      await releaseBankChanges()
      await startCertifications()
      await expireReservations(db)
      await sealJournals(db)
      await sendAccessMails(deps)
      await sendKeyNotices(deps)
      await sendStatusMails(deps)
      await sendTierMails(deps)
      await sendDisputeMails(deps)
      await tellOfOverduePeriods(deps)
      await keepTaxForms(deps)
      await forgetOldRequests(db)
    },
  }
}

function leaveToPerson(db: Db, tenantId: string, attempt: number): Promise<void> {
  return inTransaction(db, (trx) =>
    recordManualTask(trx, {
      taskKey: reopeningTask(tenantId, attempt - reopenedFrom),
      kind: 'subscription',
      subject: outwardId('tenant', tenantId),
      what: 'openPlatformSubscription',
    }),
  )
}

/** Limits that are full again, and answers that nobody repeats a request for any more. */
async function forgetOldRequests(db: Db): Promise<void> {
  await removeFullBuckets(db, mostForgotten)
  await removeOldRequestKeys(db, mostForgotten)
}
