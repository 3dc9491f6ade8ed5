/** What of a programme's settings contradicts itself: each where it stands, and why. */
import { type Conditions, neverFits, shadowedRules } from './pre-screen.ts'

export interface Contradiction {
  /** Names and places from the settings down, like `['onboarding', 'preScreen', 3]`. */
  path: (string | number)[]
  why: string
  /** The other setting that it contradicts. */
  other?: string
}

interface CheckedField {
  name: string
  kind: string
  options?: string[] | undefined
}

interface CheckedOnboarding {
  customFields: CheckedField[]
  preScreen: Conditions[]
  autoApproval: (Conditions & { name: string })[]
}

function rulesOf(list: 'preScreen' | 'autoApproval', rules: Conditions[]): Contradiction[] {
  const idle = rules.flatMap((rule, n) =>
    neverFits(rule)
      ? [{ path: ['onboarding', list, n], why: 'its conditions contradict each other' }]
      : [],
  )
  const shadowed = shadowedRules(rules).map(({ rule, by }) => ({
    path: ['onboarding', list, rule],
    why: `it never fits: rule ${by + 1} before it takes all of its applications`,
  }))
  return [...idle, ...shadowed.filter(({ path }) => !idle.some((one) => one.path[2] === path[2]))]
}

function repeated(list: 'customFields' | 'autoApproval', names: string[]): Contradiction[] {
  return names.flatMap((name, n) =>
    names.indexOf(name) < n
      ? [{ path: ['onboarding', list, n, 'name'], why: 'another one before it has this name' }]
      : [],
  )
}

function fieldsOf(fields: CheckedField[]): Contradiction[] {
  return fields.flatMap(({ kind, options }, n) => {
    const path = ['onboarding', 'customFields', n, 'options']
    if (kind === 'choice') {
      return options && options.length > 0 ? [] : [{ path, why: 'a choice needs options' }]
    }
    return options ? [{ path, why: `a field of the kind ${kind} has no options` }] : []
  })
}

/** Reminders that would come when the wait is over already. */
const waits: [reminders: string, end: string][] = [
  ['agreementReminders', 'agreementExpiry'],
  ['verificationReminders', 'verificationExpiry'],
  ['informationReminders', 'informationExpiry'],
  ['domainReminders', 'domainExpiry'],
  ['retrievalReminders', 'retrieval'],
  ['termsReminders', 'termsNotice'],
]

/** Moments of one wait, each of which comes after the one before. */
const orders: [earlier: string, later: string][] = [
  ['approvalReminder', 'approvalEscalation'],
  ['approvalEscalation', 'approvalLapse'],
  ['reverificationHold', 'reverificationSuspension'],
]

/** Moments before the end of something, the earliest first. */
const countedFromTheEnd = ['certificateReminders', 'taxFormExpiryReminders', 'tierWarnings']

type CheckedDeadlines = Record<string, number | number[]>

const isRising = (marks: number[]) =>
  marks.every((mark, n) => n === 0 || mark > (marks[n - 1] ?? 0))

function deadlinesOf(deadlines: CheckedDeadlines): Contradiction[] {
  const at = (name: string) => Number(deadlines[name] ?? 0)
  const listed = Object.entries(deadlines).flatMap(([name, marks]) => {
    const falls = Array.isArray(marks) && !countedFromTheEnd.includes(name) && !isRising(marks)
    return falls
      ? [{ path: ['deadlines', name], why: 'each reminder comes after the last one' }]
      : []
  })
  const late = waits.flatMap(([name, end]) => {
    const marks = deadlines[name]
    const isLate = Array.isArray(marks) && marks.some((mark) => mark >= at(end))
    const why = 'a reminder comes before the end'
    return isLate ? [{ path: ['deadlines', name], why, other: end }] : []
  })
  const disordered = orders.flatMap(([earlier, later]) =>
    at(earlier) < at(later)
      ? []
      : [{ path: ['deadlines', later], why: `it comes after ${earlier}`, other: earlier }],
  )
  return [...listed, ...late, ...disordered]
}

/** Everything that contradicts itself; empty for settings that can be used. */
export function contradictionsIn(settings: {
  deadlines: CheckedDeadlines
  onboarding: CheckedOnboarding
}): Contradiction[] {
  const { customFields, preScreen, autoApproval } = settings.onboarding
  return [
    ...deadlinesOf(settings.deadlines),
    ...fieldsOf(customFields),
    ...repeated(
      'customFields',
      customFields.map(({ name }) => name),
    ),
    ...rulesOf('preScreen', preScreen),
    ...repeated(
      'autoApproval',
      autoApproval.map(({ name }) => name),
    ),
    ...rulesOf('autoApproval', autoApproval),
  ]
}
