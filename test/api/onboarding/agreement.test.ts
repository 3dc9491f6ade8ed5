/** The agreement of an application over the API: how it stands, sent again, signed on a page. */
import { sql } from 'kysely'
import { eventually } from '../../../scripts/story/client.ts'
import { unique } from '../../support/factories.ts'
import { type Product, startProduct } from '../../support/product.ts'
import { type Call, clientOf, type Json } from '../kit.ts'
import { makeWorld, type World } from '../world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  await product.startWorker()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
})
afterAll(() => product.stop())

interface Applicant {
  id: string
  link: string
}

async function apply(): Promise<Applicant> {
  const name = unique('applicant')
  const { body } = await call('/v1/applications', {
    method: 'POST',
    body: {
      company: { name, country: 'PT', website: 'https://company.example' },
      contact: { name: 'Ana', email: `${name}@company.example`.toLowerCase() },
      type: 'franchise',
      level: 'reseller',
    },
  })
  return { id: String(body.id), link: new URL(String(body.status_url)).search }
}

const agreementOf = async ({ id }: Applicant) =>
  (await call(`/v1/applications/${id}/agreement`, { key: world.owner.key })).body

const attemptsOf = async (applicant: Applicant) =>
  ((await agreementOf(applicant)).attempts ?? []) as Json[]

async function sent(applicant: Applicant, attempt: number): Promise<void> {
  await eventually('the agreement is sent', async () => {
    const last = (await attemptsOf(applicant)).at(-1)
    return last?.attempt === attempt && last.status === 'sent' ? last : undefined
  })
}

const resend = ({ id }: Applicant, body: object, key = world.owner.key) =>
  call(`/v1/applications/${id}/agreement/resend`, {
    method: 'POST',
    key,
    body,
    headers: { 'Idempotency-Key': unique('key') },
  })

async function envelopesOf({ id }: Applicant) {
  const { data } = await product.story.sandbox<{
    data: { id: string; status: string; metadata: Record<string, string> }[]
  }>('/envelopes')
  return data.filter(({ metadata }) => metadata.application === id)
}

describe('the agreement of an application', () => {
  it('is sent again to a corrected signer, and then kept with its evidence', async () => {
    const applicant = await apply()
    await sent(applicant, 1)
    const email = `${unique('new')}@company.example`
    const answer = await resend(applicant, { email, name: 'Bea' })
    expect([answer.status, answer.body]).toEqual([202, { attempt: 2 }])
    await sent(applicant, 2)
    const envelopes = await envelopesOf(applicant)
    expect(envelopes.map(({ status }) => status).sort()).toEqual(['sent', 'voided'])
    const open = envelopes.find(({ status }) => status === 'sent')
    const early = await call(`/v1/applications/${applicant.id}/agreement/document`, {
      key: world.owner.key,
    })
    expect([early.status, early.body.code]).toEqual([409, 'not_ready'])
    await product.story.sandbox(`/envelopes/${open?.id}/sign`, {})
    await eventually('it is kept', async () =>
      (await agreementOf(applicant)).status === 'completed' ? true : undefined,
    )
    const last = (await attemptsOf(applicant)).at(-1)
    const hash = expect.stringMatching(/^[0-9a-f]{64}$/)
    expect(last).toMatchObject({
      document_sha256: hash,
      certificate_sha256: hash,
      audit_events_sha256: hash,
    })
    const path = `/v1/applications/${applicant.id}/agreement`
    const signed = await call(`${path}/document${applicant.link}`)
    expect([signed.status, signed.headers.get('content-type')]).toEqual([200, 'application/pdf'])
    const certificate = await call(`${path}/certificate`, { key: world.owner.key })
    expect(certificate.status).toBe(200)
    expect((await call(`${path}/certificate${applicant.link}`)).status).toBe(401)
    expect((await resend(applicant, {})).body.code).toBe('not_ready')
  })

  it('leads its applicant to a fresh page, where the programme has it signed there', async () => {
    const embedded = JSON.stringify({ signing: 'embedded' })
    await sql`update programmes set onboarding = onboarding || ${embedded}`.execute(product.db)
    const applicant = await apply()
    await sent(applicant, 1)
    const path = `/v1/applications/${applicant.id}/agreement/signing${applicant.link}`
    const open = () => call(path)
    const [first, second] = [await open(), await open()]
    expect([first.status, second.status]).toEqual([303, 303])
    const [one, other] = [first, second].map(({ headers }) => headers.get('location'))
    expect(one).toMatch(/\/signing\//)
    expect(other).not.toBe(one)
    // Who decides on it signs nothing in its place.
    const decider = await call(path.replace(/\?.*/, ''), { key: world.owner.key })
    expect([decider.status, decider.body.code]).toEqual([401, 'not_authenticated'])
    const byMail = JSON.stringify({ signing: 'mail' })
    await sql`update programmes set onboarding = onboarding || ${byMail}`.execute(product.db)
  })

  it('is hidden from strangers, and refuses fields that are not known', async () => {
    const applicant = await apply()
    await sent(applicant, 1)
    const path = `/v1/applications/${applicant.id}/agreement`
    expect((await call(path)).status).toBe(401)
    expect((await call(`${path}?token=wrong`)).status).toBe(404)
    expect((await call(path, { key: world.north.key })).status).toBe(404)
    expect((await resend(applicant, {}, world.north.key)).status).toBe(404)
    expect((await resend(applicant, {}, world.shop.key)).status).toBe(403)
    expect((await resend(applicant, { email: 'nowhere' })).status).toBe(422)
    expect((await resend(applicant, { phone: '1' })).status).toBe(422)
    expect(await attemptsOf(applicant)).toHaveLength(1)
  })
})
