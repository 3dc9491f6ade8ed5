/** Rules of a programme about applications: which one fits first, and which ones never can. */
import type { PartnerLevel, PartnerType } from './partners.ts'

/** All conditions that are given must hold; none holds for every application. */
export interface Conditions {
  countries?: string[] | undefined
  types?: PartnerType[] | undefined
  levels?: PartnerLevel[] | undefined
  /** A domain stands for its subdomains too. */
  emailDomains?: string[] | undefined
  /** Expected monthly volume in minor units of the programme's currency; the number is outside. */
  volumeAbove?: number | undefined
  volumeBelow?: number | undefined
}

export interface ApplicationFacts {
  country: string
  type: PartnerType
  level: PartnerLevel
  emailDomain: string
  /** Null where nothing was said: then no condition on the volume holds. */
  expectedVolume: bigint | null
}

const isWithin = (domain: string, wanted: string) =>
  domain === wanted.toLowerCase() || domain.endsWith(`.${wanted.toLowerCase()}`)

export function fits(conditions: Conditions, facts: ApplicationFacts): boolean {
  const { countries, types, levels, emailDomains, volumeAbove, volumeBelow } = conditions
  const { expectedVolume } = facts
  return (
    (countries?.includes(facts.country) ?? true) &&
    (types?.includes(facts.type) ?? true) &&
    (levels?.includes(facts.level) ?? true) &&
    (emailDomains?.some((wanted) => isWithin(facts.emailDomain.toLowerCase(), wanted)) ?? true) &&
    (volumeAbove === undefined ||
      (expectedVolume !== null && expectedVolume > BigInt(volumeAbove))) &&
    (volumeBelow === undefined || (expectedVolume !== null && expectedVolume < BigInt(volumeBelow)))
  )
}

/** The first rule that fits; undefined when none does. */
export function firstFit<Rule extends Conditions>(
  rules: readonly Rule[],
  facts: ApplicationFacts,
): Rule | undefined {
  return rules.find((rule) => fits(rule, facts))
}

/** Whether conditions contradict each other, or leave nothing to choose from. */
export function neverFits(conditions: Conditions): boolean {
  const { countries, types, levels, emailDomains, volumeAbove, volumeBelow } = conditions
  const lists = [countries, types, levels, emailDomains]
  if (lists.some((list) => list?.length === 0)) return true
  if (volumeBelow === 0) return true
  // A volume that is above the one and below the other is a whole number between them.
  return volumeAbove !== undefined && volumeBelow !== undefined && volumeBelow - volumeAbove < 2
}

const within = <T>(
  narrow: readonly T[] | undefined,
  wide: readonly T[] | undefined,
  isIn: (one: T, of: T) => boolean = (one, of) => one === of,
) => wide === undefined || (narrow?.every((one) => wide.some((of) => isIn(one, of))) ?? false)

/** Whether everything that fits `narrow` fits `wide` too. */
export function covers(wide: Conditions, narrow: Conditions): boolean {
  // With its bounds a rule says that the volume is known, and so does one that is wider.
  const knows = ({ volumeAbove, volumeBelow }: Conditions) =>
    volumeAbove !== undefined || volumeBelow !== undefined
  const lowest = (one: Conditions) => one.volumeAbove ?? -1
  const highest = (one: Conditions) => one.volumeBelow ?? Number.POSITIVE_INFINITY
  return (
    within(narrow.countries, wide.countries) &&
    within(narrow.types, wide.types) &&
    within(narrow.levels, wide.levels) &&
    within(narrow.emailDomains, wide.emailDomains, (one, of) => isWithin(one.toLowerCase(), of)) &&
    (!knows(wide) ||
      (knows(narrow) && lowest(wide) <= lowest(narrow) && highest(wide) >= highest(narrow)))
  )
}

/** Rules that no application ever reaches, each with the earlier rule that takes all of its own. */
export function shadowedRules(rules: readonly Conditions[]): { rule: number; by: number }[] {
  return rules.flatMap((narrow, rule) => {
    const by = rules.findIndex((wide, n) => n < rule && covers(wide, narrow))
    return by < 0 ? [] : [{ rule, by }]
  })
}
