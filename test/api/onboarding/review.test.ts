/** Questions, withdrawals, first and second approvals, and approvals that are taken back. */
import { sql } from 'kysely'
import { outwardId, uuidOf } from '../../../domain/ids.ts'
import { eventually } from '../../../scripts/story/client.ts'
import { makeApplication, makeGreenApplication } from '../../support/factories.ts'
import { type Product, startProduct } from '../../support/product.ts'
import { expectHidden, itIsClosedTo, itTakesLiveKeysOnly, unknownId } from '../guards.ts'
import { type Answer, type Call, clientOf, faults, type Json, rows } from '../kit.ts'
import { browser, faultsBeside, formsOf, type PageForm, sendForm } from '../page-form.ts'
import { makeWorld, type World } from '../world.ts'

const names = ['asked', 'paged', 'left', 'large', 'undone', 'open', 'final'] as const
type Name = (typeof names)[number]

let product: Product
let call: Call
let world: World
let ids: Record<Name, string>
const links: Record<string, string> = {}
beforeAll(async () => {
  product = await startProduct()
  await product.startWorker()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
  await setUndo(600)
  const undone = await apply('undone')
  await setUndo(0)
  const carried = names.map(async (name) => {
    const id = name === 'undone' ? undone : await apply(name)
    await carryToApproval(id)
    return [name, id]
  })
  ids = Object.fromEntries(await Promise.all(carried))
})
afterAll(() => product.stop())

/** Of programmes: pinned into a process when it starts. */
const setUndo = (seconds: number) =>
  sql`update programmes set deadlines = deadlines
    || jsonb_build_object('undo', ${seconds}::int)`.execute(product.db)

async function apply(name: string): Promise<string> {
  const body = {
    company: { name: `Reviewed ${name}`, country: 'PT', website: 'https://company.example' },
    contact: { name: 'Ana', email: `${name}@${name}.example` },
    type: 'franchise',
    level: 'reseller',
    parent: world.north.partner,
    ...(name === 'large' ? { expected_volume: { amount: 5_000_000, currency: 'USD' } } : {}),
  }
  const answer = await call('/v1/applications', { method: 'POST', body })
  const id = String(answer.body.id)
  links[id] = new URL(String(answer.body.status_url)).search
  return id
}

const read = async (id: string) =>
  (await call(`/v1/applications/${id}`, { key: world.owner.key })).body
const readAsApplicant = async (id: string) =>
  (await call(`/v1/applications/${id}${links[id]}`)).body

const reaches = (id: string, stage: string) =>
  eventually(`${id} reaches ${stage}`, async () =>
    (await read(id)).stage === stage ? true : undefined,
  )

async function atVendor(kind: 'envelopes' | 'accounts', id: string): Promise<string> {
  return eventually(`${kind} of ${id}`, async () => {
    const { data } = await product.story.sandbox<{
      data: { id: string; metadata: { application?: string } }[]
    }>(`/${kind}`)
    return data.find(({ metadata }) => metadata.application === id)?.id
  })
}

async function carryToApproval(id: string): Promise<void> {
  await reaches(id, 'agreement')
  await product.story.sandbox(`/envelopes/${await atVendor('envelopes', id)}/sign`, {})
  await reaches(id, 'verification')
  await product.story.sandbox(`/accounts/${await atVendor('accounts', id)}/kyc`, { result: 'pass' })
  await reaches(id, 'approval')
}

const post = (path: string, body: Json | null, key?: string) =>
  call(`/v1/applications/${path}`, {
    method: 'POST',
    ...(body ? { body } : {}),
    ...(key ? { key } : {}),
  })
const decide = (id: string, body: Json = {}, key = world.owner.key) =>
  post(`${id}/decision`, { decision: 'approve', reason: 'known for years', ...body }, key)
const ask = (id: string, questions: string[], key = world.owner.key) =>
  post(`${id}/information-requests`, { questions }, key)
const answer = (id: string, body: Json, { number = '1', link = links[id] } = {}) =>
  post(`${id}/information-requests/${number}/answer${link}`, body)
const withdraw = (id: string, link = links[id]) => post(`${id}/withdrawal${link}`, null)
const undo = (id: string, key = world.owner.key) => post(`${id}/decision/undo`, null, key)

const outcome = ({ status, body }: Answer) => [status, body.code]

