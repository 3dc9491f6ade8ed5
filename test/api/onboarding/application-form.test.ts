import { sql } from 'kysely'
import { inTransaction } from '../../../db/database.ts'
import { markApplication } from '../../../db/onboarding/applications.ts'
import { hasTwins } from '../../../db/onboarding/twins.ts'
import { onboardingSettingsSchema } from '../../../db/programme-settings.ts'
import { uuidOf } from '../../../domain/ids.ts'
import { unique } from '../../support/factories.ts'
import { type Steps, startSteps } from '../../support/steps.ts'
import { type Call, clientOf, faults, type Json, serveWith, withoutRequestId } from '../kit.ts'
import { makeWorld, type World } from '../world.ts'

let kit: Steps
let call: Call
let world: World
beforeAll(async () => {
  kit = await startSteps()
  call = clientOf(kit.api)
  world = await makeWorld(kit.db)
})
afterAll(() => kit.stop())

const company = () => ({ name: unique('Omega'), country: 'PT', website: 'https://omega.example' })
const domain = (name: string) => `${unique(name).replace('_', '-')}.example`
const contact = () => ({ name: 'Ana', email: `${unique('ana')}@${domain('omega')}` })
const form = (changes: Json = {}): Json => ({
  ...{ company: company(), contact: contact(), type: 'franchise', level: 'reseller' },
  ...changes,
})
const apply = (body: unknown, via = call) => via('/v1/applications', { method: 'POST', body })
const uuid = (answer: { body: Json }) => uuidOf('application', String(answer.body.id)) ?? ''

const asOwner = async (id: unknown) =>
  (await call(`/v1/applications/${String(id)}`, { key: world.owner.key })).body

function linkOf({ body }: { body: Json }) {
  const { pathname, search, searchParams } = new URL(String(body.status_url))
  const token = searchParams.get('token') ?? ''
  return { application: body.id, token, path: `${pathname}${search}` }
}
const asApplicant = async (applied: { body: Json }) => (await call(linkOf(applied).path)).body

/** Sets the programme's onboarding for a test; the settings of others are not at stake. */
const setOnboarding = (settings: Json) =>
  kit.db
    .updateTable('programmes')
    .set({ onboarding: JSON.stringify(onboardingSettingsSchema.parse(settings)) })
    .execute()

async function screened(body: unknown) {
  const applied = await apply(body)
  expect(applied.status).toBe(202)
  await kit.steps.screenApplication({ applicationId: uuid(applied) })
  return applied
}

async function rejected(body: unknown = form()) {
  const applied = await apply(body)
  await inTransaction(kit.db, (trx) =>
    markApplication(trx, uuid(applied), { stage: 'done', status: 'rejected', nextActor: null }),
  )
  return applied
}

