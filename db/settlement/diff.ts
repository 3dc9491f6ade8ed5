/** A run beside the one before it: whose statements are new, gone or changed, and their parts. */
import { type RawBuilder, sql } from 'kysely'
import { previousName } from '../../domain/cadence.ts'
import type { ChangeKind, EarnedPart } from '../../domain/settlement-diff.ts'
import type { Db } from '../database.ts'
import type { PageRequest } from '../paging.ts'
import { type EntryKind, isOfStatement, withinMonth } from './entries.ts'
import type { RunRow } from './runs.ts'
import { inWeekOf, isOfWeek } from './weeks.ts'

/**
 * The live run before this one that was released; of a week that is only looked at, the newest
 * preview of the week before it. Undefined for the first.
 */
export async function findRunBefore(db: Db, run: RunRow) {
  if (run.cadence === 'weekly' && !run.takesEntries) {
    return db
      .selectFrom('settlementRuns')
      .select(['id', 'name'])
      .where('programmeId', '=', run.programmeId)
      .where('name', '=', previousName(run.name))
      .where('mode', '=', 'preview')
      .where('stage', '=', 'review')
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst()
  }
  return db
    .selectFrom('settlementRuns')
    .select(['id', 'name'])
    .where('programmeId', '=', run.programmeId)
    .where('mode', '=', 'live')
    .where('releasedAt', 'is not', null)
    .where('cutoffAt', '<', run.cutoffAt)
    .orderBy('cutoffAt', 'desc')
    .limit(1)
    .executeTakeFirst()
}

export interface DiffFilter extends PageRequest {
  runId: string
  /** Null where there was none. */
  beforeId: string | null
  change?: ChangeKind | undefined
  /** In minor units of the statement's currency. */
  aboveAmount?: number | undefined
  aboveBps?: number | undefined
}

export interface DiffFigures {
  id: string
  sincePeriod: string | null
  opening: bigint
  earned: bigint
  clawedBack: bigint
  adjustments: bigint
  closing: bigint
  held: bigint
  payable: bigint
  carried: bigint
}

export interface DiffRow {
  partnerId: string
  currency: string
  change: ChangeKind
  now: DiffFigures | null
  before: DiffFigures | null
  isExcluded: boolean
}

const net = (side: string) =>
  sql.raw(`(${side}.earned_minor - ${side}.clawed_back_minor + ${side}.adjustments_minor)`)

/** Above one of the limits; any difference where there is none. */
function exceeds({
  aboveAmount,
  aboveBps,
}: Pick<DiffFilter, 'aboveAmount' | 'aboveBps'>): RawBuilder<unknown> {
  const isAbove = (now: RawBuilder<unknown>, before: RawBuilder<unknown>) => {
    if (aboveAmount === undefined && aboveBps === undefined) return sql`${now} <> ${before}`
    const byAmount =
      aboveAmount === undefined ? sql`false` : sql`abs(${now} - ${before}) > ${aboveAmount}::bigint`
    const byShare =
      aboveBps === undefined
        ? sql`false`
        : sql`abs(${now} - ${before})::numeric * 10000 > ${aboveBps}::bigint * abs(${before})`
    return sql`(${byAmount} or ${byShare})`
  }
  const payable = [sql.raw('now.payable_minor'), sql.raw('before.payable_minor')] as const
  return sql`(${isAbove(...payable)} or ${isAbove(net('now'), net('before'))})`
}

/** Those of a run that was released are its statements as they are issued. */
const isCounted = sql.raw(`(before.issued_at is not null or ${isOfWeek('before')})`)

/**
 * The two ways in which a partner is found: by its statement in the run, beside that of before if
 * there is one; and by that of before alone. Each is read in the order of an index, so that a page
 * ends where it is full.
 */
function ways({ runId, beforeId, change, ...filter }: DiffFilter) {
  const narrowed = {
    any: sql`(before.id is null or ${exceeds(filter)})`,
    new: sql`before.id is null`,
    changed: exceeds(filter),
    gone: sql`false`,
  }
  return {
    present: sql`statements now
      left join statements before on before.run_id = ${beforeId}::uuid
        and before.partner_id = now.partner_id and before.currency = now.currency
        and ${isCounted}
      where now.run_id = ${runId} and ${narrowed[change ?? 'any']}`,
    gone: sql`statements before left join statements now on false
      where before.run_id = ${beforeId}::uuid and ${isCounted}
        and ${change === undefined || change === 'gone' ? sql`true` : sql`false`}
        and not exists (select from statements still where still.run_id = ${runId}
          and still.partner_id = before.partner_id and still.currency = before.currency)`,
  }
}

/**
 * The next partners of whom anything differs, in the order of their ids. Those that are gone are
 * looked for no further than the page reaches.
 */
