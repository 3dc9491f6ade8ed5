import {
  agreementStatuses,
  applicationStatuses,
  awaitsApplicant,
  type ChecklistFacts,
  checklistOf,
  isClosed,
  isDecided,
  reapplyFrom,
  verificationStatuses,
} from '../../domain/onboarding.ts'

describe('the checklist of an application', () => {
  const green: ChecklistFacts = {
    screening: 'clear',
    agreement: 'completed',
    verification: 'verified',
  }
  const doneOf = (facts: ChecklistFacts) => checklistOf(facts).map(({ done }) => done)

  test('names screening, agreement and verification in this order, with their states', () => {
    expect(checklistOf(green)).toEqual([
      { item: 'screening', state: 'clear', done: true },
      { item: 'agreement', state: 'completed', done: true },
      { item: 'verification', state: 'verified', done: true },
    ])
  })

  test('shows what has not begun as such', () => {
    const nothing = checklistOf({ screening: null, agreement: null, verification: null })
    expect(nothing.map(({ state, done }) => [state, done])).toEqual(
      Array(3).fill(['not_started', false]),
    )
  })

  test('counts a screening as done when it has a result, also one for a person to look at', () => {
    expect(doneOf({ ...green, screening: 'review' })).toEqual([true, true, true])
  })

  test('is green for a completed agreement and a verified company only', () => {
    for (const agreement of agreementStatuses) {
      expect(doneOf({ ...green, agreement })[1]).toBe(agreement === 'completed')
    }
    for (const verification of verificationStatuses) {
      expect(doneOf({ ...green, verification })[2]).toBe(verification === 'verified')
    }
  })
})

describe('the status of an application', () => {
  test('is decided from the approval on, and after every other end', () => {
    const open = applicationStatuses.filter((status) => !isDecided(status))
    expect(open).toEqual(['submitted', 'in_review'])
  })

  test('is closed only where nothing more happens', () => {
    const closed = applicationStatuses.filter(isClosed)
    expect(closed).toEqual(['active', 'rejected', 'withdrawn', 'lapsed'])
    for (const status of closed) expect(isDecided(status)).toBe(true)
  })

  test('waits for the applicant exactly while the vendor wants something from it', () => {
    const waiting = verificationStatuses.filter(awaitsApplicant)
    expect(waiting).toEqual(['link_issued', 'in_progress', 'needs_input'])
  })
})

describe('the day from which one may apply again', () => {
  const closedAt = new Date('2026-11-21T10:00:00Z')

  test('is so many seconds after a rejection', () => {
    const from = reapplyFrom({ status: 'rejected', closedAt }, 86_400)
    expect(from?.toISOString()).toBe('2026-11-22T10:00:00.000Z')
  })

  test('is told of nothing but a rejection', () => {
    for (const status of applicationStatuses.filter((one) => one !== 'rejected')) {
      expect(reapplyFrom({ status, closedAt }, 86_400)).toBeNull()
    }
    expect(reapplyFrom({ status: 'rejected', closedAt: null }, 86_400)).toBeNull()
  })
})
