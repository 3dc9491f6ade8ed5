import { deadlinesSchema, onboardingSettingsSchema } from '../../db/programme-settings.ts'
import { contradictionsIn } from '../../domain/programme-checks.ts'

const day = 86_400

function found(changes: {
  deadlines?: Parameters<typeof deadlinesSchema.parse>[0]
  onboarding?: Parameters<typeof onboardingSettingsSchema.parse>[0]
}): string[] {
  const settings = {
    deadlines: deadlinesSchema.parse(changes.deadlines ?? {}),
    onboarding: onboardingSettingsSchema.parse(changes.onboarding ?? {}),
  }
  return contradictionsIn(settings).map(({ path }) => path.join('/'))
}

describe('the settings of a programme', () => {
  test('contradict nothing where nothing was set', () => {
    expect(found({})).toEqual([])
  })

  test.each<[string, object, string]>([
    ['a reminder at its end', { agreementReminders: [30 * day] }, 'agreementReminders'],
    ['reminders that go back', { trainingReminders: [3, 2] }, 'trainingReminders'],
    ['a reminder twice', { welcomeMails: [2, 2] }, 'welcomeMails'],
    ['an escalation before its reminder', { approvalEscalation: day }, 'approvalEscalation'],
    ['a lapse before its escalation', { approvalLapse: 5 * day }, 'approvalLapse'],
    ['a stop before its hold', { reverificationSuspension: 1 }, 'reverificationSuspension'],
  ])('cannot have %s', (_what, deadlines, name) => {
    expect(found({ deadlines })).toEqual([`deadlines/${name}`])
  })

  test('may remind of a certificate from far to near, which is counted from its end', () => {
    expect(found({ deadlines: { certificateReminders: [30 * day, 7 * day] } })).toEqual([])
  })

  test('cannot ask a question twice, or a choice of nothing', () => {
    const field = { label: 'Tax number', kind: 'text' }
    const customFields = [
      { ...field, name: 'tax' },
      { ...field, name: 'tax' },
      { ...field, name: 'size', kind: 'choice' },
      { ...field, name: 'ok', kind: 'yes_no', options: ['yes'] },
    ]
    expect(found({ onboarding: { customFields } })).toEqual([
      'onboarding/customFields/2/options',
      'onboarding/customFields/3/options',
      'onboarding/customFields/1/name',
    ])
  })

  test('cannot have a rule that never fits, each told once', () => {
    const rule = { outcome: 'review', reason: 'look' }
    const preScreen = [
      { ...rule, levels: ['reseller'] },
      { ...rule, levels: ['reseller'], countries: ['PT'] },
      { ...rule, levels: ['reseller'], countries: [] },
      { ...rule, countries: ['PT'] },
    ]
    const autoApproval = [
      { name: 'all' },
      { name: 'small', volumeBelow: 100 },
      { name: 'all', volumeBelow: 0 },
    ]
    expect(found({ onboarding: { preScreen, autoApproval } })).toEqual([
      'onboarding/preScreen/2',
      'onboarding/preScreen/1',
      'onboarding/autoApproval/2/name',
      'onboarding/autoApproval/2',
      'onboarding/autoApproval/1',
    ])
  })
})
