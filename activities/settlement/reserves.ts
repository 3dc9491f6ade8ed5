/** What the drafts of a run keep of payouts, and end of what earlier statements kept. */
import type { Trx } from '../../db/database.ts'
import type { Programme } from '../../db/programmes.ts'
import {
  listKeptReserves,
  listRiskVolumes,
  type NewEnd,
  type NewReserve,
  recordReserves,
} from '../../db/settlement/reserves.ts'
import type { RunRow } from '../../db/settlement/runs.ts'
import { stretchOf } from '../../domain/cadence.ts'
import { sum } from '../../domain/money.ts'
import { daysLater, windowStart } from '../../domain/period.ts'
import { isAtRisk } from '../../domain/reserve-moves.ts'
import { isOver, totalsWithReserve } from '../../domain/reserves.ts'
import type { StatementInput, StatementTotals } from '../../domain/settlement.ts'

interface OfPartner {
  partnerId: string
  currency: string
}

const keyOf = ({ partnerId, currency }: OfPartner) => `${partnerId}:${currency}`

/**
 * The reserves of some partners in a run. Totals may be asked for again with other terms: what was
 * said last of a statement is what `keep` writes, in the transaction of its draft.
 */
export async function openReserves(
  trx: Trx,
  about: { run: RunRow; programme: Programme; partnerIds: string[] },
) {
  const { run, partnerIds } = about
  const { riskReserve, reserveAboveBps, reserveKeepBps, reserveWindowMonths, reserveDays } =
    about.programme.onboarding
  const { until: end } = stretchOf(run.name)
  const window = { from: windowStart(run.period, reserveWindowMonths), until: end }
  const keptOf = Map.groupBy(await listKeptReserves(trx, partnerIds), keyOf)
  const volumes = riskReserve ? await listRiskVolumes(trx, { partnerIds, window }) : []
  const risky = new Map(
    volumes.filter((one) => isAtRisk(one, reserveAboveBps)).map((one) => [keyOf(one), one]),
  )
  const said = new Map<string, { reserves: NewReserve[]; ends: NewEnd[] }>()

  return {
    /** What of earlier payouts stays reserved whatever the statement is; losses take of it. */
    standing(of: OfPartner): bigint {
      const kept = keptOf.get(keyOf(of)) ?? []
      return sum(kept.filter((one) => !isOver(one, run.cutoffAt)).map(({ left }) => left))
    },

    /** The totals of a statement, what is reserved among what it holds. */
    totals(of: OfPartner, given: StatementInput): StatementTotals {
      const volume = risky.get(keyOf(of))
      const { totals, taken, ends } = totalsWithReserve(given, {
        kept: keptOf.get(keyOf(of)) ?? [],
        at: run.cutoffAt,
        keepBps: volume ? reserveKeepBps : null,
      })
      const terms = { aboveBps: reserveAboveBps, keepBps: reserveKeepBps }
      const reserves = volume && taken > 0n ? [{ ...of, amount: taken, volume, ...terms }] : []
      said.set(keyOf(of), { reserves, ends: ends.map((one) => ({ ...one, ...of })) })
      return totals
    },

    /** Writes what the drafts keep and end; they have to be there. */
    async keep(): Promise<void> {
      const all = [...said.values()]
      const keptUntil = daysLater(end, reserveDays)
      await recordReserves(
        trx,
        { id: run.id, window, keptUntil },
        {
          reserves: all.flatMap(({ reserves }) => reserves),
          ends: all.flatMap(({ ends }) => ends),
        },
      )
    },
  }
}
