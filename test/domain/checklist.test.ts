import { blockOf, type ChecklistFacts, checklistOf, openItems } from '../../domain/checklist.ts'
import { agreementStatuses, verificationStatuses } from '../../domain/onboarding.ts'

describe('the checklist of an application', () => {
  const green: ChecklistFacts = {
    screening: 'clear',
    agreement: 'completed',
    verification: 'verified',
  }
  const doneOf = (facts: ChecklistFacts) => checklistOf(facts).map(({ done }) => done)

  test('names screening, agreement and verification in this order, with their states', () => {
    expect(checklistOf(green)).toEqual([
      { item: 'screening', state: 'clear', done: true, blocking: true },
      { item: 'agreement', state: 'completed', done: true, blocking: true },
      { item: 'verification', state: 'verified', done: true, blocking: true },
    ])
  })

  test('shows what has not begun as such', () => {
    const nothing = checklistOf({ screening: null, agreement: null, verification: null })
    expect(nothing.map(({ state, done }) => [state, done])).toEqual(
      Array(3).fill(['not_started', false]),
    )
  })

  test('waits for a screening that found something, until two persons override it', () => {
    expect(doneOf({ ...green, screening: 'overridden' })).toEqual([true, true, true])
    expect(doneOf({ ...green, screening: 'review' })).toEqual([false, true, true])
    expect(blockOf(checklistOf({ ...green, screening: 'confirmed' }))).toBe('screening_open')
  })

  test('is green for a completed agreement and a verified company only', () => {
    for (const agreement of agreementStatuses) {
      expect(doneOf({ ...green, agreement })[1]).toBe(agreement === 'completed')
    }
    for (const verification of verificationStatuses) {
      expect(doneOf({ ...green, verification })[2]).toBe(verification === 'verified')
    }
  })

  test('names what an approval has to wait for, and nothing once all is green', () => {
    expect(openItems(checklistOf(green))).toEqual([])
    const open = openItems(
      checklistOf({ ...green, agreement: 'sent', verification: 'needs_input' }),
    )
    expect(open).toEqual(['agreement', 'verification'])
  })

  test('takes nobody in below a partner that is suspended or gone', () => {
    expect(checklistOf({ ...green, parent: 'active' })).toEqual(checklistOf(green))
    for (const parent of ['suspended', 'terminated'] as const) {
      const items = checklistOf({ ...green, parent })
      expect([openItems(items), blockOf(items)]).toEqual([['parent'], 'parent_not_active'])
    }
  })

  test('waits for nothing that does not block', () => {
    const item = { item: 'duplicates', state: 'found', done: false, blocking: false }
    expect(openItems([item])).toEqual([])
  })
})
