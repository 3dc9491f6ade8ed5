import { type Product, startProduct } from '../support/product.ts'
import { itIsClosedTo, itTakesLiveKeysOnly } from './guards.ts'
import { type Call, clientOf, faults, type Json } from './kit.ts'
import { makeWorld, type World } from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
})
afterAll(() => product.stop())

const stage = () => ({ db: product.db, call, key: world.owner.key })
const path = '/v1/programme'
const read = (key = world.owner.key) => call(path, { key })
const change = (body: unknown, ifMatch = '*') =>
  call(path, {
    method: 'PATCH',
    key: world.owner.key,
    body,
    headers: { 'If-Match': ifMatch },
  })

describe('the programme', () => {
  it('is read by its owner with every setting, by partners with its terms alone', async () => {
    const { body } = await read()
    expect(body).toMatchObject({
      currency: 'USD',
      hold_days: 0,
      minimum_payout: 500,
      deadlines: { approval_lapse: 30 * 86_400, reapplication: 30 * 86_400 },
      onboarding: { pre_screen: [], custom_fields: [], two_approvers_from: 5_000_000 },
    })
    for (const key of [world.north.key, world.shop.key]) {
      const answer = await read(key)
      const { deadlines: _deadlines, onboarding: _onboarding, ...terms } = body
      expect([answer.status, answer.body]).toEqual([200, terms])
    }
  })

  it('is changed field by field; what is left out stays', async () => {
    const before = (await read()).body as { deadlines: Json; onboarding: Json }
    const rule = {
      countries: ['KP'],
      email_domains: ['bad.example'],
      volume_above: 10,
      outcome: 'reject',
      reason: 'we do not trade there',
    }
    const answer = await change({
      name: 'Partners of ours',
      hold_days: 14,
      minimum_payout: 10_000,
      tier_window_months: 6,
      deadlines: { approval_reminder: 86_400 },
      onboarding: { pre_screen: [rule] },
    })
    expect(answer.status).toBe(200)
    expect(answer.body).toMatchObject({
      name: 'Partners of ours',
      hold_days: 14,
      minimum_payout: 10_000,
      tier_window_months: 6,
      deadlines: { ...before.deadlines, approval_reminder: 86_400 },
      onboarding: { ...before.onboarding, pre_screen: [rule] },
    })
    expect((await read()).body).toEqual(answer.body)
  })

  it('is changed by who has read its newest version', async () => {
    const etag = (await read()).headers.get('etag') ?? ''
    const first = await change({ hold_days: 10 }, etag)
    expect([first.status, first.headers.get('etag') === etag]).toEqual([200, false])
    const late = await change({ hold_days: 11 }, etag)
    expect([late.status, late.body.code]).toEqual([412, 'precondition_failed'])
    const blind = await change({ hold_days: 12 }, '')
    expect([blind.status, blind.body.code]).toEqual([428, 'precondition_required'])
    expect((await read()).body.hold_days).toBe(10)
  })

  it('stands in the audit trail when it is changed', async () => {
    await change({ hold_days: 9 })
    const events = await call('/v1/audit-events?kind=programme&limit=1', { key: world.owner.key })
    const [event] = events.body.data as Json[]
    expect(event).toMatchObject({ verb: 'changed', changed: ['hold_days'] })
  })

  const all = { outcome: 'review', reason: 'look' }
  const question = { name: 'tax', label: 'Tax number', kind: 'text' }
  it.each<[string, Json, string[]]>([
    ['an unknown setting', { colour: 'red' }, ['unknown_field /colour']],
    ['another currency', { currency: 'EUR' }, ['unknown_field /currency']],
    ['a hold of a year', { hold_days: 365 }, ['invalid /hold_days']],
    ['an unknown deadline', { deadlines: { tea: 1 } }, ['unknown_field /deadlines/tea']],
    ['half a second', { deadlines: { undo: 0.5 } }, ['invalid /deadlines/undo']],
    [
      'an escalation before its reminder',
      { deadlines: { approval_escalation: 1 } },
      ['invalid /deadlines/approval_escalation'],
    ],
    [
      'a rule behind one that takes everything',
      { onboarding: { pre_screen: [all, { ...all, countries: ['PT'] }] } },
      ['invalid /onboarding/pre_screen/1'],
    ],
    [
      'a rule without a reason',
      { onboarding: { pre_screen: [{ outcome: 'reject' }] } },
      ['missing /onboarding/pre_screen/0/reason'],
    ],
    [
      'a choice of nothing',
      { onboarding: { custom_fields: [{ ...question, kind: 'choice' }] } },
      ['invalid /onboarding/custom_fields/0/options'],
    ],
    [
      'a question twice',
      { onboarding: { custom_fields: [question, question] } },
      ['invalid /onboarding/custom_fields/1/name'],
    ],
  ])('refuses %s, and stays as it is', async (_what, body, expected) => {
    const before = (await read()).text
    expect(faults(await change(body))).toEqual(expected)
    expect((await read()).text).toBe(before)
  })

  it('lets a setting be mended while another one, from before, contradicts itself', async () => {
    await product.db
      .updateTable('programmes')
      .set({ deadlines: JSON.stringify({ undo: 0, agreementExpiry: 60 }) })
      .execute()
    expect((await change({ deadlines: { undo: 5 } })).status).toBe(200)
    expect(faults(await change({ deadlines: { agreement_expiry: 90 } }))).toEqual([
      'invalid /deadlines/agreement_reminders',
    ])
    const mended = { agreement_expiry: 90, agreement_reminders: [30] }
    expect((await change({ deadlines: mended })).status).toBe(200)
  })

  itIsClosedTo(['master_reseller', 'reseller'], ['PATCH /v1/programme'], () => ({
    ...stage(),
    keys: {
      super_admin: world.owner.key,
      master_reseller: world.north.key,
      reseller: world.shop.key,
    },
  }))

  // Refused as 401 and 403 before anything of the programme is looked at.
  itTakesLiveKeysOnly(stage, ['GET /v1/programme', 'PATCH /v1/programme'])
})
