import fc from 'fast-check'
import { type VerificationStatus, verificationStatuses } from '../../domain/onboarding.ts'
import {
  type AccountFacts,
  codeOf,
  hasDrifted,
  holdAt,
  identityStatuses,
  identityStatusOf,
  isOutOfTries,
  mayFollow,
  nextState,
  type RequirementDeadline,
  readingOf,
  together,
} from '../../domain/verification.ts'

const deadlines: RequirementDeadline[] = ['eventually_due', 'currently_due', 'past_due']

const facts: fc.Arbitrary<AccountFacts> = fc.record({
  capability: fc.constantFrom(
    null,
    'active',
    'pending',
    'restricted',
    'rejected',
    'unsupported',
    'frozen',
  ),
  reason: fc.constantFrom(null, 'requirements_past_due', 'determining_status', 'rejected_fraud'),
  requirements: fc.array(
    fc.record({
      code: fc.constantFrom('identity.document', 'identity.phone'),
      awaits: fc.constantFrom('user' as const, 'stripe' as const),
      deadline: fc.constantFrom(...deadlines),
      errors: fc.subarray(['verification_document_expired']),
    }),
    { maxLength: 4 },
  ),
})

interface State {
  status: VerificationStatus
  everVerified: boolean
}

const start: State = { status: 'not_started', everVerified: false }

function read(before: State, seen: AccountFacts): State {
  const status = nextState(before, readingOf(seen))
  return { status, everVerified: before.everVerified || status === 'verified' }
}

const known = ({ capability }: AccountFacts) => capability !== null && capability !== 'frozen'

describe('reading an account', () => {
  test('goes by legal steps only, whatever is read in whatever order', () => {
    fc.assert(
      fc.property(fc.array(facts, { maxLength: 12 }), (reads) => {
        let state = start
        for (const seen of reads) {
          const next = read(state, seen)
          expect(mayFollow(state.status, next.status)).toBe(true)
          state = next
        }
      }),
    )
  })

  test('ends in the same state in any order and number, when the last look is the same', () => {
    fc.assert(
      fc.property(
        fc.array(facts, { maxLength: 8 }).filter((all) => !all.some(isRefusal)),
        facts.filter((last) => known(last) && !isRefusal(last)),
        fc.infiniteStream(fc.nat()),
        (reads, last, order) => {
          const shuffled = reads
            .map((seen) => ({ seen, place: order.next().value ?? 0 }))
            .sort((a, b) => a.place - b.place)
            .flatMap(({ seen }) => [seen, seen])
          const everVerified = { status: 'verified' as const, everVerified: true }
          const ends = [reads, shuffled].map((all) => [...all, last].reduce(read, everVerified))
          expect(ends[0]?.status).toBe(ends[1]?.status)
        },
      ),
    )
  })

  test('a second time changes nothing', () => {
    fc.assert(
      fc.property(fc.array(facts, { minLength: 1, maxLength: 6 }), (reads) => {
        const once = reads.reduce(read, start)
        const last = reads.at(-1)
        expect(last && read(once, last).status).toBe(once.status)
      }),
    )
  })

  test('never leaves a refusal again', () => {
    fc.assert(
      fc.property(fc.array(facts), fc.boolean(), (reads, everVerified) => {
        const rejected: State = { status: 'rejected', everVerified }
        expect(reads.reduce(read, rejected).status).toBe('rejected')
      }),
    )
  })

  test('calls restricted only what was verified once', () => {
    fc.assert(
      fc.property(fc.array(facts), (reads) => {
        let state = start
        for (const seen of reads) {
          const before = state
          state = read(state, seen)
          if (state.status === 'restricted') expect(before.everVerified).toBe(true)
        }
      }),
    )
  })

  test('keeps the state and names the word where a word is new', () => {
    const reading = readingOf({ capability: 'frozen', reason: null, requirements: [] })
    expect(reading).toMatchObject({ status: null, detail: 'unknown:frozen', nextActor: 'vendor' })
    for (const status of verificationStatuses) {
      expect(nextState({ status, everVerified: true }, reading)).toBe(status)
    }
  })

  test('keeps codes and nothing else', () => {
    fc.assert(
      fc.property(facts, (seen) => {
        const { detail, requirements } = readingOf(seen)
        for (const code of [detail ?? 'none', ...requirements]) expect(code).toMatch(/^[\w.:]+$/)
      }),
    )
    expect(codeOf('Ada Lovelace, born 1815')).toBe('other')
    expect(codeOf('identity.individual.dob')).toBe('identity.individual.dob')
  })
})

function isRefusal({ capability, reason }: AccountFacts): boolean {
  return ['rejected', 'unsupported'].includes(capability ?? '') || reason === 'rejected_fraud'
}

describe('company and person together', () => {
  test('are verified when both are, and not before', () => {
    for (const account of verificationStatuses) {
      for (const status of identityStatuses) {
        const both = together(account, { status, refused: false })
        const green = account === 'verified' && (status === 'verified' || status === 'redacted')
        expect(both === 'verified').toBe(green)
      }
      expect(together(account, null)).toBe(account)
    }
  })

  test('wait for whoever is not done', () => {
    const person = (status: 'requires_input' | 'processing', refused = false) =>
      together('verified', { status, refused })
    expect(person('requires_input')).toBe('in_progress')
    expect(person('requires_input', true)).toBe('needs_input')
    expect(person('processing')).toBe('pending_review')
  })

  test.each([
    ['requires_input', null, 'requires_input'],
    ['processing', null, 'processing'],
    ['verified', null, 'verified'],
    ['verified', 'processing', 'verified'],
    ['verified', 'redacted', 'redacted'],
    ['canceled', 'redacted', 'redacted'],
    ['paused', null, null],
  ])('a session that is %s with the redaction %s is %s', (status, redaction, expected) => {
    expect(identityStatusOf(status, redaction)).toBe(expected)
  })
})

describe('limits', () => {
  test('allow the first try and as many more as the programme says', () => {
    expect([0, 1, 2, 3, 4].map((refusals) => isOutOfTries(refusals, 3))).toEqual([
      false,
      false,
      false,
      false,
      true,
    ])
  })

  test('hold payouts at the vendor’s day or after our time, whichever comes first', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(1_000_000), fc.option(fc.nat()), (since, hold, vendor) => {
        const at = holdAt(since, hold, vendor)
        expect(at).toBeLessThanOrEqual(since + hold * 1_000)
        if (vendor !== null) expect(at).toBeLessThanOrEqual(vendor)
        expect([since + hold * 1_000, vendor]).toContain(at)
      }),
    )
  })

  test('see a drift in what asks for something, not in what is looked at', () => {
    expect(verificationStatuses.filter(hasDrifted)).toEqual([
      'needs_input',
      'restricted',
      'rejected',
    ])
  })
})
