/** Nothing that people say of themselves or of others enters the engine. */
import { scheduleIds, taskQueue } from '../../domain/process-names.ts'
import { type Applicant, apply, comesBefore } from '../../scripts/story/applicants.ts'
import { eventually } from '../../scripts/story/client.ts'
import { ensureSchedules } from '../../worker/schedules.ts'
import { keptProcesses } from '../support/engine.ts'
import { type Product, startProduct } from '../support/product.ts'

let product: Product
beforeAll(async () => {
  product = await startProduct({ plainPayloads: true })
  await product.startWorker()
  await ensureSchedules(product.temporal)
})
afterAll(() => product.stop())

const planted = new Set<string>()

/** A word that occurs nowhere else, by itself or in an address. */
function mark(): string {
  const word = `zqmark${String(planted.size + 1).padStart(3, '0')}x`
  planted.add(word)
  return word
}

const address = () => `${mark()}@${mark()}.example`
const prose = () => `Because ${mark()} said so`
const site = () => `https://${mark()}.example`

const post = <T = { id: string }>(path: string, body?: unknown, key = product.owner) =>
  product.story.api<T>(path, { method: 'POST', key, ...(body === undefined ? {} : { body }) })

async function begin(changes: Record<string, unknown> = {}, company: Record<string, string> = {}) {
  return apply(product.story, product.owner, {
    name: `${mark()} Trading`,
    company: { website: site(), registration_number: mark(), legal_name: mark(), ...company },
    form: {
      contact: { name: mark(), email: address() },
      contacts: [{ name: mark(), email: address(), role: 'owner' }],
      custom: { tax_number: mark() },
      ...changes,
    },
  })
}

const closed = async (applicant: Applicant) => (await applicant.reaches('done')).status

async function becomesActive(applicant: Applicant) {
  await comesBefore(applicant)
  await applicant.decide('approve', prose())
  expect(await closed(applicant)).toBe('active')
  return (await applicant.read()).partner ?? ''
}

async function twoHands(path: string, body: unknown) {
  const { id, payload_hash } = await post<{ id: string; payload_hash: string }>(path, body)
  await post(`/v1/approvals/${id}/approve`, { payload_hash }, product.second)
}
/** Active, asked by Stripe again, given more time, and ended by two persons. */
async function terminated() {
  const applicant = await begin()
  const partner = await becomesActive(applicant)
  const account = await applicant.object('accounts')
  const asks = { status: 'past_due' }
  await product.story.sandbox(`/accounts/${account.id}/requirements`, asks)
  await eventually('it is extended', async () => {
    const until = new Date(Date.now() + 86_400_000).toISOString()
    const body = { until, reason: prose(), lift_holds: true }
    return post(`/v1/partners/${partner}/verification/extension`, body).catch(() => undefined)
  })
  await post(`/v1/partners/${partner}/suspend`, { reason: prose() })
  await post(`/v1/partners/${partner}/activate`, { reason: prose() })
  await twoHands(`/v1/partners/${partner}/termination`, {
    reason_code: 'mutual',
    reason: prose(),
  })
}

async function rejected() {
  const applicant = await begin()
  await comesBefore(applicant)
  await applicant.decide('reject', prose())
  expect(await closed(applicant)).toBe('rejected')
}

async function askedAndWithdrawn() {
  const applicant = await begin()
  await comesBefore(applicant)
  await applicant.post('/information-requests', { questions: [prose(), prose()] })
  await applicant.link('/information-requests/1/answer', { answers: [prose(), prose()] })
  await applicant.withdraw()
  expect(await closed(applicant)).toBe('withdrawn')
}

async function declined() {
  const applicant = await begin()
  await applicant.decline(prose())
  expect(await closed(applicant)).toBe('withdrawn')
}

/** Sent again to somebody else, and taught what it sells. */
async function taught() {
  const email = address()
  const applicant = await begin({ contact: { name: mark(), email } })
  await applicant.object('envelopes')
  await applicant.reaches('agreement')
  await post(`/v1/applications/${applicant.id}/agreement/resend`, {
    email: address(),
    name: mark(),
  })
  await eventually('the second envelope', async () => {
    const { data } = await product.story.sandbox<{ data: { metadata: object }[] }>('/envelopes')
    const own = data.filter(
      ({ metadata }) => (metadata as { application?: string }).application === applicant.id,
    )
    return own.length === 2 || undefined
  })
  await becomesActive(applicant)
  const key = await accessOf(email)
  await learn(key)
  const tenants = await product.story.all<{ id: string }>('/v1/tenants', key)
  await product.story.api(`/v1/tenants/${tenants[0]?.id}/domain`, {
    ...{ method: 'PUT', key },
    body: { domain: `shop.${mark()}.example` },
  })
  await post('/v1/links', { name: mark() }, key)
  const { id: customer } = await post('/v1/customers', { name: mark(), email: address() }, key)
  const offer = { name: mark(), amount: 900, currency: 'USD', interval: 'month' }
  const { id: bought } = await post('/v1/packages', offer)
  await post('/v1/subscriptions', { customer, package: bought }, key)
}

async function accessOf(email: string): Promise<string> {
  const token = await eventually('the invitation', async () => {
    const { data } = await product.story.sandbox<{
      data: { kind: string; text: string; to: string }[]
    }>('/mails')
    const mail = data.find(({ kind, to }) => kind === 'invitation' && to === email)
    return mail && /\?token=([\w-]+)/.exec(mail.text)?.[1]
  })
  const answer = await post<{ api_key: string }>('/v1/invitations/accept', { token })
  return answer.api_key
}

