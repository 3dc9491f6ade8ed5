/** Who stands above whom in a scenario, from its start and through its moves. */
import type { Chain } from '../domain/rule-checks.ts'
import { type TierName, tierNames } from '../domain/tiers.ts'
import {
  type Located,
  type ScenarioEvent,
  type ScenarioPartner,
  type ScenarioProblem,
  shown,
} from './scenario-types.ts'

type Parents = Map<string, string | null>
type Change = Extract<ScenarioEvent, { type: 'move' | 'tier' }>

function parentsOf(partners: ScenarioPartner[]): Parents {
  return new Map(partners.map(({ id, parent }) => [id, parent]))
}

/** The partner and all above it; stops where a circle closes. */
function upFrom(id: string, parents: Parents): string[] {
  const chain = new Set<string>()
  let next: string | null | undefined = id
  while (next && parents.has(next) && !chain.has(next)) {
    chain.add(next)
    next = parents.get(next)
  }
  return [...chain]
}

const standsAbove = (id: string, { below, parents }: { below: string; parents: Parents }) =>
  upFrom(below, parents).includes(id)

/** Each partner that stands above itself. */
export function circleProblems(partners: Located<ScenarioPartner>[]): ScenarioProblem[] {
  const parents = parentsOf(partners.map(({ value }) => value))
  return partners.flatMap(({ path, value: { id, parent } }) => {
    if (parent === null || !standsAbove(id, { below: parent, parents })) return []
    const expected = `a parent that does not stand below ${shown(id)}`
    return [{ path: `${path}.parent`, found: shown(parent), expected }]
  })
}

/** The changes of the hierarchy in order of time; at one time in order of delivery. */
function changesOf(events: ScenarioEvent[]): Change[] {
  return events
    .filter((event) => event.type === 'move' || event.type === 'tier')
    .sort((a, b) => a.at.getTime() - b.at.getTime())
}

/** Moves of a partner below itself. */
export function moveProblems(
  partners: ScenarioPartner[],
  events: Located<ScenarioEvent>[],
): ScenarioProblem[] {
  const parents = parentsOf(partners)
  const paths = new Map(events.map(({ path, value }) => [value, path]))
  return changesOf(events.map(({ value }) => value)).flatMap((move) => {
    if (move.type !== 'move' || moved(parents, move)) return []
    const expected = `a partner that does not stand below ${shown(move.partner)} at that time`
    return [{ path: `${paths.get(move) ?? ''}.to`, found: shown(move.to), expected }]
  })
}

/** Puts the partner below its new parent, unless that would close a circle. */
function moved(parents: Parents, { partner, to }: { partner: string; to: string }): boolean {
  if (standsAbove(partner, { below: to, parents })) return false
  if (parents.has(partner)) parents.set(partner, to)
  return true
}

const rank = (tier: TierName) => tierNames.indexOf(tier)

/** The tiers that may count: a customer keeps the higher one of its first accrual. */
const countingTiers = (had: TierName[]): TierName[] => {
  const current = had.at(-1) ?? 'bronze'
  return tierNames.filter((tier) => had.includes(tier) && rank(tier) >= rank(current))
}

interface Standing {
  parents: Parents
  /** Every tier since the start, the current one last. */
  tiers: Map<string, TierName[]>
}

function apply({ parents, tiers }: Standing, change: Change): void {
  if (change.type === 'move') {
    moved(parents, change)
    return
  }
  // Each tier once: only which ones there were, and which one is the last, matters.
  const had = (tiers.get(change.partner) ?? []).filter((tier) => tier !== change.tier)
  tiers.set(change.partner, [...had, change.tier])
}

type Links = Chain['partners']

function linksOf(seller: string, { parents, tiers }: Standing): Links {
  return upFrom(seller, parents).map((id) => ({ id, tiers: countingTiers(tiers.get(id) ?? []) }))
}

/** Every chain of the scenario with the time for which it stands, for each partner as seller. */
export function* chainsOf(partners: ScenarioPartner[], events: ScenarioEvent[]): Generator<Chain> {
  const standing: Standing = {
    parents: parentsOf(partners),
    tiers: new Map(partners.map(({ id, tier }) => [id, [tier]])),
  }
  const open = new Map<string, { key: string; links: Links; from: Date | null }>()
  const look = (seller: string, from: Date | null) => {
    const links = linksOf(seller, standing)
    return { key: JSON.stringify(links), links, from }
  }
  for (const seller of standing.parents.keys()) open.set(seller, look(seller, null))
  for (const [time, changes] of Map.groupBy(changesOf(events), ({ at }) => at.getTime())) {
    for (const change of changes) apply(standing, change)
    const changed = new Set(changes.map(({ partner }) => partner))
    for (const [seller, before] of open) {
      if (!before.links.some(({ id }) => changed.has(id))) continue
      const now = look(seller, new Date(time))
      if (now.key === before.key) continue
      yield { partners: before.links, from: before.from, to: now.from }
      open.set(seller, now)
    }
  }
  for (const { links, from } of open.values()) yield { partners: links, from, to: null }
}
