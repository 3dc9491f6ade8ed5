/** Commission earned: what was accrued, and why. */
import { sql } from 'kysely'
import type { Months } from '../../domain/cadence.ts'
import type { Limit, Rounding } from '../../domain/commission.ts'
import type { TierName } from '../../domain/tiers.ts'
import type { Db, Trx } from '../database.ts'
import { type Page, type PageRequest, pageOf } from '../paging.ts'
import type { Columns } from '../rows.ts'

export interface NewAccrual {
  linePaymentId: string
  partnerId: string
  depth: number
  ruleId: string
  baseMinor: bigint
  rateNum: bigint | null
  rateDen: bigint | null
  rounding: Rounding
  currency: string
  amountMinor: bigint
  targetMinor: bigint
  limitedBy: Limit | null
  tier: TierName | null
  volumeMinor: bigint | null
  period: string
  maturesAt: Date
}

/** Accruals that count for bands: not those that a rule was chosen for and gave nothing. */
export const countedForBands = sql`accrual.volume_minor is not null
  and (accrual.limited_by is null or accrual.limited_by not in ('window', 'setup_fee'))`

/** For `recordAccruals` (postings.ts), which keeps and posts them in one statement. */
export const accrualColumns: Columns<NewAccrual> = {
  linePaymentId: 'uuid',
  partnerId: 'uuid',
  depth: 'integer',
  ruleId: 'uuid',
  baseMinor: 'bigint',
  rateNum: 'bigint',
  rateDen: 'bigint',
  rounding: 'text',
  currency: 'text',
  amountMinor: 'bigint',
  targetMinor: 'bigint',
  limitedBy: 'text',
  tier: 'text',
  volumeMinor: 'bigint',
  period: 'text',
  maturesAt: 'timestamptz',
}

export type AccrualRow = NonNullable<Awaited<ReturnType<typeof findAccrual>>>

function accrualQuery(db: Db) {
  return db
    .selectFrom('accruals')
    .innerJoin('linePayments', 'linePayments.id', 'accruals.linePaymentId')
    .innerJoin('payments', 'payments.id', 'linePayments.paymentId')
    .select([
      'accruals.id',
      'accruals.partnerId',
      'accruals.depth',
      'accruals.amountMinor',
      'accruals.currency',
      'accruals.period',
      'accruals.maturesAt',
      'payments.id as paymentId',
      'payments.customerId',
      'linePayments.paidAt',
    ])
}

export async function findAccrual(db: Db, id: string) {
  return accrualQuery(db).where('accruals.id', '=', id).executeTakeFirst()
}

/** That a column of months is among some. */
export const isAmong = (column: string, { since, period }: Months) =>
  sql<boolean>`${sql.ref(column)} between ${since} and ${period}`

export interface EarningsFilter extends PageRequest {
  partnerId?: string | undefined
  months?: Months | undefined
}

export async function listAccruals(db: Db, filter: EarningsFilter): Promise<Page<AccrualRow>> {
  let query = accrualQuery(db)
    .orderBy('accruals.id', 'desc')
    .limit(filter.limit + 1)
  if (filter.after) query = query.where('accruals.id', '<', filter.after)
  if (filter.partnerId) query = query.where('accruals.partnerId', '=', filter.partnerId)
  if (filter.months) query = query.where(isAmong('accruals.period', filter.months))
  return pageOf(await query.execute(), filter.limit)
}

/** Every accrual there is, as it was made, with its payment at the vendor. */
export async function listAllAccruals(trx: Trx) {
  return trx
    .selectFrom('accruals')
    .innerJoin('linePayments', 'linePayments.id', 'accruals.linePaymentId')
    .innerJoin('payments', 'payments.id', 'linePayments.paymentId')
    .select([
      'accruals.id',
      'accruals.partnerId',
      'accruals.depth',
      'accruals.ruleId',
      'accruals.amountMinor',
      'linePayments.allocationUnit as unit',
      'payments.vendorPaymentId as payment',
    ])
    .orderBy('accruals.id')
    .execute()
}

/** Every line that was paid, with its payment at the vendor. */
export async function listAllLines(trx: Trx) {
  return trx
    .selectFrom('linePayments')
    .innerJoin('payments', 'payments.id', 'linePayments.paymentId')
    .select([
      'linePayments.baseMinor',
      'linePayments.allocationUnit as unit',
      'payments.vendorPaymentId as payment',
    ])
    .orderBy('linePayments.id')
    .execute()
}
