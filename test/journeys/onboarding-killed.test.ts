/** Every step of onboarding loses its worker twice, and everything happens once. */
import { sql } from 'kysely'
import { onboardingActivities } from '../../activities/onboarding/index.ts'
import { provisioningActivities } from '../../activities/provisioning.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { deadlinesSchema } from '../../db/programme-settings.ts'
import { uuidOf } from '../../domain/ids.ts'
import { workflowIds } from '../../domain/process-names.ts'
import { type Applicant, apply, comesBefore } from '../../scripts/story/applicants.ts'
import { eventually } from '../../scripts/story/client.ts'
import { copied, snapshot } from '../../scripts/story/traces.ts'
import { type Deaths, deaths } from '../support/deaths.ts'
import { type Product, startProduct } from '../support/product.ts'

let product: Product
let dying: Deaths
beforeAll(async () => {
  product = await startProduct()
  dying = deaths()
  await product.startWorker(dying)
})
afterAll(() => product.stop())

/** Deadlines are those of the moment in which an application comes in. */
async function programmeHas(deadlines: object, onboarding: object): Promise<void> {
  await sql`update programmes set deadlines = deadlines || ${JSON.stringify(deadlines)},
    onboarding = onboarding || ${JSON.stringify(onboarding)}`.execute(product.db)
}

const begin = (name: string) => apply(product.story, product.owner, { name })

const ends = async (applicant: Applicant) => (await applicant.reaches('done')).status

async function approve(applicant: Applicant): Promise<string> {
  await applicant.decide('approve', 'fits')
  return ends(applicant)
}

const happens = (applicant: Applicant, what: RegExp, times = 1) =>
  eventually(`${what} of ${applicant.name}`, async () => {
    const { timeline } = await applicant.read()
    return timeline.filter((entry) => what.test(entry.what)).length >= times || undefined
  })

/** Asked by Stripe a second time. */
async function resubmitted(applicant: Applicant) {
  await applicant.sign()
  await applicant.verify('fail')
  await happens(applicant, /another try/)
  await applicant.verify('pass')
  return approve(applicant)
}

async function declined(applicant: Applicant) {
  await applicant.decline()
  return ends(applicant)
}

async function withdrawn(applicant: Applicant) {
  await comesBefore(applicant)
  await applicant.withdraw()
  return ends(applicant)
}

/** Asked by who decides, reminded of it, and answered. */
async function asked(applicant: Applicant) {
  await comesBefore(applicant)
  await applicant.post('/information-requests', { questions: ['Who sells?'] })
  await mailOf(applicant, 'information_reminder')
  await applicant.link('/information-requests/1/answer', { answers: ['All of us.'] })
  await happens(applicant, /the applicant answered/)
  return approve(applicant)
}

/** Its account is refused once, opened when the link is asked for, and at last not let go. */
async function stuck(applicant: Applicant) {
  const process = workflowIds.onboarding(uuid(applicant))
  dying.refuse('openPayoutAccount', process, 1)
  await applicant.sign()
  await happens(applicant, /refused the payout account/)
  const { search, origin } = new URL(applicant.statusUrl)
  await eventually('it has its page', async () => {
    const path = `${origin}/v1/applications/${applicant.id}/verification${search}`
    const { status } = await fetch(path, { redirect: 'manual' })
    return status === 303 || undefined
  })
  dying.refuse('closePayoutAccount', process, 1)
  await applicant.withdraw()
  return ends(applicant)
}

/** Signed on our page, escalated, approved too early, taken back, and approved. */
async function undone(applicant: Applicant) {
  const { search, origin } = new URL(applicant.statusUrl)
  await eventually('it can be signed', async () => {
    const path = `${origin}/v1/applications/${applicant.id}/agreement/signing${search}`
    const { status } = await fetch(path, { redirect: 'manual' })
    return status === 303 || undefined
  })
  await comesBefore(applicant)
  await happens(applicant, /escalated/)
  await applicant.decide('approve', 'too early')
  await applicant.post('/decision/undo', {})
  return approve(applicant)
}

/** The signer is refused, and later the last step of provisioning, twice: undone, made again. */
async function broken(applicant: Applicant) {
  dying.refuse('sendAgreement', workflowIds.onboarding(uuid(applicant)), 1)
  await happens(applicant, /refused by the vendor/)
  await applicant.post('/agreement/resend', { email: applicant.email })
  await eventually('it is sent again', async () =>
    (await applicant.read()).next_actor === 'applicant' ? true : undefined,
  )
  await comesBefore(applicant)
  const release = dying.hold('activateTenant')
  await applicant.decide('approve', 'fits')
  const { partner } = await applicant.read()
  const tenant = await tenantOf(partner)
  dying.refuse('activateTenant', workflowIds.provisioning(uuidOf('tenant', tenant) ?? ''), 2)
  release()
  const act = (what: 'retry' | 'abandon') =>
    product.story.api(`/v1/tenants/${tenant}/${what}`, {
      method: 'POST',
      key: product.owner,
      body: {},
    })
  await happens(applicant, /failed; a person/, 1)
  await act('retry')
  await happens(applicant, /failed; a person/, 2)
  await act('abandon')
  await happens(applicant, /were undone/)
  const traces = (await snapshot(product.story)).of(applicant, partner)
  // A customer that has an invoice stays, and serves the next try.
  expect([traces.customers, traces.subscriptions]).toEqual([1, 0])
  await act('retry')
  return ends(applicant)
}

