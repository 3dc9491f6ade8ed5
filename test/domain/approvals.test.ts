import {
  approvalKinds,
  approvalStatuses,
  decisionRefusal,
  type Proposal,
  proposalText,
} from '../../domain/approvals.ts'

const entry: Proposal = {
  kind: 'manual_entry',
  id: '1',
  concernedId: '2',
  reason: 'Goodwill',
  amountMinor: -5n,
  currency: 'USD',
  happenedAt: new Date('2026-10-05T10:00:00Z'),
}
const override: Proposal = {
  kind: 'tier_override',
  id: '1',
  concernedId: '2',
  reason: 'Goodwill',
  tier: 'gold',
  until: null,
}

describe('what is signed', () => {
  test('is everything that was proposed, in one form', () => {
    expect(proposalText(entry)).toBe(
      '["manual_entry","1","2","Goodwill","-5","USD","2026-10-05T10:00:00.000Z"]',
    )
    expect(proposalText(override)).toBe('["tier_override","1","2","Goodwill","gold",null]')
  })

  test.each<[string, Proposal]>([
    ['id', { ...entry, id: '3' }],
    ['partner', { ...entry, concernedId: '3' }],
    ['reason', { ...entry, reason: 'Goodwill"' }],
    ['amount', { ...entry, amountMinor: 5n }],
    ['currency', { ...entry, currency: 'EUR' }],
    ['time', { ...entry, happenedAt: new Date('2026-10-05T10:00:00.001Z') }],
    ['kind', override],
  ])('is something else with another %s', (_what, other) => {
    expect(proposalText(other)).not.toBe(proposalText(entry))
  })

  test('is of seven kinds and has five statuses', () => {
    expect([approvalKinds.length, approvalStatuses.length]).toEqual([7, 5])
  })
})

describe('a decision', () => {
  const proposal = { status: 'proposed' as const, proposedBy: 'one', payloadHash: 'hash' }
  const by = (memberId: string) => ({ memberId, samePerson: false, payloadHash: 'hash' })

  test('is taken by a second person, and a withdrawal by the first', () => {
    expect(decisionRefusal(proposal, { ...by('two'), verdict: 'approved' })).toBeNull()
    expect(decisionRefusal(proposal, { ...by('two'), verdict: 'rejected' })).toBeNull()
    expect(decisionRefusal(proposal, { ...by('one'), verdict: 'withdrawn' })).toBeNull()
    expect(decisionRefusal(proposal, { ...by('two'), verdict: 'withdrawn' })).toBe('forbidden')
  })

  test.each(['approved', 'rejected'] as const)('%s by the first person is refused', (verdict) => {
    const second = 'second_person_required'
    expect(decisionRefusal(proposal, { ...by('one'), verdict })).toBe(second)
    expect(decisionRefusal(proposal, { ...by('two'), samePerson: true, verdict })).toBe(second)
  })

  test('of something else than was signed is refused', () => {
    for (const payloadHash of ['other', undefined]) {
      const decision = { ...by('two'), payloadHash, verdict: 'approved' as const }
      expect(decisionRefusal(proposal, decision)).toBe('payload_changed')
    }
  })

  test('comes once, and in time', () => {
    const decision = { ...by('two'), verdict: 'approved' as const }
    for (const status of ['approved', 'rejected', 'withdrawn'] as const) {
      expect(decisionRefusal({ ...proposal, status }, decision)).toBe('already_decided')
    }
    expect(decisionRefusal({ ...proposal, status: 'expired' }, decision)).toBe('gone')
  })
})