async function learn(key: string) {
  const terms = { code: 'first-steps', title: mark(), validity_days: 365, pass_score: 100 }
  const { id } = await post('/v1/courses', terms)
  await product.story.api(`/v1/courses/${id}/modules/1`, {
    method: 'PUT',
    key: product.owner,
    body: {
      ...{ title: mark(), body: prose(), minutes: 5 },
      quiz: [{ id: 'q1', text: prose(), options: [mark(), mark()], right: [1] }],
    },
  })
  await post(`/v1/courses/${id}/publish`)
  const { id: enrolment } = await post('/v1/enrolments', { course: id }, key)
  await post(`/v1/enrolments/${enrolment}/modules/1/complete`, undefined, key)
  await post(
    `/v1/enrolments/${enrolment}/quiz`,
    { answers: [{ question: 'q1', options: [1] }] },
    key,
  )
  const { data } = await product.story.api<{ data: { id: string }[] }>('/v1/certificates', { key })
  await post(`/v1/certificates/${data[0]?.id}/revocation`, { reason: prose() })
}

/** Found on a list, said by two persons to be somebody else, and leaving soon after. */
async function overridden() {
  const applicant = await begin({ contact: { name: 'Zoltarion Quexley', email: address() } })
  await comesBefore(applicant)
  const { data } = await product.story.api<{ data: { id: string; status: string }[] }>(
    '/v1/screenings',
    { key: product.owner },
  )
  const found = data.filter(({ status }) => status === 'review')
  expect(found).toHaveLength(1)
  await twoHands(`/v1/screenings/${found[0]?.id}/override`, { reason: prose() })
  await applicant.decide('approve', prose())
  expect(await closed(applicant)).toBe('active')
  const { partner } = await applicant.read()
  const tenants = await product.story.all<{ id: string; partner: string }>(
    '/v1/tenants',
    product.owner,
  )
  const confirm = tenants.find((tenant) => tenant.partner === partner)?.id
  await post(`/v1/tenants/${confirm}/offboarding`, { reason: prose(), confirm })
}

async function invited() {
  await post('/v1/application-invitations', {
    ...{ name: mark(), email: address(), message: prose() },
    level: 'reseller',
  })
  await product.story.api('/v1/mail-templates/welcome', {
    method: 'PUT',
    key: product.owner,
    body: { subject: mark(), paragraphs: [prose()] },
  })
}

/** Vendors fail at requests that name people, so that failures are kept too. */
async function failures() {
  const fails = { kind: 'error_500', count: 2 }
  await product.story.sandbox('/faults', { ...fails, vendor: 'stripe', path: '/v1/customers' })
  await product.story.sandbox('/faults', { ...fails, vendor: 'docusign', path: '/restapi' })
}

/** Those that say something of people; each has begun, and those that end have ended. */
const spoken = [
  ...['certification', 'kycReverification', 'partnerOnboarding', 'rescreening', 'reconciliation'],
  ...['subscriptionSetup', 'sweeper', 'tenantProvisioning', 'verificationUpkeep'],
  ...['domainVerification', 'tenantOffboarding', 'webhookInbox', 'welcomeSequence'],
]
const ending = new Set(['partnerOnboarding', 'tenantProvisioning', 'rescreening', 'sweeper'])

async function settled() {
  await eventually('every process has begun, and those that end have ended', async () => {
    const seen = new Set<string>()
    for await (const { type, status } of product.temporal.workflow.list()) {
      if (ending.has(type) && status.name === 'RUNNING') return undefined
      seen.add(type)
    }
    return spoken.every((type) => seen.has(type)) || undefined
  })
}

const leaks = async () =>
  (await keptProcesses(product.temporal)).flatMap(({ workflowId, text }) =>
    [...planted, 'zoltarion', 'quexley'].flatMap((word) =>
      text.includes(word) ? [`${word} in ${workflowId}`] : [],
    ),
  )

describe('the engine', () => {
  it('keeps nothing of what people say, on whatever way, with payloads as they are', async () => {
    await product.db
      .updateTable('programmes')
      .set({
        onboarding: JSON.stringify({
          customFields: [{ name: 'tax_number', label: 'Tax number', kind: 'text' }],
        }),
      })
      .execute()
    await invited()
    await failures()
    await Promise.all([
      terminated(),
      rejected(),
      askedAndWithdrawn(),
      declined(),
      taught(),
      overridden(),
    ])
    await product.temporal.schedule.getHandle(scheduleIds.sweeper).trigger()
    await product.temporal.schedule.getHandle(scheduleIds.verificationUpkeep).trigger()
    await product.temporal.schedule.getHandle(scheduleIds.rescreening).trigger()
    await product.temporal.schedule.getHandle(scheduleIds.reconciliation).trigger()
    await settled()
    expect(planted.size).toBeGreaterThanOrEqual(100)
    expect(await leaks()).toEqual([])
    const kept = await keptProcesses(product.temporal)
    expect(kept.filter(({ text }) => text.includes('vendor_unknown')).length).toBeGreaterThan(0)
  })

  it('would not hide it: words in any of its places are found', async () => {
    const { workflow } = product.temporal
    const places = Object.fromEntries(
      ['id', 'input', 'memo', 'summary', 'details', 'signal'].map((place) => [place, mark()]),
    )
    const handle = await workflow.start('tierReview', {
      workflowId: `tiers:${places.id}`,
      taskQueue: `${taskQueue}-nobody`,
      args: [{ period: places.input }],
      memo: { note: places.memo },
      staticSummary: `${places.summary}`,
      staticDetails: `${places.details}`,
    })
    await handle.signal('said', places.signal)
    const found = await leaks()
    await handle.terminate()
    expect(new Set(found.map((leak) => leak.split(' ')[0]))).toEqual(new Set(Object.values(places)))
  })
})
