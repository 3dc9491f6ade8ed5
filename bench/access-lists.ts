/** Lists of customers as policies give them, beside the same lists with conditions by hand. */
import { isDeepStrictEqual } from 'node:util'
import { sql } from 'kysely'
import type { Db, Trx } from '../db/database.ts'
import type { Tenancy } from '../db/tenancy.ts'
import { type Viewer, type ViewerName, type Viewers, viewerNames } from './access-world.ts'
import { median, percentile, rotated } from './rounds.ts'

/** The owner's view, for which no policy holds, and the product's. */
export interface Sides {
  owner: Db
  tenancy: Tenancy
}

type Variant = 'floor' | 'ours' | 'control'
type Figures = Record<Variant, number>

/** In milliseconds. */
export interface Timing {
  median: Figures
  p95: Figures
}

export interface ListRound {
  /** One statement of an open transaction. */
  lists: Record<ViewerName, Timing>
  /** The newest page of a master reseller, as a transaction of its own. */
  newest: Timing
  /** One customer by its id, as a transaction of its own. */
  single: Timing
  /** All customers of a master reseller, counted. */
  count: Timing
}

/** A page, and the row that tells whether more follow. */
export const pageRows = 50 + 1
/** How many lists of each variant a round has, for each viewer. */
const samples = 400
const wholeSamples = 200
const countSamples = 5
/** Where pages begin, from the newest row to the oldest. */
const positions = 40

const newestFirst = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

/** What the policies say, in the words of a condition. */
const byHand = ({ where }: Viewer) =>
  where ? sql`${sql.ref(where.column)} = ${where.value}::uuid` : sql`true`
const byPolicy = () => sql`true`

type Condition = typeof byHand

const listOf = (viewer: Viewer, seen: Condition, after: string) => sql`
  select * from customers where id < ${after}::uuid and ${seen(viewer)}
  order by id desc limit ${sql.lit(pageRows)}`

const countOf = (viewer: Viewer, seen: Condition) => sql<{ rows: bigint; print: string | null }>`
  select count(*) as rows, sum(hashtextextended(id::text, 0))::text as print
  from customers where ${seen(viewer)}`

/**
 * Every viewer sees the same in both ways: all rows, and pages from the newest to the oldest.
 * @returns how many rows each sees.
 * @throws Error where the two differ, or where a plan reads the whole table.
 */
export async function proven(
  { owner, tenancy }: Sides,
  viewers: Viewers,
): Promise<Record<ViewerName, number>> {
  const seen = {} as Record<ViewerName, number>
  for (const name of viewerNames) {
    const viewer = viewers[name]
    await tenancy.withTenant(viewer.context, async (trx) => {
      const all = await countOf(viewer, byHand).execute(owner)
      const ours = await countOf(viewer, byPolicy).execute(trx)
      if (!isDeepStrictEqual(all.rows, ours.rows)) throw new Error(`the rows of ${name} differ`)
      for (const after of await pageStarts(owner, viewer)) {
        const hand = await listOf(viewer, byHand, after).execute(owner)
        const policy = await listOf(viewer, byPolicy, after).execute(trx)
        if (!isDeepStrictEqual(hand.rows, policy.rows)) throw new Error(`pages of ${name} differ`)
      }
      const { rows: plan } = await sql<Record<string, string>>`
        explain ${listOf(viewer, byPolicy, newestFirst)}`.execute(trx)
      const text = plan.map((line) => Object.values(line)[0]).join('\n')
      if (/Seq Scan on customers/.test(text)) throw new Error(`${name} reads it all:\n${text}`)
      seen[name] = Number(all.rows[0]?.rows ?? 0n)
    })
  }
  return seen
}

async function pageStarts(owner: Db, viewer: Viewer): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from (
      select id, row_number() over (order by id desc) as no, count(*) over () as total
      from customers where ${byHand(viewer)}) seen
    where no % greatest(total / ${sql.lit(positions)}, 1) = 0
    order by id desc limit ${sql.lit(positions)}`.execute(owner)
  return [newestFirst, ...rows.map(({ id }) => id)]
}

export async function playLists(
  sides: Sides,
  { viewers, round }: { viewers: Viewers; round: number },
): Promise<ListRound> {
  const lists = {} as Record<ViewerName, Timing>
  for (const name of viewerNames) lists[name] = await statements(sides, viewers[name], round)
  const { master } = viewers
  const [, known = newestFirst] = await pageStarts(sides.owner, master)
  const single = (seen: Condition) => sql`
    select * from customers where id = ${known}::uuid and ${seen(master)}`
  return {
    lists,
    newest: await transactions(sides, {
      ...{ viewer: master, round, count: wholeSamples },
      query: (seen) => listOf(master, seen, newestFirst),
    }),
    single: await transactions(sides, {
      ...{ viewer: master, round, count: wholeSamples },
      query: single,
    }),
    count: await transactions(sides, {
      ...{ viewer: master, round, count: countSamples },
      query: (seen) => countOf(master, seen),
    }),
  }
}

/** Pages in transactions that are open already: what policies cost a statement. */
async function statements(sides: Sides, viewer: Viewer, round: number): Promise<Timing> {
  const { owner, tenancy } = sides
  const starts = await pageStarts(owner, viewer)
  const after = (n: number) => starts[n % starts.length] ?? newestFirst
  return owner.transaction().execute((floor) =>
    owner.transaction().execute((control) =>
      tenancy.withTenant(viewer.context, (ours) => {
        const list = (trx: Trx, seen: Condition) => (n: number) =>
          listOf(viewer, seen, after(n)).execute(trx)
        return interleaved({
          ...{ round, count: samples },
          floor: list(floor, byHand),
          control: list(control, byHand),
          ours: list(ours, byPolicy),
        })
      }),
    ),
  )
}

interface Whole {
  viewer: Viewer
  round: number
  count: number
  query(seen: Condition): ReturnType<typeof listOf>
}

/** The same with begin, context and commit around it. */
function transactions(
  { owner, tenancy }: Sides,
  { viewer, round, count, query }: Whole,
): Promise<Timing> {
  const hand = () => owner.transaction().execute((trx) => query(byHand).execute(trx))
  const ours = () => tenancy.withTenant(viewer.context, (trx) => query(byPolicy).execute(trx))
  return interleaved({ round, count, floor: hand, control: hand, ours })
}

/** All variants in turns, so that whatever else the machine does hits each of them. */
async function interleaved(
  play: Record<Variant, (n: number) => Promise<unknown>> & { round: number; count: number },
): Promise<Timing> {
  const taken: Record<Variant, number[]> = { floor: [], ours: [], control: [] }
  for (let n = 0; n < play.count; n += 1) {
    for (const variant of rotated<Variant>(['floor', 'ours', 'control'], n + play.round)) {
      const start = performance.now()
      await play[variant](n)
      taken[variant].push(performance.now() - start)
    }
  }
  const of = (pick: (figures: number[]) => number): Figures => ({
    floor: pick(taken.floor),
    ours: pick(taken.ours),
    control: pick(taken.control),
  })
  return { median: of(median), p95: of((figures) => percentile(figures, 0.95)) }
}
