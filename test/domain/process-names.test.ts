import { outwardId } from '../../domain/ids.ts'
import { scheduleIds, signalNames, workflowIds, workflowTypes } from '../../domain/process-names.ts'

const uuid = '01890a5d-ac96-774b-bcce-b302099a8057'

describe('the id of a process', () => {
  test('is the outward id of what the process is about', () => {
    expect(workflowIds.onboarding(uuid)).toBe(`onboarding:${outwardId('application', uuid)}`)
    expect(workflowIds.provisioning(uuid)).toBe(`provisioning:${outwardId('tenant', uuid)}`)
    expect(workflowIds.subscription(uuid)).toBe(`subscription:${outwardId('subscription', uuid)}`)
  })

  test('of a month is the month, so that no month is settled twice', () => {
    expect(workflowIds.settlement('2026-10')).toBe('settlement:2026-10')
    expect(workflowIds.settlementPreview('2026-10', 3)).toBe('settlement:2026-10:preview:3')
    expect(workflowIds.payout('2026-10', 0)).toBe('payout:2026-10:s00')
    expect(workflowIds.payout('2026-10', 12)).toBe('payout:2026-10:s12')
    expect(workflowIds.tiers('2026-10')).toBe('tiers:2026-10')
  })

  test('of an inbox is its vendor', () => {
    expect(workflowIds.inbox('stripe')).toBe('inbox:stripe')
    expect(workflowIds.inbox('docusign')).toBe('inbox:docusign')
  })

  test('is unlike the id of every other process', () => {
    const ids = [
      workflowIds.onboarding(uuid),
      workflowIds.provisioning(uuid),
      workflowIds.subscription(uuid),
      workflowIds.inbox('stripe'),
      workflowIds.inbox('docusign'),
      workflowIds.settlement('2026-10'),
      workflowIds.settlementPreview('2026-10', 1),
      workflowIds.payout('2026-10', 1),
      workflowIds.tiers('2026-10'),
      workflowIds.sweeper,
      ...Object.values(scheduleIds),
    ]
    const shared = ids.filter((id, i) => ids.indexOf(id) !== i)
    expect(shared).toEqual([workflowIds.sweeper])
  })
})

describe('the names under which processes run', () => {
  test('are those that the code says, because running processes are found by them', () => {
    for (const names of [workflowTypes, signalNames]) {
      for (const [key, name] of Object.entries(names)) expect(name).toBe(key)
    }
  })
})
