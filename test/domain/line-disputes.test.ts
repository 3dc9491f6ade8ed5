import { decisionProblem, disputeStatuses, mostOf, nextSide } from '../../domain/line-disputes.ts'

test('it is the platform’s turn when opened, the partner’s when answered, else nobody’s', () => {
  expect(disputeStatuses.map(nextSide)).toEqual(['platform', 'partner', null, null])
})

test.each([
  ['opened', null, null, null],
  ['answered', null, null, null],
  ['withdrawn', null, null, 'already_decided'],
  ['decided', 'reject', null, 'already_decided'],
  ['decided', 'uphold', 'proposed', 'already_decided'],
  ['decided', 'uphold', 'approved', 'already_decided'],
  ['decided', 'uphold', 'rejected', null],
  ['decided', 'uphold', 'withdrawn', null],
  ['decided', 'uphold', 'expired', null],
] as const)('a dispute that is %s (%s, entry %s) may be decided: %s', (...row) => {
  const [status, decision, effect, problem] = row
  expect(decisionProblem({ status, decision, effect })).toBe(problem)
})

test('a correction is at most what the line was earned on, or its amount where that is more', () => {
  const most = (base: bigint, amount: bigint) => mostOf({ base, amount })
  expect([most(9_999n, 2_000n), most(0n, -500n), most(-300n, -60n), most(0n, 0n)]).toEqual([
    9_999n,
    500n,
    300n,
    1n,
  ])
})
