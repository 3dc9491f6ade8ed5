import fc from 'fast-check'
import {
  agreementStatuses,
  applicationStatuses,
  awaitsApplicant,
  type ChecklistFacts,
  checklistOf,
  isClosed,
  isDecided,
  normalizedCompanyName,
  verificationStatuses,
} from '../../domain/onboarding.ts'

describe('the normalized name of a company', () => {
  test.each([
    ['Acme, Inc.', 'acme'],
    ['ACME  GmbH', 'acme'],
    ['acme', 'acme'],
    ['  Acme Ltd ', 'acme'],
    ['Acme LLC', 'acme'],
    ['Acme L.L.C.', 'acme'],
    ['Acme S.A.', 'acme'],
    ['Acme SA', 'acme'],
    ['Acme B.V.', 'acme'],
    ['Müller & Söhne AG', 'muller sohne'],
    ['Muller+Sohne ag', 'muller sohne'],
    ['Café_Co', 'cafe'],
    ['3M Corp', '3m'],
    ['株式会社アクメ', '株式会社アクメ'.normalize('NFKD')],
  ])('of "%s" is "%s"', (name, normalized) => {
    expect(normalizedCompanyName(name)).toBe(normalized)
  })

  test('keeps apart companies whose words only begin or end like a legal form', () => {
    for (const name of ['Agile', 'Incognito', 'Cosmos', 'Tesco', 'Visa', 'Plcnet', 'Øco']) {
      expect(normalizedCompanyName(name)).toBe(name.toLowerCase())
    }
  })

  test('is never empty for a name with a letter or a number, so that no two become twins', () => {
    expect(normalizedCompanyName('Co')).toBe('co')
    expect(normalizedCompanyName('SA')).toBe('sa')
    expect(normalizedCompanyName('AG Inc.')).toBe('ag inc')
  })

  test('is itself normalized, and blind to case, spaces and punctuation at the ends', () => {
    const names = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 30 }),
      fc.constantFrom('Foo_co', 'a.b.c', 'In.c', 'x--SA', 'Łódź Sp. z o.o.'),
    )
    fc.assert(
      fc.property(names, (name) => {
        const normalized = normalizedCompanyName(name)
        expect(normalizedCompanyName(normalized)).toBe(normalized)
        expect(normalizedCompanyName(`  ${name} - `)).toBe(normalized)
      }),
      { numRuns: 500 },
    )
    fc.assert(
      fc.property(fc.stringMatching(/^x[a-z]{3,9}( [a-z]{1,9}){0,3}$/), (name) => {
        expect(normalizedCompanyName(name.toUpperCase())).toBe(normalizedCompanyName(name))
        expect(normalizedCompanyName(`${name}, Inc.`)).toBe(normalizedCompanyName(`${name} GmbH`))
      }),
      { numRuns: 300 },
    )
  })
})

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
