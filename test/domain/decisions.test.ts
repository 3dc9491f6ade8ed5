import { type DecisionFacts, needsTwoApprovers, verdictOf } from '../../domain/decisions.ts'

const facts: DecisionFacts = {
  decision: 'approve',
  isDecided: false,
  mayDecide: true,
  blockedBy: null,
  needsTwo: false,
  approvals: 0,
  gaveOne: false,
}
const outcomeOf = (changes: Partial<DecisionFacts>) => {
  const verdict = verdictOf({ ...facts, ...changes })
  return verdict.outcome === 'refused' ? verdict.code : verdict.outcome
}

describe('a decision', () => {
  test.each<[string, Partial<DecisionFacts>, string]>([
    ['of one person approves where one suffices', {}, 'approved'],
    ['waits for what is open', { blockedBy: 'not_ready' }, 'not_ready'],
    ['to reject waits for nothing', { decision: 'reject', blockedBy: 'not_ready' }, 'rejected'],
    ['is taken once', { isDecided: true }, 'already_decided'],
    ['to reject is taken once', { isDecided: true, decision: 'reject' }, 'already_decided'],
    ['is an administrator’s', { mayDecide: false }, 'forbidden'],
    ['to reject is an administrator’s', { mayDecide: false, decision: 'reject' }, 'forbidden'],
    ['of two begins with a first', { needsTwo: true }, 'first_approval'],
    ['of two takes another person', { needsTwo: true, approvals: 1 }, 'approved'],
    [
      'of two is refused the person that was first',
      { needsTwo: true, approvals: 1, gaveOne: true },
      'second_person_required',
    ],
    [
      'to reject is free to the person that approved first',
      { decision: 'reject', needsTwo: true, approvals: 1, gaveOne: true },
      'rejected',
    ],
    [
      'that needs one by now takes the person that was first',
      { approvals: 1, gaveOne: true },
      'approved',
    ],
  ])('%s', (_what, changes, outcome) => {
    expect(outcomeOf(changes)).toBe(outcome)
  })
})

describe('two persons approve', () => {
  const programme = { currency: 'USD', twoApproversFrom: 5_000_000 }
  const needs = (minor: bigint, currency = 'USD') =>
    needsTwoApprovers({ minor, currency }, programme)

  test('from the limit on, to the last unit', () => {
    expect([needs(4_999_999n), needs(5_000_000n), needs(5_000_001n)]).toEqual([false, true, true])
  })

  test('of an amount that cannot be compared, unless it is nothing', () => {
    expect([needs(1n, 'EUR'), needs(0n, 'EUR')]).toEqual([true, false])
  })

  test('never where no volume is known', () => {
    expect(needsTwoApprovers(null, programme)).toBe(false)
  })
})
