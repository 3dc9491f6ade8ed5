import { sql } from 'kysely'
import { sendAccessMails } from '../../../activities/access-mails.ts'
import { onboardingSettingsSchema } from '../../../db/programme-settings.ts'
import { unique } from '../../support/factories.ts'
import { type Steps, startSteps } from '../../support/steps.ts'
import { type Answer, type Call, clientOf, type Json } from '../kit.ts'
import { browser, faultsBeside, formsOf, type PageForm, sendForm } from '../page-form.ts'
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

const open = (search = '') => call(`/apply${search}`, { headers: browser })
const only = (page: Answer): PageForm => {
  const forms = formsOf(page)
  expect(forms).toHaveLength(1)
  return forms[0] as PageForm
}
const filled = () => ({
  'company.name': unique('Omega'),
  'company.country': 'PT',
  'company.website': 'www.omega.example',
  'contact.name': 'Ana',
  'contact.email': `${unique('ana')}@${unique('omega').replace('_', '-')}.example`,
  type: 'franchise',
  level: 'reseller',
})
const send = async (changes: Record<string, string>, search = '') =>
  sendForm(call, only(await open(search)), changes)

const asOwner = async (page: Answer): Promise<Json> => {
  const [id] = /app_[0-7][0-9a-z]{25}/.exec(page.text) ?? []
  return (await call(`/v1/applications/${id}`, { key: world.owner.key })).body
}
const countOf = async () => {
  const { rows } = await sql<{ n: string }>`select count(*) as n from applications`.execute(kit.db)
  return Number(rows[0]?.n)
}

/** Sets what the programme asks for a test, and asks nothing again after it. */
async function asking(questions: Json[], test: () => Promise<void>): Promise<void> {
  const set = (customFields: Json[]) =>
    kit.db
      .updateTable('programmes')
      .set({ onboarding: JSON.stringify(onboardingSettingsSchema.parse({ customFields })) })
      .execute()
  await set(questions)
  try {
    await test()
  } finally {
    await set([])
  }
}

