import { inTransaction } from '../../../db/database.ts'
import { markApplication } from '../../../db/onboarding/applications.ts'
import { uuidOf } from '../../../domain/ids.ts'
import { unique } from '../../support/factories.ts'
import { type Steps, startSteps } from '../../support/steps.ts'
import { type Call, clientOf, type Json } from '../kit.ts'
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
const form = (changes: Json = {}): Json => ({
  company: company(),
  contact: { name: 'Ana', email: `${unique('ana')}@omega.example` },
  ...{ type: 'franchise', level: 'reseller', ...changes },
})
const apply = (body: unknown) => call('/v1/applications', { method: 'POST', body })
const uuid = (answer: { body: Json }) => uuidOf('application', String(answer.body.id)) ?? ''

function linkOf({ body }: { body: Json }) {
  const { pathname, search } = new URL(String(body.status_url))
  return { path: `${pathname}${search}` }
}

async function screened(body: unknown) {
  const applied = await apply(body)
  await kit.steps.screenApplication({ applicationId: uuid(applied) })
  return applied
}

async function rejected() {
  const applied = await apply(form())
  await inTransaction(kit.db, (trx) =>
    markApplication(trx, uuid(applied), { stage: 'done', status: 'rejected', nextActor: null }),
  )
  return applied
}

describe('the link of an applicant in a browser', () => {
  const browser = { headers: { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } }

  it('opens a page without scripts that names the company as it is written', async () => {
    const name = `${unique('Omega')} <script>alert("1")</script> & Co`
    const applied = await screened(form({ company: { ...company(), name } }))
    const page = await call(linkOf(applied).path, browser)
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    const policy = page.headers.get('content-security-policy') ?? ''
    expect(policy).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/=]+'; form-action 'self';/)
    expect(policy).not.toMatch(/unsafe|script-src/)
    expect(page.headers.get('vary')).toContain('Accept')
    expect(page.text).not.toContain('<script')
    expect(page.text).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; Co')
    expect(page.text).toMatch(/<html lang="en">[\s\S]*<main>[\s\S]*<h1>[^<]+<\/h1>/)
    expect(page.text).toContain('aria-current="step"')
  })

  it('shows programs, and those who decide, the same as ever', async () => {
    const applied = await apply(form())
    const program = await call(linkOf(applied).path, { headers: { Accept: '*/*' } })
    expect(program.body.id).toBe(applied.body.id)
    const path = `/v1/applications/${applied.body.id}`
    const decider = await call(path, { key: world.owner.key, ...browser })
    expect(decider.body.id).toBe(applied.body.id)
  })

  it('tells nothing of a twin or a flag, and from when on one may apply again', async () => {
    const body = form()
    await screened(body)
    const page = await call(linkOf(await screened(body)).path, browser)
    expect(page.text).not.toMatch(/resembles|duplicate|twin/i)
    const closed = await call(linkOf(await rejected()).path, browser)
    expect(closed.text).toContain('You can apply again from')
    expect(closed.text).not.toContain('aria-current')
  })

  it('that is wrong opens nothing', async () => {
    const applied = await apply(form())
    const wrong = await call(`/v1/applications/${applied.body.id}?token=x`, browser)
    expect([wrong.status, wrong.headers.get('content-type')]).toEqual([
      ...[404, 'text/html; charset=utf-8'],
    ])
    expect(wrong.text).toContain('There is no such application.')
    const program = await call(`/v1/applications/${applied.body.id}?token=x`)
    expect([program.status, program.body.code]).toEqual([404, 'not_found'])
  })
})
