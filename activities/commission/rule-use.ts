/** What rules that count over several lines have given, kept up to date line by line. */
import type { StoredRule } from '../../db/commission/rules.ts'
import { listEarned, listVolumes, lockRuleUse } from '../../db/commission/standing.ts'
import type { Trx } from '../../db/database.ts'
import { capStretch } from '../../domain/commission-rules.ts'

/** A rule that is about to pay a partner for a line of this time and period. */
export interface Use {
  programmeId: string
  rule: StoredRule
  partnerId: string
  at: Date
  period: string
}

export interface RuleUse {
  /** The volume that bands are read at, before the line. */
  volumeBefore(use: Use): bigint
  /** What the rule's cap leaves; null where it has none. */
  capRoom(use: Use): bigint | null
  /** Counts a line that the rule was applied to. */
  add(use: Use, line: { base: bigint; amount: bigint; excluded: boolean }): void
}

const hasBands = ({ rule }: Use) => 'bands' in rule.terms

const volumeKey = ({ rule, partnerId, period }: Use) => `${rule.id} ${partnerId} ${period}`

function capKey({ rule, partnerId, at }: Use): string {
  const from = rule.cap ? capStretch(rule.cap.per, at).from : null
  return `${rule.code} ${partnerId} ${from?.getTime() ?? ''}`
}

/** Keeps others from using these rules until the transaction ends, and reads where they stand. */
export async function readRuleUse(trx: Trx, uses: Use[]): Promise<RuleUse> {
  const banded = new Map(uses.filter(hasBands).map((use) => [volumeKey(use), use]))
  const capped = new Map(uses.filter(({ rule }) => rule.cap).map((use) => [capKey(use), use]))
  await lockRuleUse(
    trx,
    [...banded.values(), ...capped.values()].map(({ rule, partnerId }) => ({
      code: rule.code,
      partnerId,
    })),
  )
  const volumes = await listVolumes(
    trx,
    [...banded.values()].map(({ rule, partnerId, period }) => ({
      ruleId: rule.id,
      partnerId,
      period,
    })),
  )
  const earned = await listEarned(
    trx,
    [...capped.values()].map(({ programmeId, rule, partnerId, at }) => ({
      programmeId,
      code: rule.code,
      partnerId,
      ...capStretch(rule.cap?.per ?? 'all', at),
    })),
  )
  return counting({
    volumes: new Map([...banded.keys()].map((key, i) => [key, volumes[i] ?? 0n])),
    earned: new Map([...capped.keys()].map((key, i) => [key, earned[i] ?? 0n])),
  })
}

function counting(stand: { volumes: Map<string, bigint>; earned: Map<string, bigint> }): RuleUse {
  const { volumes, earned } = stand
  return {
    volumeBefore: (use) => (hasBands(use) ? (volumes.get(volumeKey(use)) ?? 0n) : 0n),
    capRoom(use) {
      const { cap } = use.rule
      if (!cap) return null
      const before = earned.get(capKey(use)) ?? 0n
      return before < cap.amount ? cap.amount - before : 0n
    },
    add(use, { base, amount, excluded }) {
      if (hasBands(use) && !excluded) {
        volumes.set(volumeKey(use), (volumes.get(volumeKey(use)) ?? 0n) + base)
      }
      if (use.rule.cap) earned.set(capKey(use), (earned.get(capKey(use)) ?? 0n) + amount)
    },
  }
}
