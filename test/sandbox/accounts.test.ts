import Stripe from 'stripe'
import { type Kit, problemOf, startKit } from './kit.ts'

let kit: Kit
let stripe: Stripe
beforeAll(async () => {
  kit = await startKit()
  stripe = kit.stripe
})
afterAll(() => kit.stop())

const include = ['configuration.recipient', 'requirements', 'identity', 'defaults'] as const

async function create(name = 'Partner') {
  return stripe.v2.core.accounts.create({
    contact_email: 'partner@example.test',
    display_name: name,
    dashboard: 'express',
    configuration: {
      recipient: { capabilities: { stripe_balance: { stripe_transfers: { requested: true } } } },
    },
    defaults: {
      currency: 'usd',
      responsibilities: { fees_collector: 'application', losses_collector: 'application' },
    },
    identity: {
      country: 'us',
      entity_type: 'company',
      business_details: { registered_name: 'Partner Ltd' },
    },
    include: [...include],
    metadata: { application: 'app_7' },
  })
}

function transfersOf(account: Stripe.V2.Core.Account) {
  return account.configuration?.recipient?.capabilities?.stripe_balance?.stripe_transfers
}

async function link(account: string) {
  const url = 'http://127.0.0.1:1'
  return stripe.v2.core.accountLinks.create({
    account,
    use_case: {
      type: 'account_onboarding',
      account_onboarding: { refresh_url: `${url}/refresh`, return_url: `${url}/return` },
    },
  })
}

/** Opens the page as a browser does, and answers what its form must send back. */
async function openPage(url: string): Promise<string> {
  const page = await (await fetch(url)).text()
  return /name="session" value="([^"]+)"/.exec(page)?.[1] ?? ''
}

