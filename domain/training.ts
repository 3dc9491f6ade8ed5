/** What partners learn: states of a round, answers to questions, and when to remind. */
import { tierNames } from './tiers.ts'

export const courseStatuses = ['draft', 'published', 'retired'] as const
export type CourseStatus = (typeof courseStatuses)[number]

export const enrolmentStates = [
  'not_started',
  'in_progress',
  'passed',
  'failed',
  'expired',
] as const
export type EnrolmentState = (typeof enrolmentStates)[number]

/** What a programme may ask a certificate for. */
export const certifiedSteps = ['activation', ...tierNames] as const
export type CertifiedStep = (typeof certifiedSteps)[number]

export const certificateStates = ['valid', 'expired', 'revoked'] as const
export type CertificateState = (typeof certificateStates)[number]

export interface Question {
  id: string
  text: string
  options: string[]
}

/** The numbers of options by question, counted from 0. */
export type QuizAnswers = Record<string, number[]>

/** Answers in one form, so that equal ones are equal: each option once and in order. */
export function normalizedAnswers(answers: QuizAnswers): QuizAnswers {
  const entries = Object.entries(answers).map(([id, options]): [string, number[]] => [
    id,
    [...new Set(options)].sort((a, b) => a - b),
  ])
  return Object.fromEntries(entries)
}

/** What keeps a course from being taught; null when it may be published. */
export function courseProblem(
  modules: { ordinal: number; questions: Question[] }[],
): string | null {
  if (modules.length === 0) return 'it has no module'
  const questions = modules.flatMap((module) => module.questions)
  if (questions.length === 0) return 'it asks no question'
  const ids = questions.map(({ id }) => id)
  const twice = ids.find((id, i) => ids.indexOf(id) !== i)
  return twice === undefined ? null : `two questions have the id ${twice}`
}

/** How a certificate stands at an instant. */
export function certificateState(
  certificate: { expiresAt: Date | null; revokedAt: Date | null },
  at: Date,
): CertificateState {
  if (certificate.revokedAt) return 'revoked'
  return certificate.expiresAt && certificate.expiresAt <= at ? 'expired' : 'valid'
}

const order: EnrolmentState[] = ['not_started', 'failed', 'in_progress', 'expired', 'passed']

/** How far an organisation has come with a course: as far as the best of its members. */
export function furthestState(states: EnrolmentState[]): EnrolmentState {
  return states.reduce<EnrolmentState>(
    (best, state) => (order.indexOf(state) > order.indexOf(best) ? state : best),
    'not_started',
  )
}

const shortestPause = 3_600

/**
 * The reminder that comes next, and after how many seconds since the beginning. After the last
 * mark they go on at its distance from the one before, because such a wait has no end.
 */
export function reminderAfter(
  marks: readonly number[],
  passed: number,
): { number: number; at: number } | null {
  const index = marks.findIndex((mark) => mark > passed)
  if (index >= 0) return { number: index + 1, at: marks[index] as number }
  const last = marks.at(-1)
  if (last === undefined) return null
  const pause = Math.max(last - (marks.at(-2) ?? 0), shortestPause)
  const more = Math.floor((passed - last) / pause) + 1
  return { number: marks.length + more, at: last + more * pause }
}