async function tenantOf(partner: string | null): Promise<string> {
  const tenants = await product.story.all<{ id: string; partner: string }>(
    '/v1/tenants',
    product.owner,
  )
  return tenants.find((one) => one.partner === partner)?.id ?? ''
}

const uuid = ({ id }: Applicant) => uuidOf('application', id) ?? ''

const mailOf = ({ email }: Applicant, kind: string) =>
  eventually(`the mail ${kind}`, async () => {
    const { data } = await product.story.sandbox<{ data: { to: string; kind: string }[] }>('/mails')
    return data.find((mail) => mail.to === email && mail.kind === kind)
  })

const received = { application_received: 1, agreement_ready: 1 }
const proven = { ...received, verification_requested: 1 }
const everything = { envelopes: { completed: 1 }, accounts: 1, customers: 1, subscriptions: 1 }
const nothing = { accounts: 0, customers: 0, subscriptions: 0 }

interface Way {
  play: (applicant: Applicant) => Promise<string>
  status: string
  left: object
  /** What the programme has when the application comes in. */
  deadlines?: object
}

function active(play: Way['play'], ...[mails, deadlines, envelopes]: object[]): Way {
  const sent = { ...proven, invitation: 1, welcome: 1, ...mails }
  const left = { ...everything, ...(envelopes ? { envelopes } : {}), mails: sent }
  return { play, status: 'active', deadlines: deadlines ?? {}, left }
}

const ways: Record<string, Way> = {
  Resubmitted: active(resubmitted, {}),
  // What was made and then refused is withdrawn before it is sent again.
  Broken: active(broken, { invitation: 2 }, {}, { completed: 1, voided: 1 }),
  Asked: active(
    asked,
    { information_requested: 1, information_reminder: 1 },
    { informationReminders: [6] },
  ),
  Undone: active(undone, {}, { undo: 12, approvalReminder: 10, approvalEscalation: 12 }),
  Declined: {
    ...{ play: declined, status: 'withdrawn' },
    left: { ...nothing, envelopes: { declined: 1 }, mails: received },
  },
  Withdrawn: {
    ...{ play: withdrawn, status: 'withdrawn' },
    left: {
      ...{ ...nothing, envelopes: { completed: 1 } },
      mails: { ...proven, application_withdrawn: 1 },
    },
  },
  Stuck: {
    ...{ play: stuck, status: 'withdrawn' },
    left: {
      ...{ ...nothing, envelopes: { completed: 1 } },
      mails: { ...proven, application_withdrawn: 1 },
    },
  },
  Expired: {
    ...{ play: ends, status: 'lapsed', deadlines: { agreementReminders: [], agreementExpiry: 2 } },
    left: {
      ...{ ...nothing, envelopes: { voided: 2 } },
      mails: { ...received, agreement_ready: 2, application_lapsed: 1 },
    },
  },
}

const usual = deadlinesSchema.parse({ undo: 0 })

/** All come in with deadlines of their own, one after the other, and go on together. */
async function playAll() {
  const begun = []
  for (const [name, way] of Object.entries(ways)) {
    await programmeHas({ ...usual, ...way.deadlines }, { signing: 'embedded' })
    begun.push({ name, ...way, applicant: await begin(name) })
  }
  return Promise.all(
    begun.map(async (one) => {
      const ended = await one.play(one.applicant)
      expect([one.name, ended]).toEqual([one.name, one.status])
      return one
    }),
  )
}

describe('an onboarding whose worker is lost at every step', () => {
  it('ends as it should with one of everything, whichever way it goes', async () => {
    const played = await playAll()
    const many = played.filter(({ status }) => status === 'active').length
    await eventually('the last mails', async () => {
      const { mails } = await snapshot(product.story)
      return mails.filter(({ kind }) => kind === 'welcome').length === many || undefined
    })
    const seen = await snapshot(product.story)
    for (const { name, applicant, left } of played) {
      const { partner } = await applicant.read()
      expect({ name, ...seen.of(applicant, partner) }).toEqual({ name, ...left })
    }
    expect(copied(seen.mails)).toEqual([])
    const { rows } = await sql<Record<string, number>>`
      select (select count(*)::int from partners) as partners,
        (select count(*)::int from tenants) as tenants,
        (select count(*)::int from invitations) as invitations,
        (select count(*)::int from notices) as notices`.execute(product.db)
    const notices = seen.mails.filter(({ kind }) => kind !== null).length
    expect(rows[0]).toEqual({ partners: many, tenants: many, invitations: many, notices })
    expect((await checkInvariants(product.db)).violations).toEqual([])
  })

  it('was lost before and after every step there is', () => {
    const none = {} as Parameters<typeof onboardingActivities>[0]
    const steps = [onboardingActivities(none), provisioningActivities(none)].flatMap(Object.keys)
    const spared = steps.filter((step) => {
      const { before = 0, after = 0 } = dying.counts.get(step) ?? {}
      return before === 0 || after === 0
    })
    expect(spared).toEqual([])
  })
})
