/** What documents are or would be written about statements, as partners stand. */
import { stretchOf } from '../../domain/cadence.ts'
import { dayOf } from '../../domain/period.ts'
import { type SelfBillingPlan, selfBillingPlan, vatTermsOf } from '../../domain/self-billing.ts'
import type { Db } from '../database.ts'
import type { PageRequest } from '../paging.ts'
import { type Page, pageOf } from '../paging.ts'
import { listCreditableInvoices, listSelfBillingStandings } from './self-billing.ts'

/** What of a statement documents are about. */
export interface Earning {
  id: string
  partnerId: string
  period: string
  /** What it is about, where that is no month. */
  periodName: string | null
  currency: string
  earnedMinor: bigint
  clawedBackMinor: bigint
}

/** What is or would be written about a statement, with the rows that it refers to. */
export interface Planned<T extends Earning> extends SelfBillingPlan {
  statement: T
  profileId: string | null
  agreementId: string | null
}

export const netOf = ({ earnedMinor, clawedBackMinor }: Earning) => earnedMinor - clawedBackMinor

/** The last day of a period, by whose rate its commission is taxed. */
const lastDayOf = ({ period, periodName }: Earning) =>
  dayOf(new Date(stretchOf(periodName ?? period).until.getTime() - 1))

/**
 * Plans the documents of statements of one period, as partners stand at an instant. Four look-ups,
 * however many statements there are.
 */
export async function listSelfBillingPlans<T extends Earning>(
  db: Db,
  statements: T[],
  at: Date,
): Promise<Planned<T>[]> {
  const [first] = statements
  if (!first) return []
  const partnerIds = statements.map(({ partnerId }) => partnerId)
  const day = lastDayOf(first)
  const standings = await listSelfBillingStandings(db, { partnerIds, day })
  const losing = statements.filter((statement) => netOf(statement) < 0n)
  const creditable = await listCreditableInvoices(
    db,
    losing.map(({ partnerId }) => partnerId),
  )
  return statements.map((statement) => {
    const { partnerId, currency } = statement
    const standing = standings.get(partnerId)
    const none = { profile: null, agreement: null, rate: null }
    const terms = vatTermsOf(standing ?? none, dayOf(at))
    const invoices = creditable.filter(
      (invoice) => invoice.partnerId === partnerId && invoice.currency === currency,
    )
    return {
      ...selfBillingPlan(netOf(statement), terms, invoices),
      statement,
      profileId: standing?.profileId ?? null,
      agreementId: standing?.agreementId ?? null,
    }
  })
}

/** Drafts of a run, in the order of their ids. */
export async function listDraftEarnings(
  db: Db,
  { runId, after, limit }: { runId: string } & PageRequest,
): Promise<Page<Earning>> {
  let query = db
    .selectFrom('statements')
    .select(['id', 'partnerId', 'period', 'periodName', 'currency'])
    .select(['earnedMinor', 'clawedBackMinor'])
    .where('runId', '=', runId)
    .where('issuedAt', 'is', null)
    .orderBy('id')
    .limit(limit + 1)
  if (after) query = query.where('id', '>', after)
  return pageOf(await query.execute(), limit)
}