describe('the form of an application', () => {
  it('tells those who decide everything, and the applicant nothing it does not need', async () => {
    const body = form({
      company: { ...company(), legal_name: 'Omega Lda', registration_number: ' 505 123-456 ' },
      contacts: [{ name: 'Rui', email: 'rui@omega.example', role: 'billing' }],
      territories: ['PT', 'US-CA', 'PT'],
      expected_volume: { amount: 250_000, currency: 'USD' },
      message: 'We sell a lot.',
    })
    const applied = await apply(body)
    expect((await asOwner(applied.body.id)).details).toMatchObject({
      legal_name: 'Omega Lda',
      registration_number: '505 123-456',
      contact: body.contact,
      contacts: body.contacts,
      territories: ['PT', 'US-CA'],
      expected_volume: { amount: 250_000, currency: 'USD' },
      message: 'We sell a lot.',
    })
    const own = await asApplicant(applied)
    for (const name of ['details', 'duplicates', 'pre_screen']) expect(own).not.toHaveProperty(name)
  })

  it('keeps people and words sealed', async () => {
    const words = unique('Zwetschgendatschi')
    const applied = await apply(
      form({
        contacts: [{ name: words, email: `${words}@omega.example`, role: 'other' }],
        message: words,
      }),
    )
    const { rows } = await sql<{ text: string }>`
      select to_jsonb(c)::text || to_jsonb(a)::text as text from application_contacts c
      join application_answers a using (application_id)
      where application_id = ${uuid(applied)}`.execute(kit.db)
    expect(rows).toHaveLength(1)
    expect(rows[0]?.text).not.toMatch(new RegExp(words, 'i'))
  })

  it.each<[string, Json, string[]]>([
    ['a volume in another currency', { amount: 1, currency: 'EUR' }, ['/currency']],
    ['less than nothing', { amount: -1, currency: 'USD' }, ['/amount']],
    ['half a cent', { amount: 0.5, currency: 'USD' }, ['/amount']],
  ])('does not expect %s', async (_what, volume, where) => {
    const expected = where.map((name) => `invalid /expected_volume${name}`)
    expect(faults(await apply(form({ expected_volume: volume })))).toEqual(expected)
  })

  it('refuses areas that are none, roles that are none, and a number without a digit', async () => {
    const bad = form({
      company: { ...company(), registration_number: ' - ' },
      contacts: [{ name: 'Rui', email: 'rui@omega.example', role: 'friend' }],
      territories: ['Portugal'],
    })
    expect(faults(await apply(bad))).toEqual([
      'invalid /company/registration_number',
      'invalid /contacts/0/role',
      'invalid /territories/0',
    ])
  })

  it('has a body of 64 KiB at most', async () => {
    const answer = await apply(form({ message: 'x'.repeat(70_000) }))
    expect([answer.status, answer.body.code]).toEqual([413, 'payload_too_large'])
  })

  it('asks the questions of the programme, and holds the answers to them', async () => {
    const ask = (name: string, kind: string, more: Json = {}) => ({
      name,
      label: name,
      kind,
      ...more,
    })
    const customFields = [
      ask('tax', 'text', { required: true }),
      ask('size', 'choice', { options: ['small', 'large'] }),
      ask('staff', 'number'),
      ask('agrees', 'yes_no'),
    ]
    await setOnboarding({ customFields })
    const asked = (await call('/v1/application-form')).body
    expect((asked.custom_fields as Json[]).map(({ name }) => name)).toEqual([
      ...['tax', 'size', 'staff', 'agrees'],
    ])
    const custom = { tax: 'PT505', size: 'large', staff: 3, agrees: true }
    const applied = await apply(form({ custom }))
    expect((await asOwner(applied.body.id)).details).toMatchObject({ custom })
    const wrong = { size: 'huge', staff: 'three', agrees: 'yes', 'a/b': 1 }
    expect(faults(await apply(form({ custom: wrong })))).toEqual([
      'invalid /custom/agrees',
      'invalid /custom/size',
      'invalid /custom/staff',
      'missing /custom/tax',
      'unknown_field /custom/a~1b',
    ])
    expect(faults(await apply(form()))).toEqual(['missing /custom/tax'])
    await setOnboarding({})
  })
})

