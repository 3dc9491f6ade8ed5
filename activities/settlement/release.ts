/** Review, release, and what a release sets in motion. */
import { listPlatformMembers } from '../../db/access.ts'
import { inTransaction, type Trx } from '../../db/database.ts'
import { type Journal, recordJournals } from '../../db/ledger.ts'
import { listTerminationReasons } from '../../db/lifecycle/terminations.ts'
import { listHeldAmong } from '../../db/partner-holds.ts'
import { listPayoutAccountsOf, recordPayouts } from '../../db/payouts.ts'
import { bookingPeriod } from '../../db/periods.ts'
import { getProgramme } from '../../db/programmes.ts'
import { markRunProblem, markRunReleased, markRunReviewed } from '../../db/settlement/run-marks.ts'
import { getRun, lockRun, type RunRow } from '../../db/settlement/runs.ts'
import { countShards } from '../../db/settlement/shards.ts'
import { recordStatementHolds } from '../../db/settlement/statement-holds.ts'
import { lockDraftPage, markStatementsIssued } from '../../db/settlement/statements.ts'
import { placeTaxHolds } from '../../db/tax/holds.ts'
import { stretchOf } from '../../domain/cadence.ts'
import { DomainError } from '../../domain/errors.ts'
import { forfeits } from '../../domain/lifecycle.ts'
import { holdReasonOf, payDay } from '../../domain/payouts.ts'
import { releaseRefusal } from '../../domain/settlement.ts'
import { mails } from '../../integrations/email-templates/index.ts'
import type { ActivityDeps } from '../deps.ts'
import { notifyOrPass } from '../notices.ts'
import { bookTaxParts, issueSelfBilling, listTaxParts } from '../tax/self-billing.ts'
import { bookWithholding } from '../tax/withholding.ts'

interface Signature {
  runId: string
  memberId: string
  totalsHash: string
}

type Draft = Awaited<ReturnType<typeof lockDraftPage>>[number]

const statementsPerPage = 500
/** More than these is another step, so that no history grows long and every step can be seen. */
const pagesAtOnce = 20

function refuseCancelled({ cancelledAt }: RunRow): void {
  if (cancelledAt) throw new DomainError('run_finished', 'this run is cancelled')
}

export function releaseActivities(deps: ActivityDeps) {
  const { db } = deps
  return {
    /** Where the run stands in the books, for a process that is started again. */
    async readRun({ runId }: { runId: string }) {
      const run = await getRun(db, runId)
      const { stage, totalsHash } = run
      const shards = await countShards(db, runId)
      return {
        stage,
        totalsHash,
        shards,
        reviewed: run.reviewedBy !== null,
        released: run.releasedBy !== null,
        paused: run.pausedAt !== null,
        rejected: run.rejectedAt !== null,
        cancelled: run.cancelledAt !== null,
      }
    },

    /** Reminds the people of the platform owner of a run that waits for them. */
    async mailReleasers({ runId, occurrence }: { runId: string; occurrence: string }) {
      const { name: period, reviewedBy } = await getRun(db, runId)
      for (const member of await listPlatformMembers(db)) {
        if (member.id === reviewedBy) continue
        await notifyOrPass(
          deps,
          {
            kind: 'release_reminder',
            subjectId: runId,
            recipient: member.email,
            occurrence: `${occurrence}:${member.id}`,
          },
          mails.releaseReminder({
            member: member.name,
            period,
            missing: reviewedBy === null ? 'a review' : 'the release by a second person',
          }),
        )
      }
    },

    /** @throws DomainError `totals_changed` when other totals were seen than those of the run. */
    async recordReview({ runId, memberId, totalsHash }: Signature): Promise<void> {
      await inTransaction(db, async (trx) => {
        const run = await lockRun(trx, runId)
        refuseCancelled(run)
        if (run.totalsHash !== totalsHash) {
          throw new DomainError('totals_changed', 'the totals of this run have changed')
        }
        await markRunReviewed(trx, runId, { memberId })
      })
    },

    /** @throws DomainError `not_reviewed`, `totals_changed`, `second_person_required` */
    async recordRelease({ runId, memberId, totalsHash }: Signature): Promise<void> {
      await inTransaction(db, async (trx) => {
        const run = await lockRun(trx, runId)
        if (run.releasedBy === memberId) return
        refuseCancelled(run)
        const refusal = releaseRefusal(run, { memberId, totalsHash })
        if (refusal) throw new DomainError(refusal, 'this run may not be released like this')
        await markRunReleased(trx, runId, { memberId })
      })
    },

    /**
     * Issues the next statements of a released run, page by page.
     * @returns how many were issued; 0 when all are.
     */
    async issueStatements({ runId }: { runId: string }): Promise<number> {
      let issued = 0
      for (let pages = 0; pages < pagesAtOnce; pages++) {
        const more = await inTransaction(db, (trx) => issuePage(trx, runId))
        issued += more
        if (more < statementsPerPage) break
      }
      return issued
    },

    /** Shows on the run what a person has to know. */
    async reportProblem({ runId, problem }: { runId: string; problem: string }): Promise<void> {
      await markRunProblem(db, runId, problem)
    },
  }
}

/** Number, settlement journal, payout and its reserve of the next statements: one transaction. */
async function issuePage(trx: Trx, runId: string): Promise<number> {
  const run = await getRun(trx, runId)
  if (!run.releasedBy) throw new DomainError('not_reviewed', 'the run is not released')
  const drafts = await lockDraftPage(trx, { runId, size: statementsPerPage })
  if (drafts.length === 0) return 0
  const ids = drafts.map(({ id }) => id)
  await markStatementsIssued(trx, { runId, name: run.name, ids })
  await recordHeldCauses(trx, run, drafts)
  await recordJournals(trx, drafts.map(settlementJournal))
  await recordJournals(trx, drafts.flatMap(conversionJournal))
  await bookWithholding(trx, drafts, run.releasedAt ?? run.cutoffAt)
  await issueSelfBilling(trx, drafts, run.releasedAt ?? run.cutoffAt)
  await reservePayouts(trx, drafts, run)
  return drafts.length
}

