import {
  type MemberRole,
  mayGrant,
  memberRoles,
  needAfterFirst,
  needsSecondFactor,
  sessionLife,
} from '../../domain/members.ts'
import { actorLevels } from '../../domain/partners.ts'

describe('a role', () => {
  const granted: Record<MemberRole, MemberRole[]> = {
    owner: ['owner', 'admin', 'finance', 'viewer'],
    admin: ['admin', 'finance', 'viewer'],
    finance: [],
    viewer: [],
  }

  test.each(memberRoles)('%s is given by nobody below it', (actor) => {
    expect(memberRoles.filter((role) => mayGrant(actor, role))).toEqual(granted[actor])
  })
})

describe('signing in', () => {
  test('takes two factors at the levels that act for others', () => {
    expect(actorLevels.filter(needsSecondFactor)).toEqual(['super_admin', 'master_reseller'])
  })

  test.each([
    ['super_admin', 1_800, 43_200],
    ['master_reseller', 1_800, 43_200],
    ['reseller', 43_200, 1_209_600],
    ['customer', 43_200, 1_209_600],
  ] as const)('of a %s lasts %d seconds unused and %d at most', (level, idle, absolute) => {
    expect(sessionLife(level)).toEqual({ idle, absolute })
  })

  test('asks for what the person has, and else for what its level needs', () => {
    const person = { hasTotp: false, passkeys: 0, strong: false }
    expect(needAfterFirst({ ...person, level: 'reseller' })).toBeNull()
    expect(needAfterFirst({ ...person, level: 'super_admin' })).toBe('enrolment')
    expect(needAfterFirst({ ...person, level: 'reseller', hasTotp: true })).toBe('totp')
    expect(needAfterFirst({ ...person, level: 'reseller', passkeys: 2 })).toBe('passkey')
    const strong = { ...person, hasTotp: true, strong: true }
    expect(needAfterFirst({ ...strong, level: 'super_admin' })).toBeNull()
  })
})
