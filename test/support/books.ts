/** A month's books without processes and vendors: sales booked, runs played step by step. */
import { randomUUIDv7 } from 'node:crypto'
import { bookInvoice } from '../../activities/commission/payments.ts'
import type { ActivityDeps } from '../../activities/deps.ts'
import type { Activities } from '../../activities/index.ts'
import { draftRun } from '../../activities/settlement/calculation.ts'
import { recordMember } from '../../db/access.ts'
import { type Db, inTransaction } from '../../db/database.ts'
import { getProgramme } from '../../db/programmes.ts'
import { recordRun } from '../../db/settlement/runs.ts'
import { type InvoiceFacts, makeOrder, paidInvoice } from './factories.ts'
import { asSteps } from './steps.ts'

export interface Books {
  steps: Activities
  newRun(period: string, mode?: 'live' | 'preview'): Promise<string>
  /** Drafts and totals; @returns the hash of the totals. */
  calculate(runId: string): Promise<string>
  /** A member of the platform owner. */
  person(email: string): Promise<string>
  /** The whole close of a month by two persons. @returns the run. */
  settle(period: string): Promise<string>
  /** A customer of the partner pays an invoice. */
  sell(partnerId: string, sale: InvoiceFacts & { paidAt: string }): Promise<void>
}

export function openBooks(db: Db): Books {
  // These steps use the database only.
  const steps = asSteps({ db } as ActivityDeps)
  const books: Books = {
    steps,
    async newRun(period, mode = 'live') {
      const programme = await getProgramme(db)
      const id = randomUUIDv7()
      const run = await inTransaction(db, (trx) =>
        recordRun(trx, { id, programmeId: programme.id, period, mode, requestedBy: null }),
      )
      return run.id
    },
    async calculate(runId) {
      await draftRun(steps, runId)
      return steps.totalStatements({ runId })
    },
    person: (email) =>
      inTransaction(db, (trx) =>
        recordMember(trx, { id: randomUUIDv7(), partnerId: null, name: email, email }),
      ),
    async settle(period) {
      const runId = await books.newRun(period)
      await steps.freezePeriod({ runId })
      const totalsHash = await books.calculate(runId)
      const memberId = await books.person('one@platform.example')
      await steps.recordReview({ runId, memberId, totalsHash })
      const second = await books.person('two@platform.example')
      await steps.recordRelease({ runId, memberId: second, totalsHash })
      while ((await steps.issueStatements({ runId })) > 0);
      await steps.closePeriod({ runId })
      return runId
    },
    async sell(partnerId, sale) {
      const order = await makeOrder(db, partnerId)
      await bookInvoice({ db }, paidInvoice(order, { net: 10_000n, ...sale }))
    },
  }
  return books
}
