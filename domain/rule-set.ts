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

const forEverybody = ({ scope }: CommissionRule) =>
  scope.partner === null && scope.tier === null && scope.product === null

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

/** A rule that does not name a tier never applies where every tier has one of its own. */
function shadowed(rules: CommissionRule[]): RuleSetProblem[] {
  const paying = rules.filter(paysLines)
  return paying
    .filter(({ scope }) => scope.partner === null && scope.tier === null)
    .filter((rule) =>
      tierNames.every((tier) =>
        paying.some(
          ({ depth, scope, setupFee }) =>
            depth === rule.depth &&
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

function excess(rules: CommissionRule[]): RuleSetProblem[] {
  const everybody = rules.filter(forEverybody)
  const rates = everybody.flatMap(({ terms }) => (terms.kind === 'percentage' ? [terms.rate] : []))
  if (!exceedWhole(rates)) return []
  return [{ rules: [], problem: 'the percentages for everybody add up to more than 100 %' }]
}