describe('applications that resemble each other', () => {
  it('are shown to those who decide, on both sides, by number or by name and domain', async () => {
    const first = form({ company: { ...company(), registration_number: `HRB ${unique('1')}` } })
    const one = await screened(first)
    const number = first.company as Json
    const byNumber = await screened(
      form({
        company: {
          ...company(),
          registration_number: String(number.registration_number).toLowerCase().replace(' ', '-'),
        },
      }),
    )
    const host = String((first.contact as Json).email).split('@')[1]
    const byName = await screened(
      form({
        company: { ...company(), name: `${String(number.name)} GmbH`, country: 'DE' },
        contact: { name: 'Rui', email: `rui@${host}` },
      }),
    )
    expect((await asOwner(byNumber.body.id)).duplicates).toEqual([
      { application: one.body.id, partner: null, reason: 'registration_number' },
    ])
    expect((await asOwner(byName.body.id)).duplicates).toEqual([
      { application: one.body.id, partner: null, reason: 'name_and_domain' },
    ])
    expect((await asOwner(one.body.id)).duplicates).toEqual([
      { application: byNumber.body.id, partner: null, reason: 'registration_number' },
      { application: byName.body.id, partner: null, reason: 'name_and_domain' },
    ])
    expect(await hasTwins(kit.db, uuid(one))).toBe(true)
  })

  it('do not by a name alone, a number of another country, or a public mail provider', async () => {
    const number = unique('505').replace('_', '')
    const name = unique('Delta')
    const at = (country: string, email: string) =>
      form({
        company: { ...company(), name, country, registration_number: number },
        contact: { name: 'Ana', email },
      })
    const applied = [
      await screened(at('PT', `${unique('a')}@gmail.com`)),
      await screened(at('ES', `${unique('b')}@gmail.com`)),
      await screened(at('FR', `${unique('c')}@${domain('delta')}`)),
    ]
    for (const { body } of applied) expect((await asOwner(body.id)).duplicates).toEqual([])
  })

  it('tell the applicant nothing: its answers are those of an application like no other', async () => {
    const body = form()
    await screened(body)
    const [twin, other] = [await screened(body), await screened(form())]
    const told = async (applied: { body: Json }) => {
      const {
        id: _id,
        company: _company,
        submitted_at: _at,
        timeline,
        ...rest
      } = await asApplicant(applied)
      return { ...rest, timeline: (timeline as Json[]).map(({ at: _when, ...entry }) => entry) }
    }
    expect((await asOwner(twin.body.id)).duplicates).toHaveLength(1)
    expect(await told(twin)).toEqual(await told(other))
    expect((await asOwner(twin.body.id)).timeline).toContainEqual(
      expect.objectContaining({ what: 'resembles other applications: 1' }),
    )
  })

  it('of another master reseller are told without their ids', async () => {
    const body = form({ parent: world.south.partner })
    const own = await screened(body)
    const foreign = await screened({ ...body, parent: world.north.partner })
    const seen = await call(`/v1/applications/${foreign.body.id}`, { key: world.north.key })
    expect(seen.body.duplicates).toEqual([
      { application: null, partner: null, reason: 'name_and_domain' },
    ])
    expect(seen.text).not.toContain(String(own.body.id))
  })

  it('count when one was rejected not long ago, and no more when it was withdrawn', async () => {
    const body = form()
    const earlier = await rejected(body)
    const again = await screened(body)
    expect((await asOwner(again.body.id)).duplicates).toEqual([
      { application: earlier.body.id, partner: null, reason: 'rejected_recently' },
    ])
    const other = form()
    const left = await apply(other)
    await inTransaction(kit.db, (trx) =>
      markApplication(trx, uuid(left), { stage: 'done', status: 'withdrawn', nextActor: null }),
    )
    expect((await asOwner((await screened(other)).body.id)).duplicates).toEqual([])
  })
})

describe('rules before everything else', () => {
  const rule = { countries: ['KP'], outcome: 'reject', reason: 'we do not trade there' }
  const look = { countries: ['PT'], types: ['franchise'], outcome: 'review', reason: 'a franchise' }
  beforeAll(() => setOnboarding({ preScreen: [rule, look] }))
  afterAll(() => setOnboarding({}))

  it('reject by the first that fits; only the mail tells its reason', async () => {
    const body = form({ company: { ...company(), country: 'KP' } })
    const applied = await apply(body)
    const applicationId = uuid(applied)
    for (let n = 0; n < 2; n++) {
      expect(await kit.steps.screenApplication({ applicationId })).toBe('rejected')
    }
    const what = 'not what the programme looks for'
    await kit.steps.closeApplication({ applicationId, status: 'rejected', what })
    await kit.steps.mailApplicant({ applicationId, kind: 'application_rejected' })
    const own = await call(linkOf(applied).path)
    expect(own.body).toMatchObject({ status: 'rejected', reapply_from: expect.any(String) })
    expect(own.text).not.toContain(rule.reason)
    const { data } = await kit.story.sandbox<{ data: { to: string; text: string }[] }>('/mails')
    const mail = data.find(({ to }) => to === (body.contact as Json).email)
    expect(mail?.text).toContain(rule.reason)
    expect(mail?.text).toContain(linkOf(applied).token)
  })

  it('ask for a look, of which the applicant reads nothing', async () => {
    const applied = await screened(form())
    expect((await asOwner(applied.body.id)).pre_screen).toEqual({
      outcome: 'review',
      reason: 'a franchise',
    })
    const own = await call(linkOf(applied).path)
    expect(own.text).not.toMatch(/franchise.*look|asks for a look|a franchise/)
  })
})

