import { createTransport } from 'nodemailer'
import { type Kit, recipient, startKit, subscribe } from './kit.ts'

let kit: Kit
beforeAll(async () => {
  kit = await startKit()
})
afterAll(() => kit.stop())

const nasty = '<script>alert("x")</script>'

async function page(path: string): Promise<{ status: number; text: string }> {
  const reply = await fetch(path.startsWith('http') ? path : `${kit.sandbox.url}${path}`)
  return { status: reply.status, text: await reply.text() }
}

function form(path: string, fields: Record<string, string> = {}): Promise<Response> {
  return fetch(path.startsWith('http') ? path : `${kit.sandbox.url}${path}`, {
    method: 'POST',
    body: new URLSearchParams(fields),
    redirect: 'manual',
  })
}

function mail(fields: object) {
  const transport = createTransport({
    host: '127.0.0.1',
    port: kit.sandbox.smtpPort,
    secure: false,
  })
  return transport.sendMail({
    from: 'hello@tributary.test',
    to: 'ada@example.test',
    subject: 'Welcome',
    ...fields,
  })
}

describe('the mailbox', () => {
  test('takes real SMTP, and tells the kind of a notice', async () => {
    await mail({
      to: ['ada@example.test', 'bob@example.test'],
      subject: 'Złoty & więcej',
      text: 'Follow http://127.0.0.1:4000/accept?token=abc',
      html: '<p>Follow</p>',
      headers: { 'X-Notice-Kind': 'partner_invite' },
      messageId: '<one@tributary.test>',
    })
    expect((await kit.list('mails')).at(-1)).toMatchObject({
      to: 'ada@example.test, bob@example.test',
      from: 'hello@tributary.test',
      kind: 'partner_invite',
      subject: 'Złoty & więcej',
      text: expect.stringMatching(/\?token=abc\s*$/),
      html: expect.stringContaining('<p>Follow</p>'),
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      message_id: '<one@tributary.test>',
    })
    await mail({ subject: 'No kind', text: 'x' })
    expect((await kit.list('mails')).at(-1)).toMatchObject({ kind: null, html: null })
  })

  test('keeps a mail once that was sent twice under one Message-ID', async () => {
    const before = (await kit.list('mails')).length
    for (let n = 0; n < 2; n += 1) await mail({ text: 'x', messageId: '<twice@tributary.test>' })
    const mails = await kit.list('mails')
    expect(mails).toHaveLength(before + 1)
    expect(mails.at(-1)).toMatchObject({ copies: 2 })
  })

  test('shows a mail with its links, and its HTML only inside a sandboxed frame', async () => {
    await mail({ subject: nasty, text: `${nasty} http://127.0.0.1:1/a?b=c&d`, html: nasty })
    const { id } = (await kit.list('mails')).at(-1) ?? {}
    const { status, text } = await page(`/mailbox/${id}`)
    expect(status).toBe(200)
    expect(text).not.toContain('<script')
    expect(text).toContain('href="http://127.0.0.1:1/a?b=c&amp;d"')
    expect(text).toContain('<iframe sandbox="allow-popups')
    expect((await page('/mailbox/mail_nobody')).status).toBe(404)
  })
})

describe('the pages', () => {
  test('answer, escape what others wrote, and need no scripts', async () => {
    const { invoice } = await subscribe(kit.stripe, { subscription: nasty })
    await kit.stripe.customers.update(String(invoice.customer), { name: nasty })
    await kit.post(`/invoices/${invoice.id}/pay`)
    await subscribe(kit.stripe, { customer: nasty })
    const destination = await recipient(kit, nasty)
    await kit.stripe.transfers.create({
      amount: 123_456,
      currency: 'usd',
      destination,
      transfer_group: nasty,
      metadata: { partner: nasty },
    })
    const paths = ['', 'envelopes', 'accounts', 'invoices', 'charges', 'transfers', 'mailbox']
    for (const path of [...paths, 'clock', 'faults']) {
      const { status, text } = await page(`/${path}`)
      expect({ path, status }).toEqual({ path, status: 200 })
      expect(text).not.toContain('<script')
      expect(text).toContain('name="viewport"')
    }
    expect((await page('/transfers')).text).toContain('1,234.56 USD')
    expect((await page('/transfers')).text).toContain('&lt;script&gt;')
    const reply = await fetch(`${kit.sandbox.url}/invoices`)
    expect(reply.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect((await page('/unicorns')).status).toBe(404)
  })

  test('let people pay, refund, dispute and decide', async () => {
    const { invoice } = await subscribe(kit.stripe)
    expect((await form(`/invoices/${invoice.id}/fail`)).status).toBe(303)
    const paid = await form(`/invoices/${invoice.id}/pay`)
    expect(paid.headers.get('location')).toBe('/invoices')
    const { id } = (await kit.list('charges')).at(-1) ?? {}
    await form(`/charges/${id}/refund`, { amount: '1000' })
    expect((await kit.list('charges')).at(-1)).toMatchObject({ amount_refunded: 1000 })
    await form(`/charges/${id}/dispute`, { amount: '' })
    const [dispute] = await kit.list('disputes')
    await form(`/disputes/${dispute?.id}/close`, { outcome: 'won' })
    expect((await kit.list('disputes'))[0]).toMatchObject({ status: 'won' })
    const again = await form(`/disputes/${dispute?.id}/close`, { outcome: 'won' })
    expect(again.status).toBe(409)
    const account = await recipient(kit)
    await form(`/accounts/${account}/kyc`, { result: 'fail' })
    expect((await kit.list('accounts')).at(-1)).toMatchObject({ transfers_status: 'restricted' })
  })

  test('let a customer pay the hosted invoice', async () => {
    const { invoice } = await subscribe(kit.stripe)
    const url = String(invoice.hosted_invoice_url)
    expect((await page(url)).text).toContain('49.99 USD')
    await form(`${url}/fail`)
    expect((await page(url)).text).toContain('card declined')
    await form(`${url}/pay`)
    const { text } = await page(url)
    expect(text).toContain('paid')
    expect(text).not.toContain('/pay"')
  })

  test('move the clock, and arm and clear faults', async () => {
    await form('/clock', { now: '2032-02-29T08:00:00' })
    expect((await page('/clock')).text).toContain('2032-02-29 08:00')
    await form('/clock/reset')
    expect((await kit.get('/clock')).body.offset_ms).toBe(0)
    expect((await form('/clock', { now: 'soon' })).status).toBe(400)
    await form('/faults', {
      vendor: 'stripe',
      kind: 'error_500',
      rate: '',
      count: '2',
      path: '/v1/x',
    })
    expect(await kit.list('faults')).toMatchObject([{ count: 2, rate: 1, path: '/v1/x' }])
    expect((await form('/faults', { vendor: 'stripe', kind: 'gremlins' })).status).toBe(400)
    await form('/faults/clear')
    expect(await kit.list('faults')).toEqual([])
  })
})