export async function listDifferingPartners(db: Db, filter: DiffFilter) {
  const { after, limit } = filter
  const { present, gone } = ways(filter)
  const find = async (side: 'now' | 'before', last?: string) => {
    const partner = sql.ref(`${side}.partner_id`)
    const { rows } = await sql<{ partnerId: string }>`
      select distinct ${partner} from ${side === 'now' ? present : gone}
        and ${after ? sql`${partner} > ${after}::uuid` : sql`true`}
        and ${last ? sql`${partner} < ${last}::uuid` : sql`true`}
      order by ${partner} limit ${limit + 1}`.execute(db)
    return rows.map(({ partnerId }) => partnerId)
  }
  const found = await find('now')
  const all = [...found, ...(await find('before', found[limit]))]
  const sorted = [...new Set(all)].sort().slice(0, limit + 1)
  const ids = sorted.slice(0, limit)
  return { ids, next: sorted.length > limit ? (ids.at(-1) ?? null) : null }
}

const figuresOf = (side: string) =>
  sql.raw(`case when ${side}.id is not null then jsonb_build_object('id', ${side}.id,
    'sincePeriod', ${side}.since_period, 'opening', ${side}.opening_minor::text,
    'earned', ${side}.earned_minor::text, 'clawedBack', ${side}.clawed_back_minor::text,
    'adjustments', ${side}.adjustments_minor::text, 'closing', ${side}.closing_minor::text,
    'held', ${side}.held_minor::text, 'payable', ${side}.payable_minor::text,
    'carried', ${side}.carried_minor::text) end as ${side}`)

type Told = Record<keyof DiffFigures, string> & { sincePeriod: string | null }

function parsed(figures: Told | null): DiffFigures | null {
  if (!figures) return null
  const { id, sincePeriod, ...amounts } = figures
  const entries = Object.entries(amounts).map(([name, amount]) => [name, BigInt(amount)])
  return { ...(Object.fromEntries(entries) as DiffFigures), id, sincePeriod }
}

/** What differs of these partners, one row for each currency. */
export async function listDifferences(
  db: Db,
  filter: DiffFilter,
  partnerIds: string[],
): Promise<DiffRow[]> {
  const found = ways(filter)
  const shown = (side: 'now' | 'before', way: 'present' | 'gone') => sql`
    select ${sql.ref(`${side}.partner_id`)}, ${sql.ref(`${side}.currency`)},
      ${figuresOf('now')}, ${figuresOf('before')},
      case when before.id is null then 'new' when now.id is null then 'gone'
        else 'changed' end as change,
      exists (select from settlement_exclusions exclusion
        where exclusion.run_id = ${filter.runId}
          and exclusion.partner_id = ${sql.ref(`${side}.partner_id`)}) as is_excluded
    from ${found[way]} and ${sql.ref(`${side}.partner_id`)} = any(${partnerIds}::uuid[])`
  const { rows } = await sql<
    Omit<DiffRow, 'now' | 'before'> & { now: Told | null; before: Told | null }
  >`
    ${shown('now', 'present')} union all ${shown('before', 'gone')}
    order by partner_id, currency`.execute(db)
  return rows.map(({ now, before, ...row }) => ({
    ...row,
    now: parsed(now),
    before: parsed(before),
  }))
}

export type StatementPart = EarnedPart & { statementId: string }

/** That an entry of its months is one of a statement: taken by it, or in the week of a preview. */
const isPartOf = (entry: { kind: EntryKind; id: string }, at: string) => sql`case
  when run.mode = 'live' then ${isOfStatement('statement', entry)}
  else ${inWeekOf('statement', withinMonth(at))} end`

/** What the earnings of statements are made of: by depth, product, tier and rule. */
export async function listEarnedParts(db: Db, statementIds: string[]): Promise<StatementPart[]> {
  const { rows } = await sql<StatementPart>`
    select statement.id as statement_id, accrual.depth, line.feature_package_id as product,
      accrual.tier, rule.id as rule_id, rule.code as rule_code,
      sum(accrual.base_minor)::bigint as base, sum(accrual.amount_minor)::bigint as amount
    from statements statement
    join settlement_runs run on run.id = statement.run_id
    join accruals accrual on accrual.partner_id = statement.partner_id
      and accrual.currency = statement.currency and accrual.period
        between coalesce(statement.since_period, statement.period) and statement.period
    join accounting_periods month on month.period = accrual.period
    join line_payments line on line.id = accrual.line_payment_id
    join commission_rules rule on rule.id = accrual.rule_id
    where statement.id = any(${statementIds}::uuid[])
      and ${isPartOf({ kind: 'accrual', id: 'accrual.id' }, 'line.paid_at')}
    group by 1, 2, 3, 4, 5, 6
    order by 1, 2, 3, 5`.execute(db)
  return rows
}

/** The bonuses that statements hold. */
export async function listBonuses(db: Db, statementIds: string[]) {
  const { rows } = await sql<{ statementId: string; amount: bigint }>`
    select statement.id as statement_id, sum(whole.amount_minor)::bigint as amount
    from statements statement
    join settlement_runs run on run.id = statement.run_id
    join closing_accruals whole on whole.partner_id = statement.partner_id
      and whole.currency = statement.currency and whole.kind = 'bonus' and whole.period
        between coalesce(statement.since_period, statement.period) and statement.period
    join accounting_periods month on month.period = whole.period
    where statement.id = any(${statementIds}::uuid[])
      and ${isPartOf({ kind: 'closing_accrual', id: 'whole.id' }, "timestamptz 'infinity'")}
    group by 1`.execute(db)
  return rows
}
