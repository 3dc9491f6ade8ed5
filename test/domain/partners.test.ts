import {
  actorLevels,
  deciderOf,
  mayCreate,
  partnerLevels,
  partnerStatuses,
  partnerTypes,
} from '../../domain/partners.ts'

describe('the ladder of the hierarchy', () => {
  const created = ['master_reseller', 'reseller', 'customer'] as const
  const ladder: Record<(typeof actorLevels)[number], readonly string[]> = {
    super_admin: ['master_reseller', 'reseller', 'customer'],
    master_reseller: ['reseller', 'customer'],
    reseller: ['customer'],
    customer: [],
  }

  test.each(actorLevels)('%s brings in who stands below it, and nobody else', (actor) => {
    const may = created.filter((level) => mayCreate(actor, level, { resellerChains: false }))
    expect(may).toEqual(ladder[actor])
  })

  test('has resellers below resellers only where the programme has such chains', () => {
    expect(mayCreate('reseller', 'reseller', { resellerChains: true })).toBe(true)
    expect(mayCreate('reseller', 'master_reseller', { resellerChains: true })).toBe(false)
    expect(mayCreate('master_reseller', 'master_reseller', { resellerChains: true })).toBe(false)
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
