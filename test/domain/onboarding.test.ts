import { applicationStatuses, isClosed, isDecided, reapplyFrom } from '../../domain/onboarding.ts'

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
})

describe('the day from which one may apply again', () => {
  const closedAt = new Date('2026-11-21T10:00:00Z')

  test('is so many seconds after a rejection', () => {
    const from = reapplyFrom({ status: 'rejected', closedAt }, 86_400)
    expect(from?.toISOString()).toBe('2026-11-22T10:00:00.000Z')
  })

  test('is told of nothing but a rejection', () => {
    for (const status of applicationStatuses.filter((one) => one !== 'rejected')) {
      expect(reapplyFrom({ status, closedAt }, 86_400)).toBeNull()
    }
    expect(reapplyFrom({ status: 'rejected', closedAt: null }, 86_400)).toBeNull()
  })
})
