import {
  deciderOf,
  mayHaveBelow,
  partnerLevels,
  partnerStatuses,
  partnerTypes,
} from '../../domain/partners.ts'

describe('the ladder of the hierarchy', () => {
  test.each([
    ['super_admin', 'master_reseller', true],
    ['super_admin', 'reseller', true],
    ['master_reseller', 'master_reseller', false],
    ['master_reseller', 'reseller', true],
    ['reseller', 'master_reseller', false],
    ['reseller', 'reseller', false],
  ] as const)('a %s above a %s: %s', (parent, child, allowed) => {
    expect(mayHaveBelow(parent, child)).toBe(allowed)
  })

  test('lets nobody bring in an equal', () => {
    for (const level of partnerLevels) expect(mayHaveBelow(level, level)).toBe(false)
  })
})

describe('who decides on an application', () => {
  test('is the platform where no parent is named, else the master reseller', () => {
    expect(deciderOf({ parentId: null })).toBe('super_admin')
    expect(deciderOf({ parentId: 'a partner' })).toBe('master_reseller')
  })
})

describe('the words for partners', () => {
  test('are two levels, eight types and four statuses, each named once', () => {
    expect(partnerLevels).toEqual(['master_reseller', 'reseller'])
    expect(partnerStatuses).toEqual(['approved', 'active', 'suspended', 'terminated'])
    expect(new Set(partnerTypes).size).toBe(8)
  })
})