/** Keeps with each statement why it holds what it holds. */
async function recordHeldCauses(trx: Trx, run: RunRow, drafts: Draft[]): Promise<void> {
  const holding = drafts.filter(({ heldMinor }) => heldMinor > 0n)
  if (holding.length === 0) return
  const ended = await listTerminationReasons(
    trx,
    holding.map(({ partnerId }) => partnerId),
  )
  await recordStatementHolds(trx, {
    statementIds: holding.map(({ id }) => id),
    takesEntries: run.takesEntries,
    forfeitedBy: [...ended].filter(([, reason]) => forfeits(reason)).map(([id]) => id),
  })
}

/** Moves what the period earned from accrued to payable; a loss moves the other way. */
function settlementJournal(draft: Draft): Journal {
  const net = draft.earnedMinor - draft.clawedBackMinor + draft.adjustmentsMinor
  const accrued = { purpose: 'partner_accrued', partnerId: draft.partnerId } as const
  const payable = { purpose: 'partner_payable', partnerId: draft.partnerId } as const
  const { currency, period, periodName } = draft
  return {
    kind: 'settlement',
    sourceType: 'statement',
    sourceId: draft.id,
    period,
    effectiveAt: stretchOf(periodName ?? period).until,
    postings: [
      net >= 0n
        ? { debit: accrued, credit: payable, currency, amount: net }
        : { debit: payable, credit: accrued, currency, amount: -net },
    ],
  }
}

/** What a statement pays after tax, in the currency in which the partner is paid. */
function payoutOf(draft: Draft) {
  const { id, runId, partnerId, currency, payableMinor, payoutCurrency, payoutMinor } = draft
  const source = { statementId: id, runId, partnerId }
  const { withheldMinor: tax } = draft
  return payoutCurrency && payoutMinor !== null
    ? { ...source, currency: payoutCurrency, amountMinor: payoutMinor - tax }
    : { ...source, currency, amountMinor: payableMinor - tax }
}

/** Moves what is payable into the currency of the payout; what the step left is rounding. */
function conversionJournal(draft: Draft): Journal[] {
  const { payoutCurrency, payoutMinor, payoutRestMinor, period, periodName } = draft
  if (!payoutCurrency || payoutMinor === null || payoutRestMinor === null) return []
  const payable = { purpose: 'partner_payable', partnerId: draft.partnerId } as const
  const clearing = { purpose: 'fx_clearing' } as const
  return [
    {
      kind: 'fx',
      sourceType: 'statement',
      sourceId: draft.id,
      period,
      effectiveAt: stretchOf(periodName ?? period).until,
      postings: [
        { debit: payable, credit: clearing, currency: draft.currency, amount: draft.payableMinor },
        { debit: clearing, credit: payable, currency: payoutCurrency, amount: payoutMinor },
        {
          debit: clearing,
          credit: { purpose: 'fx_rounding' },
          currency: payoutCurrency,
          amount: payoutRestMinor,
        },
      ],
    },
  ]
}

/** Takes what will be paid out of the partner's balance before anything is sent. */
async function reservePayouts(trx: Trx, drafts: Draft[], run: RunRow): Promise<void> {
  const { name, releasedAt: releasedOrNot, cutoffAt } = run
  const releasedAt = releasedOrNot ?? cutoffAt
  const due = drafts.map(payoutOf).filter(({ amountMinor }) => amountMinor > 0n)
  const partnerIds = due.map((draft) => draft.partnerId)
  const accounts = await listPayoutAccountsOf(trx, partnerIds)
  const { onboarding } = await getProgramme(trx)
  await placeTaxHolds(trx, { mode: onboarding.taxFormRequired, partnerIds })
  const held = await listHeldAmong(trx, partnerIds)
  const tax = await listTaxParts(trx, due, drafts)
  const payouts = await recordPayouts(
    trx,
    due.map((draft) => {
      const account = accounts.get(draft.partnerId)
      const part = tax.get(draft.statementId)
      return {
        ...draft,
        amountMinor: draft.amountMinor + (part?.paid ?? 0n),
        vatMinor: part?.paid ?? 0n,
        vatOwedMinor: part?.owed.amount ?? 0n,
        holdReason: holdReasonOf(account, held.get(draft.partnerId) ?? null),
        payOn: payDay(name, onboarding.payNetDays),
        vendorAccountId: account?.vendorAccountId ?? null,
      }
    }),
  )
  if (payouts.length === 0) return
  const period = await bookingPeriod(trx, releasedAt)
  await recordJournals(
    trx,
    payouts.map((payout) => ({
      kind: 'payout_reserve',
      sourceType: 'payout',
      sourceId: payout.id,
      period,
      effectiveAt: releasedAt,
      postings: [
        {
          debit: { purpose: 'partner_payable', partnerId: payout.partnerId },
          credit: { purpose: 'payout_in_transit' },
          currency: payout.currency,
          amount: payout.amountMinor - payout.vatMinor,
        },
      ],
    })),
  )
  const taxed = payouts.flatMap((payout) => {
    const part = tax.get(payout.statementId)
    return part ? [{ ...payout, part }] : []
  })
  await bookTaxParts(trx, taxed, { period, effectiveAt: releasedAt })
}
