/** Reads a scenario file, or says everything that is wrong with it. */
import type { z } from 'zod'
import type { CommissionRule } from '../domain/commission-rules.ts'
import { draftProblems, nameProblems } from './scenario-checks.ts'
import { delivered, eventProblems } from './scenario-events.ts'
import {
  currencyField,
  eventField,
  fxField,
  partnerField,
  periodField,
  programmeField,
  publishedRuleField,
  ruleField,
} from './scenario-schema.ts'
import {
  type Located,
  type Scenario,
  ScenarioError,
  type ScenarioProblem,
  shown,
} from './scenario-types.ts'

export type {
  Scenario,
  ScenarioEvent,
  ScenarioPartner,
  ScenarioProblem,
  ScenarioProgramme,
  ScenarioRate,
} from './scenario-types.ts'
export { ScenarioError } from './scenario-types.ts'

const sections = ['currency', 'programme', 'partners', 'rules', 'fx', 'events', 'close'] as const
type File = Partial<Record<(typeof sections)[number], unknown>>

/** @throws ScenarioError with every problem of the file. */
export function readScenario(input: unknown): Scenario {
  const problems: ScenarioProblem[] = []
  const file = fileOf(input, problems)
  const reader = readerInto(problems)
  const currency = reader.value(currencyField, { path: 'currency', value: file.currency })
  const programme = reader.value(programmeField, {
    path: 'programme',
    value: file.programme ?? {},
  })
  const parts = {
    partners: reader.list(partnerField, { path: 'partners', value: file.partners }),
    rules: reader.list(ruleField, { path: 'rules', value: file.rules }),
    fx: reader.list(fxField, { path: 'fx', value: file.fx ?? [] }),
    close: reader.list(periodField, { path: 'close', value: file.close ?? [] }),
  }
  const stated = reader.list(eventField, { path: 'events', value: file.events ?? [] })
  const { events, problems: deliveryProblems } = delivered(stated)
  const draft = { currency, ...parts, events }
  problems.push(
    ...nameProblems(file),
    ...deliveryProblems,
    ...eventProblems(events),
    ...draftProblems(draft, problems),
  )
  if (problems.length > 0 || currency === null || programme === null) {
    throw new ScenarioError(problems)
  }
  return {
    currency,
    programme,
    partners: values(draft.partners),
    rules: values(draft.rules),
    fx: values(draft.fx),
    events: values(events),
    close: values(draft.close),
  }
}

/**
 * Rules alone, as a file of rules holds them; they may name links.
 * @throws ScenarioError with every problem.
 */
export function readRules(input: unknown): CommissionRule[] {
  const problems: ScenarioProblem[] = []
  const { rules } = fileOf(input, problems)
  const found = readerInto(problems).list(publishedRuleField, { path: 'rules', value: rules })
  if (problems.length > 0) throw new ScenarioError(problems)
  return values(found)
}

const values = <T>(entries: Located<T>[]): T[] => entries.map(({ value }) => value)

function fileOf(input: unknown, problems: ScenarioProblem[]): File {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new ScenarioError([{ path: '', found: shown(input), expected: 'an object' }])
  }
  const known = new Set<string>(sections)
  for (const [path, value] of Object.entries(input)) {
    if (known.has(path)) continue
    const expected = `no such field: one of ${sections.join(', ')}`
    problems.push({ path, found: shown(value), expected })
  }
  return input
}

/** Reads part by part, so that one malformed part hides nothing about the others. */
function readerInto(problems: ScenarioProblem[]) {
  function value<T>(schema: z.ZodType<T>, stated: Located<unknown>): T | null {
    const parsed = schema.safeParse(stated.value)
    if (parsed.success) return parsed.data
    problems.push(...parsed.error.issues.flatMap((issue) => issueProblems(issue, stated)))
    return null
  }

  function list<T>(schema: z.ZodType<T>, stated: Located<unknown>): Located<T>[] {
    if (!Array.isArray(stated.value)) {
      problems.push({ path: stated.path, found: shown(stated.value), expected: 'a list' })
      return []
    }
    return stated.value.flatMap((entry: unknown, index) => {
      const path = `${stated.path}[${index}]`
      const read = value(schema, { path, value: entry })
      return read === null ? [] : [{ path, value: read }]
    })
  }

  return { value, list }
}

function issueProblems(issue: z.core.$ZodIssue, stated: Located<unknown>): ScenarioProblem[] {
  const places =
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => [...issue.path, key])
      : [issue.path]
  return places.map((place) => ({
    path: place.reduce<string>(extended, stated.path),
    found: shown(place.reduce(inside, stated.value)),
    expected: issue.message,
  }))
}

function extended(path: string, key: PropertyKey): string {
  return typeof key === 'number' ? `${path}[${key}]` : `${path}.${String(key)}`
}

/** What the file holds at a key; nothing where it holds nothing that could have one. */
function inside(value: unknown, key: PropertyKey): unknown {
  if (typeof value !== 'object' || value === null) return undefined
  return Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined
}
