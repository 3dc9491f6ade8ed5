import { explainPromotion, permittedPromotion } from '../../domain/tiers.ts'
import {
  certificateState,
  courseProblem,
  furthestState,
  normalizedAnswers,
  reminderAfter,
} from '../../domain/training.ts'

const day = 86_400

test('answers are equal however often and in which order an option is named', () => {
  expect(normalizedAnswers({ a: [2, 0, 2, 1] })).toEqual({ a: [0, 1, 2] })
})

test('a course needs a module and a question, and each question a name of its own', () => {
  const question = { id: 'a', text: 'Which?', options: ['x', 'y'] }
  expect(courseProblem([])).toBe('it has no module')
  expect(courseProblem([{ ordinal: 1, questions: [] }])).toBe('it asks no question')
  expect(courseProblem([{ ordinal: 1, questions: [question, question] }])).toMatch(/have the id a/)
  expect(courseProblem([{ ordinal: 1, questions: [question] }])).toBeNull()
})

test('a certificate is good until its end, for ever without one, and never once it is revoked', () => {
  const [at, later] = [new Date('2026-01-01'), new Date('2026-01-02')]
  expect(certificateState({ expiresAt: later, revokedAt: null }, at)).toBe('valid')
  expect(certificateState({ expiresAt: at, revokedAt: null }, at)).toBe('expired')
  expect(certificateState({ expiresAt: null, revokedAt: null }, at)).toBe('valid')
  expect(certificateState({ expiresAt: null, revokedAt: at }, at)).toBe('revoked')
})

test('an organisation is as far as the best of its members', () => {
  expect(furthestState([])).toBe('not_started')
  expect(furthestState(['failed', 'passed', 'expired'])).toBe('passed')
  expect(furthestState(['failed', 'in_progress'])).toBe('in_progress')
})

describe('reminders of training', () => {
  const marks = [3 * day, 7 * day, 14 * day]
  test('come at the marks, and go on at the distance of the last two', () => {
    expect(reminderAfter(marks, 0)).toEqual({ number: 1, at: 3 * day })
    expect(reminderAfter(marks, 3 * day)).toEqual({ number: 2, at: 7 * day })
    expect(reminderAfter(marks, 14 * day)).toEqual({ number: 4, at: 21 * day })
    expect(reminderAfter(marks, 22 * day)).toEqual({ number: 5, at: 28 * day })
  })

  test('of seconds go on by the hour at most, and none at all never come', () => {
    expect(reminderAfter([1, 2], 2)).toEqual({ number: 3, at: 3_602 })
    expect(reminderAfter([], 5)).toBeNull()
  })
})

describe('a tier that takes a certification', () => {
  test('is passed over for the highest one below it that is open', () => {
    expect(permittedPromotion('bronze', 'platinum', (tier) => tier !== 'platinum')).toBe('gold')
    expect(permittedPromotion('bronze', 'gold', () => true)).toBe('gold')
    expect(permittedPromotion('silver', 'gold', () => false)).toBeNull()
  })

  test('is named in the reason of the lower one', () => {
    const facts = { metric: 500n, threshold: 100n, currency: 'USD', months: 12 }
    expect(explainPromotion({ ...facts, to: 'silver', lacksCertificationFor: 'gold' })).toMatch(
      /silver threshold of .*; gold waits for a certification$/,
    )
    expect(explainPromotion({ ...facts, to: 'gold' })).not.toMatch(/certification/)
  })
})
