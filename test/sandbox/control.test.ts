import { type Kit, recipient, startKit, subscribe } from './kit.ts'

let kit: Kit
beforeAll(async () => {
  kit = await startKit()
})
afterAll(() => kit.stop())

describe('the lists', () => {
  test('carry ids and our metadata, oldest first', async () => {
    const ours = { subscription: 'sub_ours', customer: 'cus_ours' }
    const { invoice } = await subscribe(kit.stripe, ours)
    await kit.post(`/invoices/${invoice.id}/pay`)
    const second = await subscribe(kit.stripe, ours)
    const invoices = await kit.list('invoices')
    expect(invoices.map(({ id }) => id)).toEqual([invoice.id, second.invoice.id])
    expect(invoices[0]).toMatchObject({ metadata: ours, status: 'paid', amount_due: 4999 })
    expect(await kit.list('charges')).toMatchObject([
      { metadata: ours, amount: 4999, currency: 'usd', invoice: invoice.id },
    ])
    const id = await recipient(kit, 'app_9')
    expect(await kit.list('accounts')).toMatchObject([
      { id, metadata: { application: 'app_9' }, transfers_status: 'active' },
    ])
    for (const name of ['refunds', 'disputes', 'transfers', 'envelopes', 'mails']) {
      expect(await kit.list(name)).toEqual([])
    }
  })
})

describe('a control', () => {
  test.each([
    ['/accounts/acct_x/kyc', { result: 'maybe' }, 400, /result is "maybe", expected pass or fail/],
    ['/accounts/acct_x/kyc', {}, 400, /result is missing/],
    ['/accounts/acct_x/kyc', { result: 'pass' }, 404, /no acct_x/],
    ['/invoices/in_x/pay', { amount: -1 }, 400, /amount is -1, expected a whole number/],
    ['/invoices/in_x/pay', { sum: 1 }, 400, /unknown field "sum", expected one of amount/],
    ['/charges/ch_x/refund', { amount: 1 }, 404, /no ch_x/],
    ['/disputes/du_x/close', { outcome: 'draw' }, 400, /expected won or lost/],
    ['/envelopes/e/sign', {}, 404, /no e among the envelopes/],
    ['/clock', { now: 'tomorrow' }, 400, /now is "tomorrow", expected an ISO time or null/],
    ['/clock', {}, 400, /now is missing/],
    ['/faults', { vendor: 'paypal', kind: 'error_500' }, 400, /expected stripe or docusign/],
    ['/faults', { vendor: 'stripe', kind: 'error_500', rate: 2 }, 400, /a number from 0 to 1/],
    ['/balance', { amount: 1, currency: 'zzz' }, 400, /Invalid currency/],
    ['/settings', { stripe_endpoints: [{ url: 'x' }] }, 400, /url is "x"/],
    ['/unicorns', {}, 404, /no control POST/],
  ])('%s with %j answers %i and says why', async (path, body, status, message) => {
    const reply = await kit.post(path, body)
    expect(reply.status).toBe(status)
    expect((reply.body.error as { message: string }).message).toMatch(message)
  })

  test('with a body that is no JSON object is refused', async () => {
    const url = `${kit.sandbox.url}/_sandbox/clock`
    for (const body of ['{', '[]', '"x"']) {
      const reply = await fetch(url, { method: 'POST', body })
      expect(reply.status).toBe(400)
    }
  })

  test('is not for pages of other sites', async () => {
    const foreign = await fetch(`${kit.sandbox.url}/_sandbox/clock`, {
      method: 'POST',
      headers: { 'Sec-Fetch-Site': 'cross-site' },
      body: '{"now":null}',
    })
    expect(foreign.status).toBe(403)
  })
})

describe('the clock', () => {
  test('moves vendor objects and ticks on, while links stay on the real clock', async () => {
    const moved = await kit.post('/clock', { now: '2031-05-05T12:00:00Z' })
    expect(moved.body.now).toMatch(/^2031-05-05T12:0/)
    expect(moved.body.offset_ms).toBeGreaterThan(0)
    const { subscription, invoice } = await subscribe(kit.stripe)
    const start = Date.parse('2031-05-05T12:00:00Z') / 1000
    expect(subscription.created - start).toBeLessThan(120)
    expect(invoice.lines.data[0]?.period.end).toBe(
      Date.parse('2031-06-05T12:00:00Z') / 1000 + (subscription.created - start),
    )
    await kit.post(`/invoices/${invoice.id}/pay`)
    const paid = await kit.stripe.invoices.retrieve(invoice.id)
    expect((paid.status_transitions.paid_at ?? 0) - start).toBeLessThan(120)
    const link = await kit.stripe.v2.core.accountLinks.create({
      account: await recipient(kit),
      use_case: {
        type: 'account_onboarding',
        account_onboarding: { refresh_url: 'http://127.0.0.1:1/' },
      },
    })
    expect(Date.parse(link.expires_at) - Date.now()).toBeLessThan(10 * 60 * 1000)
    const back = await kit.post('/clock', { now: null })
    expect(back.body.offset_ms).toBe(0)
    const now = (await kit.stripe.customers.create({})).created
    expect(Math.abs(now - Date.now() / 1000)).toBeLessThan(120)
  })
})
