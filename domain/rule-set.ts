/** Whether a set of rules can be published: nothing is open, and nothing can never apply. */
import type { CommissionRule } from './commission-rules.ts'
import { exceedWhole } from './money.ts'
import { overlaps, paysLines } from './rule-checks.ts'
import { tierNames } from './tiers.ts'

export interface RuleSetProblem {
  /** Places of the rules that it is about; empty for the set as a whole. */
  rules: number[]
  problem: string
}

/** Whether a rule is for all customers of a link, or, with null, for everybody. */
const forAllOf =
  (link: string | null) =>
  ({ scope }: CommissionRule) =>
    scope.link === link && scope.partner === null && scope.tier === null && scope.product === null

const forEverybody = forAllOf(null)

/** Everything that keeps a set of rules from being published. All of them begin together. */
export function ruleSetProblems(rules: CommissionRule[]): RuleSetProblem[] {
  return [...twins(rules), ...gaps(rules), ...shadowed(rules), ...excess(rules)]
}

function twins(rules: CommissionRule[]): RuleSetProblem[] {
  const codes = Map.groupBy(rules, ({ code }) => code)
  const named = [...codes.values()]
    .filter((same) => same.length > 1)
    .map((same) => ({
      rules: same.map((rule) => rules.indexOf(rule)),
      problem: 'two rules have one id; versions of a rule are published one after the other',
    }))
  const equal = overlaps(rules).map(({ rule, other }) => ({
    rules: [rules.indexOf(rule), rules.indexOf(other)],
    problem: 'both are for the same depth and equally specific',
  }))
  return [...named, ...equal]
}

/** A depth that has a rule for some has one for everybody; the seller always has. */
function gaps(rules: CommissionRule[]): RuleSetProblem[] {
  const paying = rules.filter(paysLines)
  const depths = new Set([0, ...paying.map(({ depth }) => depth)])
  return [...depths]
    .filter((depth) => !paying.some((rule) => rule.depth === depth && forEverybody(rule)))
    .map((depth) => ({
      rules: [],
      problem: `no rule of depth ${depth} is for everybody: some sales would earn nothing there`,
    }))
}

/**
 * A rule that does not name a tier never applies where every tier has one of its own: of the same
 * link, because rules of a link come before others only for that link's customers.
 */
function shadowed(rules: CommissionRule[]): RuleSetProblem[] {
  const paying = rules.filter(paysLines)
  return paying
    .filter(({ scope }) => scope.partner === null && scope.tier === null)
    .filter((rule) =>
      tierNames.every((tier) =>
        paying.some(
          ({ depth, scope, setupFee }) =>
            depth === rule.depth &&
            scope.link === rule.scope.link &&
            scope.partner === null &&
            scope.tier === tier &&
            (scope.product === null || scope.product === rule.scope.product) &&
            (setupFee || !rule.setupFee),
        ),
      ),
    )
    .map((rule) => ({
      rules: [rules.indexOf(rule)],
      problem: 'it never applies: every tier has a rule that comes before it',
    }))
}

/** What everybody's rules give together, and what they give with those of a link in their place. */
function excess(rules: CommissionRule[]): RuleSetProblem[] {
  const everybody = rules.filter(forEverybody)
  if (exceedWhole(percentagesOf(everybody))) {
    return [{ rules: [], problem: 'the percentages for everybody add up to more than 100 %' }]
  }
  const links = new Set(rules.flatMap(({ scope }) => scope.link ?? []))
  return [...links].flatMap((link) => {
    const own = rules.filter((rule) => paysLines(rule) && forAllOf(link)(rule))
    const depths = new Set(own.map(({ depth }) => depth))
    const others = everybody.filter(({ depth }) => !depths.has(depth))
    if (!exceedWhole(percentagesOf([...own, ...others]))) return []
    const problem = "the percentages for the link's customers add up to more than 100 %"
    return [{ rules: own.map((rule) => rules.indexOf(rule)), problem }]
  })
}

const percentagesOf = (rules: CommissionRule[]) =>
  rules.flatMap(({ terms }) => (terms.kind === 'percentage' ? [terms.rate] : []))

/**
 * What is wrong with rules of links, once it is known whose links they are: all sales to a link's
 * customers are sales of the partner that hands it out.
 * @param owners the partners by their links.
 */
export function linkProblems(
  rules: CommissionRule[],
  owners: ReadonlyMap<string, string>,
): RuleSetProblem[] {
  return rules.flatMap((rule, place) => {
    const { depth, scope } = rule
    if (scope.link === null) return []
    const told = (problem: string) => [{ rules: [place], problem }]
    const owner = owners.get(scope.link)
    if (owner === undefined) return told('there is no such link')
    if (depth > 0) return []
    if (scope.partner !== null && scope.partner !== owner) {
      return told(
        'it never applies: the seller is the partner of the link, and this is another one',
      )
    }
    const isBeaten = rules.some((other) => namesOwner(other, { rule, owner }))
    return isBeaten ? told('it never applies: another rule of the link names its seller') : []
  })
}

/** Whether a rule names the seller of a link beside the link, and leaves nothing to one of it. */
function namesOwner(
  other: CommissionRule,
  { rule, owner }: { rule: CommissionRule; owner: string },
): boolean {
  const { scope } = rule
  return (
    paysLines(other) &&
    paysLines(rule) &&
    other.depth === rule.depth &&
    other.scope.link === scope.link &&
    other.scope.partner === owner &&
    scope.partner === null &&
    [null, scope.tier].includes(other.scope.tier) &&
    [null, scope.product].includes(other.scope.product) &&
    (other.setupFee || !rule.setupFee)
  )
}