describe('the page on which one applies', () => {
  it('works without scripts, and each of its fields has a label', async () => {
    const page = await open()
    expect([page.status, page.headers.get('content-type')]).toEqual([
      ...[200, 'text/html; charset=utf-8'],
    ])
    const policy = page.headers.get('content-security-policy') ?? ''
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/=]+'; form-action 'self';/)
    expect(page.text).not.toMatch(/<script|\son\w+=/)
    const names = [...page.text.matchAll(/<(?:input type="(?!hidden)|select|textarea)[^>]*/g)].map(
      ([tag]) => /\bid="([^"]+)"/.exec(tag)?.[1],
    )
    expect(names).toEqual(expect.arrayContaining(['company.name', 'contacts.3.role', 'message']))
    for (const name of names) expect(page.text).toContain(`<label for="${name}">`)
  })

  it('sends what the API takes, every field of it', async () => {
    const sent = {
      ...filled(),
      ...{ 'company.legal_name': 'Omega Lda', 'company.registration_number': '505 123-456' },
      'contacts.1.name': 'Rui',
      'contacts.1.email': 'rui@omega.example',
      'contacts.1.role': 'owner',
      parent: world.north.partner,
      territories: 'pt, US-CA; es',
      territory_mode: 'exclusive',
      'expected_volume.amount': '2,500.5',
      message: 'We sell a lot.\nReally.',
    }
    const page = await send(sent)
    expect(page.status).toBe(202)
    expect(page.headers.get('location')).toMatch(/\/v1\/applications\/app_/)
    const { details, parent, type, level } = await asOwner(page)
    expect({ parent, type, level }).toEqual({
      parent: world.north.partner,
      ...{ type: 'franchise', level: 'reseller' },
    })
    expect(details).toMatchObject({
      country: 'PT',
      website: 'https://www.omega.example',
      legal_name: 'Omega Lda',
      registration_number: '505 123-456',
      contact: { name: 'Ana', email: sent['contact.email'] },
      contacts: [{ name: 'Rui', email: 'rui@omega.example', role: 'owner' }],
      territories: ['PT', 'US-CA', 'ES'],
      expected_volume: { amount: 250_050, currency: 'USD' },
    })
    expect(String((details as Json).message)).toMatch(/^We sell a lot\.\s+Really\.$/)
  })

  it('is answered with the way to the applicant’s own page', async () => {
    const page = await send(filled())
    const [, url = ''] = /<a class="button" href="([^"]+)"/.exec(page.text) ?? []
    const { pathname, search } = new URL(url.replaceAll('&amp;', '&'))
    const own = await call(`${pathname}${search}`, { headers: browser })
    expect([own.status, own.text]).toEqual([200, expect.stringContaining('What comes next')])
  })

  it('tells beside each field what is wrong, keeps what was written, and sends nothing', async () => {
    const before = await countOf()
    const sent = {
      ...filled(),
      'company.name': `<b>"Omega" & Co's`,
      'company.country': '',
      'company.website': 'nowhere at all',
      'company.registration_number': '-',
      'contact.email': 'ana',
      'contacts.2.name': 'Rui',
      territories: 'Portugal',
      parent: 'north',
      'expected_volume.amount': 'plenty',
      message: 'kept & shown',
    }
    const page = await send(sent)
    expect(page.status).toBe(422)
    expect(faultsBeside(page)).toEqual({
      'company.country': 'Please choose one.',
      'company.website': 'Write an address like https://www.company.com.',
      'company.registration_number': 'Write letters or digits.',
      'contact.email': 'Write an address like ana@company.com.',
      'contacts.0.email': 'Please fill this in.',
      'contacts.0.role': 'Please choose one.',
      parent: 'Write its number, which begins with prt_, or leave it out.',
      territories: 'Write codes like US, US-CA or US-CA-94.',
      'expected_volume.amount': 'Write an amount like 25000 or 25,000.50.',
    })
    for (const name of Object.keys(faultsBeside(page))) {
      expect(page.text).toContain(`<a href="#${name}">`)
      expect(page.text).toMatch(new RegExp(`name="${name}"[^>]*aria-invalid="true"`))
    }
    const { once, 'contacts.2.name': _moved, ...rest } = only(page).fields
    const { 'contacts.2.name': _sent, ...kept } = sent
    expect(rest).toMatchObject({ ...kept, 'contacts.0.name': 'Rui' })
    expect(page.text).not.toContain('<b>')
    expect(await countOf()).toBe(before)
    expect((await sendForm(call, only(page), filled())).status).toBe(422)
    const mended = { ...filled(), ...{ 'company.registration_number': '', parent: '' } }
    const people = { 'contacts.0.name': '', territories: '', 'expected_volume.amount': '' }
    expect((await sendForm(call, only(page), { ...mended, ...people })).status).toBe(202)
  })

  it('is one application however often its button is pressed', async () => {
    const form = only(await open())
    const answers = filled()
    const before = await countOf()
    const pages = await Promise.all([1, 2, 3].map(() => sendForm(call, form, answers)))
    expect(pages.map(({ status }) => status)).toEqual([202, 202, 202])
    expect(new Set(pages.map(({ text }) => text)).size).toBe(1)
    expect(await countOf()).toBe(before + 1)
    const other = await sendForm(call, form, { ...answers, message: 'and more' })
    expect(other.status).toBe(422)
    expect(other.text).toContain('You sent this form before')
    expect(only(other).fields.once).not.toBe(form.fields.once)
  })

  it('asks what the programme asks, and takes numbers and yes or no as what they are', async () => {
    const questions = [
      { name: 'staff', label: 'How many are you?', kind: 'number', required: true },
      { name: 'certified', label: 'Are you certified?', kind: 'yes_no' },
      { name: 'size', label: 'Size', kind: 'choice', options: ['small', 'Very large'] },
      { name: 'why', label: 'Why us?', kind: 'text' },
    ]
    await asking(questions, async () => {
      const wrong = await send({ ...filled(), 'custom.number.staff': 'some' })
      expect(faultsBeside(wrong)).toEqual({
        'custom.number.staff': 'Write a number like 12 or 0.5.',
      })
      const page = await send({
        ...filled(),
        'custom.number.staff': '12',
        'custom.yes_no.certified': 'false',
        'custom.choice.size': 'Very large',
      })
      expect((await asOwner(page)).details).toMatchObject({
        custom: { staff: 12, certified: false, size: 'Very large' },
      })
    })
  })

  it('says at the partner above that it cannot take anybody in', async () => {
    const page = await send({ ...filled(), parent: world.shop.partner })
    expect(page.status).toBe(409)
    expect(Object.keys(faultsBeside(page))).toEqual(['parent'])
  })
})

describe('the page of who is invited', () => {
  async function invited(): Promise<string> {
    const email = `${unique('guest')}@omega.example`
    const body = { name: 'Ana Guest', email, level: 'reseller', message: 'Sell with us.' }
    await call('/v1/application-invitations', { method: 'POST', key: world.north.key, body })
    await sendAccessMails(kit.deps)
    const { data } = await kit.story.sandbox<{ data: { to: string; text: string }[] }>('/mails')
    const mail = data.find(({ to }) => to === email)
    return /\/apply(\?token=[\w-]+)/.exec(mail?.text ?? '')?.[1] ?? ''
  }

  it('is filled in as far as it is known, and leads below who invited', async () => {
    const search = await invited()
    const page = await open(search)
    expect(page.text).toContain('Sell with us.')
    expect(only(page).fields).toMatchObject({ 'contact.name': 'Ana Guest', level: 'reseller' })
    expect(only(page).fields).not.toHaveProperty('parent')
    const { 'contact.name': _name, 'contact.email': _email, ...rest } = filled()
    const other = await open(search)
    const taken = await sendForm(call, only(page), rest)
    expect((await asOwner(taken)).parent).toBe(world.north.partner)
    const used = await sendForm(call, only(other), rest)
    expect([used.status, only(used).fields.invitation]).toEqual([410, undefined])
    expect(only(used).fields['company.name']).toBe(rest['company.name'])
  })

  it('does not open with a token that is wrong', async () => {
    expect((await open('?token=wrong')).status).toBe(404)
    expect((await call('/apply?token=wrong')).body.code).toBe('not_found')
  })
})
