import { allows, covers, isNarrow, isReading, scopeOf, scopesBeyond } from '../../domain/scopes.ts'

describe('the scope of a permission', () => {
  it.each([
    ['customers.read', 'read', 'customers:read'],
    ['customers.write', 'write', 'customers:write'],
    ['tenants.retry', 'write', 'tenants:write'],
    ['audit.export', 'read', 'audit:read'],
    ['settlement.sign', 'approvals:write', 'approvals:write'],
  ] as const)('of %s, which takes %s, is %s', (permission, broad, scope) => {
    expect(scopeOf(permission, broad)).toBe(scope)
  })
})

describe('scopes', () => {
  it('allow what they name', () => {
    expect(allows(['customers:read'], 'customers.read', 'read')).toBe(true)
    expect(allows(['read'], 'customers.read', 'read')).toBe(true)
    expect(allows(['write'], 'customers.write', 'write')).toBe(true)
    expect(allows(['approvals:write'], 'settlement.sign', 'approvals:write')).toBe(true)
  })

  it.each([
    [['customers:read'], 'customers.write', 'write'],
    [['customers:write'], 'customers.read', 'read'],
    [['customers:read'], 'links.read', 'read'],
    [['write'], 'customers.read', 'read'],
    [['read'], 'customers.write', 'write'],
    [['approvals:write'], 'approvals.read', 'read'],
    [[], 'customers.read', 'read'],
  ] as const)('%p do not allow %s', (own, permission, broad) => {
    expect(allows(own, permission, broad)).toBe(false)
  })

  it('never imply approvals', () => {
    const everythingElse = ['read', 'write', 'settlement:write', 'approvals:read']
    expect(allows(everythingElse, 'settlement.sign', 'approvals:write')).toBe(false)
    expect(covers(everythingElse, 'approvals:write')).toBe(false)
  })

  it('are given as far as one has them', () => {
    expect(scopesBeyond(['read', 'customers:write'], ['read', 'links:read'])).toEqual([])
    const wanted = ['write', 'customers:write', 'links:write', 'approvals:write']
    expect(scopesBeyond(['customers:write'], wanted)).toEqual([
      'write',
      'links:write',
      'approvals:write',
    ])
    expect(scopesBeyond(['customers:read'], ['read'])).toEqual(['read'])
    expect(scopesBeyond(['write'], ['approvals:write'])).toEqual(['approvals:write'])
  })

  it('are of one capability or broad, for reading or for more', () => {
    expect(['read', 'write', 'approvals:write', 'links:read', 'links:write'].map(isNarrow)).toEqual(
      [false, false, false, true, true],
    )
    expect(['read', 'links:read', 'links:write', 'approvals:write'].map(isReading)).toEqual([
      true,
      true,
      false,
      false,
    ])
  })
})
