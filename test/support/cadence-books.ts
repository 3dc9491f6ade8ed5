/** Books of one partner whose programme settles by weeks, and changes how it settles. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { bookInvoice } from '../../activities/commission/payments.ts'
import { bookRefund } from '../../activities/commission/reversals.ts'
import { publishRules } from '../../db/commission/rules.ts'
import { type Db, inTransaction } from '../../db/database.ts'
import { getProgramme } from '../../db/programmes.ts'
import { recordRunDecision } from '../../db/settlement/decisions.ts'
import { getRun } from '../../db/settlement/runs.ts'
import type { Cadence } from '../../domain/cadence.ts'
import { basisPoints } from '../../domain/money.ts'
import type { RunDecisionKind } from '../../domain/settlement.ts'
import type { StripeBilling } from '../../integrations/stripe-billing.ts'
import { openBooks } from './books.ts'
import { makeOrder, makePartner, makeProgramme, paidInvoice, unique } from './factories.ts'

export type CadenceBooks = Awaited<ReturnType<typeof openCadenceBooks>>

/** A programme of its own with one partner; a sale of 100.00 earns 20.00. */
export async function openCadenceBooks(db: Db, settlementCadence: Cadence = 'weekly') {
  await makeProgramme(db, { onboarding: { settlementCadence } })
  const partnerId = await makePartner(db)
  const books = openBooks(db)
  const { steps } = books

  return {
    ...books,
    db,
    partnerId,
    sold: (at: string, net = 10_000n, to = partnerId) => books.sell(to, { paidAt: at, net }),

    /** A sale, and the whole of it given back at another time. */
    async soldAndRefunded(at: string, refundedAt: string): Promise<() => Promise<void>> {
      const invoice = paidInvoice(await makeOrder(db, partnerId), { net: 10_000n, paidAt: at })
      await bookInvoice({ db }, invoice)
      return async () => {
        const refund = {
          refundId: unique('re'),
          chargeId: invoice.payments[0]?.chargeId ?? null,
          currency: 'USD',
          amount: 10_000n,
          createdAt: new Date(refundedAt),
          failed: false,
        }
        const billing = { readRefund: async () => refund } as unknown as StripeBilling
        await bookRefund({ db, billing }, refund.refundId)
      }
    },

    /** From 150.00 in a month on, 20 % instead of 10 % on all of it: a true-up when it closes. */
    async publishCliff(): Promise<void> {
      const { id: programmeId } = await getProgramme(db)
      const bands = [
        { from: 0n, to: 15_000n, rate: basisPoints(1_000) },
        { from: 15_000n, to: null, rate: basisPoints(2_000) },
      ]
      const rule = {
        ...{ code: 'depth-0', depth: 0, terms: { kind: 'tiered_cliff' as const, bands } },
        scope: { link: null, partner: null, tier: null, product: null },
        ...{ validFrom: null, validTo: null, cap: null, floor: null, windowMonths: null },
        setupFee: false,
      }
      const from = new Date('2021-01-01T00:00:00Z')
      await inTransaction(db, (trx) =>
        publishRules(trx, { programmeId, rules: [rule], from, migratesAt: null }),
      )
    },

    async settleBy(cadence: Cadence): Promise<void> {
      await sql`update programmes set onboarding = onboarding
        || jsonb_build_object('settlementCadence', ${cadence}::text)`.execute(db)
    },

    /** A run up to its review. */
    async inReview(name: string): Promise<string> {
      const runId = await books.newRun(name)
      await steps.freezePeriod({ runId })
      await books.calculate(runId)
      await steps.enterStage({ runId, stage: 'review' })
      return runId
    },

    async decide(runId: string, kind: RunDecisionKind, about: object = {}): Promise<string> {
      const id = randomUUIDv7()
      const memberId = await books.person(`${unique('person')}@platform.example`)
      const decision = { id, runId, kind, memberId, reason: 'looked at by a person', ...about }
      await recordRunDecision(db, decision)
      await steps.applyRunDecision({ runId, decisionId: id })
      return id
    },

    /** Two signatures and the end. @returns the months that it closed. */
    async finish(runId: string): Promise<string[]> {
      const totalsHash = (await getRun(db, runId)).totalsHash ?? ''
      const memberId = await books.person('one@platform.example')
      await steps.recordReview({ runId, memberId, totalsHash })
      const second = await books.person('two@platform.example')
      await steps.recordRelease({ runId, memberId: second, totalsHash })
      while ((await steps.issueStatements({ runId })) > 0);
      return (await steps.closePeriod({ runId })).months
    },

    async statusOf(...months: string[]): Promise<(string | undefined)[]> {
      const rows = await db.selectFrom('accountingPeriods').select(['period', 'status']).execute()
      return months.map((month) => rows.find(({ period }) => period === month)?.status)
    },

    /** Issued statements in the order in which they were, with the payout of each. */
    statements: (id = partnerId) =>
      db
        .selectFrom('statements')
        .leftJoin('payouts', 'payouts.statementId', 'statements.id')
        .select([
          'statements.id',
          'statements.period',
          'statements.periodName as name',
          'statements.sincePeriod as since',
          'openingMinor as opening',
          'earnedMinor as earned',
          'clawedBackMinor as clawedBack',
          'heldMinor as held',
          'payableMinor as payable',
          'carriedMinor as carried',
          'documentNumber as number',
          'payouts.amountMinor as paid',
        ])
        .where('statements.partnerId', '=', id)
        .where('issuedAt', 'is not', null)
        .orderBy('statements.id')
        .execute(),

    async taken(): Promise<number> {
      const rows = await db.selectFrom('statementEntries').select('entryId').execute()
      return rows.length
    },
  }
}