describe('questions to an applicant', () => {
  it('reach it, are answered once, and the decision goes on', async () => {
    const asked = await ask(ids.asked, ['Who sells for you?', 'Since when?'], world.north.key)
    expect(asked.status).toBe(200)
    expect(asked.body).toMatchObject({ next_actor: 'applicant', due_at: expect.any(String) })
    expect(outcome(await ask(ids.asked, ['More?']))).toEqual([409, 'conflict'])
    const shown = await readAsApplicant(ids.asked)
    expect(shown.information_requests).toEqual([
      expect.objectContaining({
        number: 1,
        questions: ['Who sells for you?', 'Since when?'],
        answered_at: null,
        answers: null,
      }),
    ])
    expect(faults(await answer(ids.asked, { answers: ['We do.'] }))).toEqual(['invalid /answers'])
    const answers = ['We do.', 'Since 2019.']
    const answered = await answer(ids.asked, { answers })
    expect([answered.status, answered.body.next_actor]).toEqual([200, 'master_reseller'])
    expect(outcome(await answer(ids.asked, { answers }))).toEqual([409, 'conflict'])
    const [request] = (await read(ids.asked)).information_requests as Json[]
    expect(request).toMatchObject({ answers, answered_at: expect.any(String) })
  })

  it('are asked at the stage of the decision only', async () => {
    const early = outwardId('application', await makeApplication(product.db))
    expect(outcome(await ask(early, ['Who?']))).toEqual([409, 'not_ready'])
  })

  it.each<[string, Json, string[]]>([
    ['no questions', { questions: [] }, ['invalid /questions']],
    ['a blank question', { questions: [' '] }, ['invalid /questions/0']],
    ['an endless question', { questions: ['x'.repeat(1_001)] }, ['invalid /questions/0']],
    ['nothing', {}, ['missing /questions']],
  ])('are refused with %s', async (_what, body, expected) => {
    const path = `${ids.open}/information-requests`
    expect(faults(await post(path, body, world.owner.key))).toEqual(expected)
  })

  it('are answered through the link of this application alone', async () => {
    const body = { answers: ['x'] }
    expect((await answer(ids.asked, body, { link: '' })).status).toBe(401)
    expect((await answer(ids.asked, body, { link: links[ids.open] ?? '' })).status).toBe(404)
    for (const number of ['2', '0', 'x']) {
      expect((await answer(ids.asked, body, { number })).status).toBe(404)
    }
    expect(faults(await answer(ids.asked, {}))).toEqual(['missing /answers'])
  })
})

describe('questions on the page of an applicant', () => {
  const open = (id: string, link = links[id]) =>
    call(`/v1/applications/${id}${link}`, { headers: browser })
  const questionsOn = (page: Answer): PageForm =>
    formsOf(page).find(({ action }) => action.includes('/answer?')) ?? { action: '', fields: {} }

  it('are answered there through the same process, once, whole, and by its own link alone', async () => {
    expect(questionsOn(await open(ids.paged)).action).toBe('')
    await ask(ids.paged, ['Who sells <for> you?', 'Since when?'])
    const page = await open(ids.paged)
    expect(page.text).toContain('Who sells &lt;for&gt; you?')
    const form = questionsOn(page)
    const half = await sendForm(call, form, { 'answers.0': 'We <all> do.' })
    expect([half.status, faultsBeside(half)]).toEqual([
      ...[422, { 'answers.1': 'Please answer this question.' }],
    ])
    expect(questionsOn(half).fields['answers.0']).toBe('We <all> do.')
    const stranger = form.action.replace(/\?.*/, links[ids.open] ?? '')
    const answers = { 'answers.0': 'We <all> do.', 'answers.1': 'Since 2019.' }
    const stolen = await sendForm(call, { ...form, action: stranger }, answers)
    expect([stolen.status, formsOf(stolen)]).toEqual([404, []])
    const sent = await sendForm(call, questionsOn(half), { 'answers.1': 'Since 2019.' })
    expect([sent.status, sent.headers.get('location')]).toEqual([
      ...[303, expect.stringContaining(`${ids.paged}${links[ids.paged]}`)],
    ])
    const [request] = (await read(ids.paged)).information_requests as Json[]
    expect(request).toMatchObject({ answers: ['We <all> do.', 'Since 2019.'] })
    const after = await open(ids.paged)
    expect(after.text).toContain('We &lt;all&gt; do.')
    expect(questionsOn(after).action).toBe('')
    const again = await sendForm(call, form, answers)
    expect(again.status).toBe(409)
    expect(again.text).toContain('the first answer counts')
    const twice = await sendForm(call, questionsOn(half), { 'answers.1': 'Since 2019.' })
    expect(twice.status).toBe(303)
  })

  it('are not asked any more, nor taken, once the application has ended', async () => {
    expect((await ask(ids.paged, ['And where?'])).status).toBe(200)
    const form = questionsOn(await open(ids.paged))
    expect((await withdraw(ids.paged)).status).toBe(200)
    const late = await sendForm(call, form, { 'answers.0': 'Everywhere.' })
    expect([late.status, formsOf(late)]).toEqual([409, []])
    expect(late.text).toContain('Nobody waits for this answer any more.')
    expect(formsOf(await open(ids.paged))).toEqual([])
  })
})

describe('a withdrawal', () => {
  it('is the applicant’s, holds at once, and is one however often it is sent', async () => {
    expect((await withdraw(ids.left, '')).status).toBe(401)
    expect((await withdraw(ids.left, links[ids.open])).status).toBe(404)
    expect((await withdraw(unknownId('app'), links[ids.open])).status).toBe(404)
    const first = await withdraw(ids.left)
    expect([first.status, first.body.status, first.body.next_actor]).toEqual([
      200,
      'withdrawn',
      null,
    ])
    const again = await withdraw(ids.left)
    expect([again.status, again.body.status]).toEqual([200, 'withdrawn'])
    expect(outcome(await decide(ids.left))).toEqual([409, 'already_decided'])
    const { timeline } = await read(ids.left)
    const said = (timeline as Json[]).filter(({ what }) => what === 'withdrawn by the applicant')
    expect(said.map(({ actor }) => actor)).toEqual(['applicant'])
  })

  it('comes too late once an approval is final', async () => {
    expect((await decide(ids.final)).status).toBe(200)
    expect(outcome(await withdraw(ids.final))).toEqual([409, 'already_decided'])
    expect(outcome(await undo(ids.final))).toEqual([410, 'gone'])
  })
})

