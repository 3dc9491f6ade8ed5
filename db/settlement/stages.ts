/** The stages of a run: when each was entered and left, and how far it has come. */
import { sql } from 'kysely'
import { z } from 'zod'
import type { RunStage } from '../../domain/settlement.ts'
import type { Db, Trx } from '../database.ts'

/** What a stage has done, in rows of its kind, and in money where it deals with any. */
const progressSchema = z.object({
  done: z.int(),
  total: z.int().nullable(),
  control: z.array(z.object({ currency: z.string(), amount: z.string().transform(BigInt) })),
})
export type StageProgress = z.output<typeof progressSchema>

/**
 * Counted from what the pages of each stage have written, so that no page writes a counter that
 * others wait for: partners of shards, statements, payouts. Other stages are one step.
 */
const counted = (run: string) => {
  const paid = `select coalesce(jsonb_agg(jsonb_build_object('currency', currency,
    'amount', amount::text) order by currency), '[]'::jsonb)`
  return `case stage.stage
    when 'calculate' then (
      select jsonb_build_object('done', coalesce(sum(partners_done), 0),
        'total', sum(partners), 'control', (${paid} from (
          select currency, sum(earned_minor - clawed_back_minor + adjustments_minor) as amount
          from statements where run_id = ${run} group by 1) money))
      from settlement_shards where run_id = ${run})
    when 'release' then (
      select jsonb_build_object('done', count(issued_at), 'total', count(*), 'control', (${paid}
        from (select currency, sum(payable_minor) as amount from statements
          where run_id = ${run} and issued_at is not null group by 1) money))
      from statements where run_id = ${run})
    when 'pay' then (
      select jsonb_build_object('done', count(*) filter (where status not in
          ('approved', 'in_flight', 'unknown')), 'total', count(*), 'control', (${paid}
        from (select currency, sum(amount_minor) as amount from payouts
          where run_id = ${run} and status = 'paid' group by 1) money))
      from payouts where run_id = ${run} and (pay_on is null or pay_on <= to_char(
        clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD')))
    end`
}

const asJson = sql.raw(`jsonb_build_object('done', stage.done, 'total', stage.total,
  'control', coalesce(stage.control, '[]'::jsonb))`)

/** Notes that a run enters a stage, and with what it leaves the one before. */
export async function recordStage(trx: Trx, runId: string, stage: RunStage): Promise<void> {
  await sql`
    with left_behind as (
      select stage.run_id, stage.stage, ${sql.raw(counted('stage.run_id'))} as progress
      from settlement_stages stage
      where stage.run_id = ${runId} and stage.stage <> ${stage} and stage.ended_at is null
    )
    update settlement_stages stage set ended_at = clock_timestamp(),
      done = (progress ->> 'done')::int, total = (progress ->> 'total')::int,
      control = progress -> 'control'
    from left_behind
    where stage.run_id = left_behind.run_id and stage.stage = left_behind.stage`.execute(trx)
  const isEnd = stage === 'closed' || stage === 'cancelled'
  await sql`
    insert into settlement_stages as stage (run_id, stage, started_at, ended_at)
    select ${runId}, ${stage}, moment, ${isEnd ? sql`moment` : sql`null`}
    from clock_timestamp() moment where true
    on conflict (run_id, stage) do update set started_at = clock_timestamp(),
      ended_at = case when ${isEnd}::boolean then clock_timestamp() end,
      done = null, total = null, control = null
    where stage.ended_at is not null and not ${isEnd}::boolean`.execute(trx)
}

export interface StageRow {
  stage: RunStage
  startedAt: Date
  endedAt: Date | null
  /** By the clock of the database. */
  seconds: number
  /** Null where a stage is one step. */
  progress: StageProgress | null
}

/** The stages of a run so far, in the order in which they were entered. */
export async function listStages(db: Db, runId: string): Promise<StageRow[]> {
  const { rows } = await sql<Omit<StageRow, 'progress'> & { progress: unknown }>`
    select stage.stage, stage.started_at, stage.ended_at,
      extract(epoch from coalesce(stage.ended_at, clock_timestamp()) - stage.started_at)::float8
        as seconds,
      case when stage.ended_at is null then ${sql.raw(counted('stage.run_id'))}
        when stage.done is not null then ${asJson} end as progress
    from settlement_stages stage where stage.run_id = ${runId}
    order by stage.started_at, stage.stage`.execute(db)
  return rows.map((row) => ({
    ...row,
    progress: row.progress === null ? null : progressSchema.parse(row.progress),
  }))
}
