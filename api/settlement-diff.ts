/** A run beside the one before it: what a reviewer looks at before money moves. */
import { z } from 'zod'
import type { Db } from '../db/database.ts'
import {
  type DiffFigures,
  type DiffRow,
  findRunBefore,
  listBonuses,
  listDifferences,
  listDifferingPartners,
  listEarnedParts,
} from '../db/settlement/diff.ts'
import { getRun } from '../db/settlement/runs.ts'
import { outwardId } from '../domain/ids.ts'
import { wireAmount } from '../domain/money.ts'
import {
  type Causes,
  causesOf,
  changeBps,
  changeKinds,
  type DiffSide,
  diffCauses,
  netOf,
} from '../domain/settlement-diff.ts'
import { listAnswer, pageQuery, pageRequest } from './paging.ts'
import { type Call, type Route, route } from './route.ts'
import { figures } from './statements.ts'
import { currencyAnswer, idAnswer, minorAmount, pathId } from './validate.ts'

const threshold = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

const diffQuery = z.strictObject({
  ...pageQuery,
  change: z.enum(changeKinds).optional(),
  above_amount: threshold.optional(),
  above_bps: threshold.optional(),
})

const changeAnswer = z.object({
  before: minorAmount,
  after: minorAmount,
  difference: minorAmount,
  bps: z.int().nullable(),
})

const diffAnswer = z.object({
  partner: idAnswer('partner'),
  /** The run before; null for the first. */
  compared_with: z.object({ id: idAnswer('settlementRun'), period: z.string() }).nullable(),
  currencies: z.array(
    z.object({
      currency: currencyAnswer,
      change: z.enum(changeKinds),
      payable: changeAnswer,
      net: changeAnswer,
      causes: z.array(z.object({ cause: z.enum(diffCauses), amount: minorAmount })),
      before: z.object(figures).nullable(),
      after: z.object(figures).nullable(),
    }),
  ),
})

const notFound = 'there is no such settlement run'

export function settlementDiffRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/settlement-runs/:id/diff',
      tag: 'Settlement',
      summary: 'Compare a run with the one before it',
      description:
        'Partners whose statements are new, gone, or changed by more than `above_amount` minor ' +
        'units or by more than `above_bps` hundredths of a percent; by anything where neither is ' +
        'given. `net` is what the period gave, `payable` what is paid. The causes add up to the ' +
        'difference of `payable`.',
      access: 'settlement.read',
      query: diffQuery,
      answers: {
        200: { description: 'In the order of the partners’ ids', schema: listAnswer(diffAnswer) },
      },
      refusals: ['not_found'],
      handle: (call) => compare(call),
    }),
  ]
}

async function compare({ db, params, query }: Call<z.output<typeof diffQuery>>) {
  const run = await getRun(db, pathId('settlementRun', params.id, notFound))
  const before = await findRunBefore(db, run)
  const filter = {
    ...pageRequest(query),
    runId: run.id,
    beforeId: before?.id ?? null,
    change: query.change,
    aboveAmount: query.above_amount,
    aboveBps: query.above_bps,
  }
  const { ids, next } = await listDifferingPartners(db, filter)
  const rows = await listDifferences(db, filter, ids)
  const sides = await sidesOf(db, rows)
  const ofPartner = Map.groupBy(rows, ({ partnerId }) => partnerId)
  const compared = before
    ? { id: outwardId('settlementRun', before.id), period: before.name }
    : null
  const data = ids.map((id) => ({
    partner: outwardId('partner', id),
    compared_with: compared,
    currencies: (ofPartner.get(id) ?? []).map((row) => presentDifference(row, run, sides)),
  }))
  return { status: 200, body: { data, has_more: next !== null, next_cursor: next } }
}

type Sides = (figures: DiffFigures | null) => DiffSide | null

/** Statements with their parts, all that a page needs by two queries. */
async function sidesOf(db: Db, rows: DiffRow[]): Promise<Sides> {
  const ids = rows.flatMap(({ now, before }) => [now?.id ?? [], before?.id ?? []].flat())
  const [parts, bonuses] = [await listEarnedParts(db, ids), await listBonuses(db, ids)]
  const partsOf = Map.groupBy(parts, ({ statementId }) => statementId)
  const bonusOf = new Map(bonuses.map(({ statementId, amount }) => [statementId, amount]))
  return (figures) =>
    figures && {
      ...figures,
      parts: partsOf.get(figures.id) ?? [],
      bonuses: bonusOf.get(figures.id) ?? 0n,
    }
}

/** One that a run left out has nothing to compare: what it tells of is more than one period. */
function causesOfRow(row: DiffRow, run: { sincePeriod: string }, sides: Sides): Causes {
  const { now, before, isExcluded } = row
  const since = now?.sincePeriod ?? run.sincePeriod
  const wasExcluded = before === null && since < run.sincePeriod
  if (!(isExcluded && now === null) && !wasExcluded) return causesOf(sides(now), sides(before))
  return { exclusion: (now?.payable ?? 0n) - (before?.payable ?? 0n) }
}

function presentDifference(row: DiffRow, run: { sincePeriod: string }, sides: Sides) {
  const [now, before] = [sides(row.now), sides(row.before)]
  const causes = causesOfRow(row, run, sides)
  return {
    currency: row.currency,
    change: row.change,
    payable: presentChange(now?.payable ?? 0n, before?.payable ?? 0n),
    net: presentChange(now ? netOf(now) : 0n, before ? netOf(before) : 0n),
    causes: diffCauses.flatMap((cause) => {
      const amount = causes[cause]
      return amount === undefined ? [] : [{ cause, amount: wireAmount(amount) }]
    }),
    before: row.before && presentFigures(row.before),
    after: row.now && presentFigures(row.now),
  }
}

function presentChange(after: bigint, before: bigint) {
  return {
    before: wireAmount(before),
    after: wireAmount(after),
    difference: wireAmount(after - before),
    bps: changeBps(after, before),
  }
}

function presentFigures(row: DiffFigures) {
  return {
    opening: wireAmount(row.opening),
    earned: wireAmount(row.earned),
    clawed_back: wireAmount(row.clawedBack),
    adjustments: wireAmount(row.adjustments),
    closing: wireAmount(row.closing),
    held: wireAmount(row.held),
    payable: wireAmount(row.payable),
    carried: wireAmount(row.carried),
  }
}