describe('who was rejected', () => {
  const reapplies = (applied: { body: Json }) => {
    const { application, token } = linkOf(applied)
    return { application, token }
  }

  it('waits thirty days, which its own link tells', async () => {
    const body = form()
    const earlier = await rejected(body)
    const { reapply_from: from } = await asApplicant(earlier)
    const wait = (Date.parse(String(from)) - Date.now()) / 86_400_000
    expect(wait).toBeGreaterThan(29.9)
    expect(wait).toBeLessThanOrEqual(30)
    const early = await apply({ ...body, reapplies: reapplies(earlier) })
    expect([early.status, early.body.code, early.body.reapply_from]).toEqual([
      ...[409, 'reapply_too_early', from],
    ])
  })

  it('is taken in again when they are over, and the two are shown as one story', async () => {
    const body = form()
    const earlier = await rejected(body)
    await sql`update applications set closed_at = closed_at - interval '30 days'
      where id = ${uuid(earlier)}`.execute(kit.db)
    const later = await screened({ ...body, reapplies: reapplies(earlier) })
    const seen = await asOwner(later.body.id)
    expect(seen).toMatchObject({ details: { reapplies: earlier.body.id }, duplicates: [] })
  })

  it('is answered like anybody without its link', async () => {
    const body = form()
    const earlier = await rejected(body)
    const [again, new_] = [await apply(body), await apply(form())]
    expect([again.status, again.body.status]).toEqual([new_.status, new_.body.status])
    const wrong = (application: unknown) =>
      apply({ ...body, reapplies: { application, token: linkOf(new_).token } })
    const [known, unknown] = [
      await wrong(earlier.body.id),
      await wrong('app_01h455vb4pex5vsknk084sn02q'),
    ]
    expect(known.status).toBe(404)
    expect(withoutRequestId(known)).toEqual(withoutRequestId(unknown))
  })

  it('is told so where the other application is still on its way', async () => {
    const open = await apply(form())
    const answer = await apply(form({ reapplies: reapplies(open) }))
    expect([answer.status, answer.body.code]).toEqual([409, 'conflict'])
  })
})

describe('a mailbox', () => {
  const limits = { open: 3, daily: 5 }
  const emptyBuckets = () => sql`truncate rate_limits`.execute(kit.db)

  it('has three applications on their way at most, also of those sent at once', async () => {
    const other = await serveWith(kit, { settings: { applicationsPerMailbox: limits } })
    const email = `${unique('Ana')}@omega.example`
    const send = (as = email) => apply(form({ contact: { name: 'Ana', email: as } }), other.call)
    const answers = await Promise.all([1, 2, 3, 4].map(() => send()))
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 202, 202, 429])
    const refused = await send(email.toUpperCase())
    expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([429, true])
    expect((await send(`${unique('rui')}@omega.example`)).status).toBe(202)
    await other.stop()
    await emptyBuckets()
  })

  it('sends five in a day at most, and is refused in the words of every other limit', async () => {
    const settings = { applicationsPerMailbox: { open: 100, daily: 5 }, applicationsPerMinute: 600 }
    const other = await serveWith(kit, { settings })
    const narrow = await serveWith(kit, { settings: { applicationsPerMinute: 1 } })
    const email = `${unique('ana')}@omega.example`
    const body = () => form({ contact: { name: 'Ana', email } })
    for (let n = 0; n < 5; n++) expect((await apply(body(), other.call)).status).toBe(202)
    const daily = await apply(body(), other.call)
    const open = await serveWith(kit, { settings: { applicationsPerMailbox: limits } })
    await emptyBuckets()
    const tooOpen = await apply(body(), open.call)
    await emptyBuckets()
    await apply(form(), narrow.call)
    const perMinute = await apply(form(), narrow.call)
    for (const answer of [daily, tooOpen, perMinute]) {
      const { request_id: _id, ...words } = answer.body
      const { request_id: _other, ...expected } = daily.body
      expect([answer.status, words]).toEqual([429, expected])
    }
    await Promise.all([other.stop(), narrow.stop(), open.stop()])
    await emptyBuckets()
  })
})