describe('an approval of two persons', () => {
  it('shows the first, refuses the same person, and is done with the second', async () => {
    const first = await decide(ids.large, {}, world.north.key)
    expect([first.status, first.body.status, first.body.partner]).toEqual([200, 'in_review', null])
    const approvals = first.body.approvals as Json[]
    expect(approvals).toEqual([{ member: expect.stringMatching(/^mem_/), at: expect.any(String) }])
    expect(outcome(await decide(ids.large, {}, world.north.key))).toEqual([
      403,
      'second_person_required',
    ])
    const shown = await readAsApplicant(ids.large)
    expect([shown.approvals, shown.decided_by]).toEqual([undefined, undefined])
    expect(JSON.stringify(shown.timeline)).not.toContain('second person')
    const second = await decide(ids.large)
    expect(second.status).toBe(200)
    expect(second.body).toMatchObject({
      status: expect.stringMatching(/^(approved|provisioning|active)$/),
      decided_by: expect.stringMatching(/^mem_/),
    })
    expect(second.body.approvals).toHaveLength(2)
  })
})

describe('an approval within its time', () => {
  it('shows its partner and until when, and is taken back by who may', async () => {
    const approved = await decide(ids.undone)
    expect(approved.body).toMatchObject({
      status: 'approved',
      stage: 'approval',
      partner: outwardId('partner', uuidOf('application', ids.undone) ?? ''),
      undo_until: expect.any(String),
    })
    expect(outcome(await undo(ids.undone, world.north.key))).toEqual([403, 'forbidden'])
    const undone = await undo(ids.undone)
    expect(undone.status).toBe(200)
    expect(undone.body).toMatchObject({
      status: 'in_review',
      partner: null,
      undo_until: null,
      decided_by: null,
      approvals: [],
    })
    expect(outcome(await undo(ids.undone))).toEqual([409, 'not_ready'])
    const rejected = await decide(ids.undone, { decision: 'reject', code: 'risk' })
    expect(rejected.body.status).toBe('rejected')
  })
})

describe('a decision', () => {
  it('to approve names what is open', async () => {
    const id = await makeGreenApplication(product.db)
    await sql`update payout_accounts set status = 'needs_input'
      where application_id = ${id}`.execute(product.db)
    const refused = await decide(outwardId('application', id))
    expect(outcome(refused)).toEqual([409, 'not_ready'])
    expect(refused.body.open).toEqual(['verification'])
  })

  it('has a code only where it rejects, and one of the list', async () => {
    expect(faults(await decide(ids.open, { code: 'risk' }))).toEqual(['invalid /code'])
    const unknown = { decision: 'reject', code: 'mood' }
    expect(faults(await decide(ids.open, unknown))).toEqual(['invalid /code'])
  })
})

describe('the list of applications', () => {
  it('can be narrowed to a stage, to who acts next and to what is late', async () => {
    const list = async (query: string) =>
      rows(await call(`/v1/applications?${query}&limit=100`, { key: world.owner.key })).map(
        ({ id }) => id,
      )
    const late = outwardId('application', await makeApplication(product.db))
    await sql`update applications set next_actor = 'vendor', due_at = now() - interval '1 day'
      where id = ${uuidOf('application', late)}`.execute(product.db)
    expect(await list('overdue=true')).toEqual([late])
    expect(await list('overdue=false')).not.toContain(late)
    expect(await list('next_actor=vendor')).toEqual([late])
    expect(await list('stage=approval')).toContain(ids.open)
    expect(await list('stage=screening')).not.toContain(ids.open)
    const wrong = await call('/v1/applications?stage=lost', { key: world.owner.key })
    expect(faults(wrong)).toEqual(['invalid /stage'])
  })
})

describe('what is done about applications of others', () => {
  const guarded = [
    'POST /v1/applications/:id/decision/undo',
    'POST /v1/applications/:id/information-requests',
  ]

  it('does not exist for a master reseller that they do not name', async () => {
    const hidden = { id: ids.open, strangers: [world.south.key] }
    const [undoing = '', asking = ''] = guarded
    await expectHidden(call, { ...hidden, route: undoing })
    await expectHidden(call, { ...hidden, route: asking, body: { questions: ['Who?'] } })
  })

  itIsClosedTo(['reseller'], guarded, () => ({
    db: product.db,
    call,
    keys: {
      super_admin: world.owner.key,
      master_reseller: world.north.key,
      reseller: world.shop.key,
    },
  }))

  itTakesLiveKeysOnly(() => ({ db: product.db, call, key: world.owner.key }), guarded)
})