function decide(url: string, fields: Record<string, string>): Promise<Response> {
  return fetch(url, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual' })
}

describe('a recipient account', () => {
  test('starts restricted, with things that the user must still show', async () => {
    const account = await create()
    expect(account).toMatchObject({
      object: 'v2.core.account',
      livemode: false,
      applied_configurations: ['recipient'],
      metadata: { application: 'app_7' },
      identity: { country: 'us', entity_type: 'company' },
    })
    expect(transfersOf(account)?.status).toBe('restricted')
    const entries = account.requirements?.entries ?? []
    expect(entries.length).toBeGreaterThan(0)
    for (const entry of entries) {
      expect(entry.awaiting_action_from).toBe('user')
      expect(entry.minimum_deadline.status).toBe('currently_due')
    }
  })

  test('shows its parts only when they are asked for', async () => {
    const { id } = await create()
    const bare = await stripe.v2.core.accounts.retrieve(id)
    expect([bare.configuration, bare.requirements, bare.identity]).toEqual([null, null, null])
    const full = await stripe.v2.core.accounts.retrieve(id, { include: [...include] })
    expect(transfersOf(full)?.status).toBe('restricted')
    const odd = await problemOf(
      stripe.v2.core.accounts.retrieve(id, { include: ['everything' as 'identity'] }),
    )
    expect(odd).toBeInstanceOf(Stripe.errors.StripeInvalidRequestError)
  })

  test('becomes active when the check passes', async () => {
    const { id } = await create()
    const { body } = await kit.post(`/accounts/${id}/kyc`, { result: 'pass' })
    expect(body).toMatchObject({ id })
    const account = await stripe.v2.core.accounts.retrieve(id, { include: [...include] })
    expect(transfersOf(account)).toEqual({ status: 'active', status_details: [] })
    expect(account.requirements?.entries).toEqual([])
    expect(await stripe.accounts.retrieve(id)).toMatchObject({
      payouts_enabled: true,
      capabilities: { transfers: 'active' },
      metadata: { application: 'app_7' },
    })
  })

  test('asks the user again after a failed check, and ends when the failure is final', async () => {
    const { id } = await create()
    await kit.post(`/accounts/${id}/kyc`, { result: 'fail' })
    const failed = await stripe.v2.core.accounts.retrieve(id, { include: [...include] })
    expect(failed.requirements?.entries?.[0]).toMatchObject({
      awaiting_action_from: 'user',
      errors: [{ code: 'verification_document_not_readable' }],
    })
    expect(transfersOf(failed)?.status).toBe('restricted')
    await kit.post(`/accounts/${id}/kyc`, { result: 'fail', final: true })
    const rejected = await stripe.v2.core.accounts.retrieve(id, { include: [...include] })
    expect(transfersOf(rejected)?.status).toBe('rejected')
    expect((await kit.post(`/accounts/${id}/kyc`, { result: 'pass' })).status).toBe(409)
    expect((await stripe.accounts.retrieve(id)).requirements?.disabled_reason).toBe(
      'rejected.other',
    )
  })

  test('tells of its changes by thin events that can be read again', async () => {
    const { id } = await create()
    await kit.post(`/accounts/${id}/kyc`, { result: 'pass' })
    const events = await stripe.v2.core.events.list({ object_id: id })
    expect(events.data.map(({ type }) => type)).toEqual([
      'v2.core.account[configuration.recipient].capability_status_updated',
      'v2.core.account[requirements].updated',
      'v2.core.account.created',
    ])
    const event = await stripe.v2.core.events.retrieve(String(events.data[0]?.id))
    expect(event).toMatchObject({
      object: 'v2.core.event',
      data: { updated_capability: 'stripe_balance.stripe_transfers' },
      related_object: { id, type: 'v2.core.account', url: `/v2/core/accounts/${id}` },
    })
    const related = await (
      event as { fetchRelatedObject(): Promise<Stripe.V2.Core.Account> }
    ).fetchRelatedObject()
    expect(related.id).toBe(id)
  })

  test('is changed, listed page by page, and closed', async () => {
    const ids = [(await create('One')).id, (await create('Two')).id]
    const changed = await stripe.v2.core.accounts.update(ids[0] as string, {
      display_name: 'Uno',
      metadata: { tier: 'gold' },
    })
    expect(changed).toMatchObject({
      display_name: 'Uno',
      metadata: { application: 'app_7', tier: 'gold' },
    })
    const seen: string[] = []
    for await (const one of stripe.v2.core.accounts.list({ limit: 2 })) seen.push(one.id)
    expect(seen.slice(0, 2)).toEqual(ids.toReversed())
    expect(new Set(seen).size).toBe(seen.length)
    await stripe.v2.core.accounts.close(ids[1] as string)
    const closed = await stripe.v2.core.accounts.list({ closed: true })
    expect(closed.data.map(({ id }) => id)).toEqual([ids[1]])
  })

  test('needs a country and no fields that nobody knows', async () => {
    const missing = await problemOf(stripe.v2.core.accounts.create({ display_name: 'X' }))
    expect(missing).toMatchObject({ code: 'parameter_missing', param: 'identity.country' })
    const odd = { identity: { country: 'us' }, colour: 'red' }
    expect(await problemOf(stripe.v2.core.accounts.create(odd))).toMatchObject({
      code: 'parameter_unknown',
      param: 'colour',
    })
  })
})

describe('an onboarding link', () => {
  test('opens once, lets a person pass the check, and leads back', async () => {
    const { id } = await create()
    const made = await link(id)
    expect(made).toMatchObject({ object: 'v2.core.account_link', account: id })
    expect(Date.parse(made.expires_at)).toBeGreaterThan(Date.now())
    const session = await openPage(made.url)
    const second = await fetch(made.url, { redirect: 'manual' })
    expect(second.headers.get('location')).toBe('http://127.0.0.1:1/refresh')
    expect((await decide(made.url, { result: 'pass' })).status).toBe(403)
    const done = await decide(made.url, { result: 'pass', session })
    expect(done.status).toBe(303)
    expect(done.headers.get('location')).toBe('http://127.0.0.1:1/return')
    const account = await stripe.v2.core.accounts.retrieve(id, { include: [...include] })
    expect(transfersOf(account)?.status).toBe('active')
    expect((await decide(made.url, { result: 'fail', session })).status).toBe(403)
  })

  test('takes only web addresses to lead back to', async () => {
    const { id } = await create()
    const problem = await problemOf(
      stripe.v2.core.accountLinks.create({
        account: id,
        use_case: {
          type: 'account_onboarding',
          account_onboarding: { refresh_url: 'javascript:alert(1)' },
        },
      }),
    )
    expect(problem.code).toBe('url_invalid')
  })
})
