import { stripeConnect, type TransferOrder } from '../../integrations/stripe-connect.ts'
import { type Kit, recipient, startKit } from '../sandbox/kit.ts'
import { stripeFor, vendorErrorOf } from './kit.ts'

let kit: Kit
let connect: ReturnType<typeof stripeConnect>
beforeAll(async () => {
  kit = await startKit()
  connect = stripeConnect(stripeFor(kit.sandbox))
})
afterEach(() => fetch(`${kit.sandbox.url}/_sandbox/faults`, { method: 'DELETE' }))
afterAll(() => kit.stop())

const owner = {
  name: 'Acme',
  email: 'pay@acme.example',
  country: 'US',
  metadata: { application: 'app_1' },
}
let made = 0

/** A transfer of a payout of its own to a verified account. */
async function order(changes: Partial<TransferOrder> = {}): Promise<TransferOrder> {
  made += 1
  return {
    amount: 2_000,
    currency: 'usd',
    destination: changes.destination ?? (await recipient(kit)),
    transferGroup: `po_pay_${made}`,
    metadata: { payout: `pay_${made}` },
    ...changes,
  }
}

const keyOf = ({ transferGroup }: TransferOrder, attempt = 1) => `${transferGroup}_${attempt}`

/** What the vendor itself says was sent for this payout. */
const sentFor = async ({ transferGroup }: TransferOrder) =>
  (await kit.stripe.transfers.list({ transfer_group: transferGroup })).data

const fault = (kind: string, more: object = {}) =>
  kit.post('/faults', { vendor: 'stripe', kind, path: '/v1/transfers', ...more })

describe('a payout account', () => {
  test('is opened once per key, for transfers only', async () => {
    const first = await connect.openPayoutAccount(owner, 'account-1')
    expect(await connect.openPayoutAccount(owner, 'account-1')).toBe(first)
    expect(await connect.openPayoutAccount(owner, 'account-2')).not.toBe(first)
    const include = ['configuration.recipient', 'identity', 'defaults'] as const
    const account = await kit.stripe.v2.core.accounts.retrieve(first, { include: [...include] })
    expect(account).toMatchObject({
      display_name: 'Acme',
      contact_email: 'pay@acme.example',
      dashboard: 'express',
      identity: { country: 'us', entity_type: 'company' },
      applied_configurations: ['recipient'],
      defaults: {
        responsibilities: { fees_collector: 'application', losses_collector: 'application' },
      },
      metadata: { application: 'app_1' },
    })
  })

  test('is proven on a page that lives for minutes and leads back', async () => {
    const id = await connect.openPayoutAccount(owner, 'account-link')
    const pages = { refreshUrl: 'https://api.example/again', returnUrl: 'https://api.example/back' }
    const link = await connect.issueVerificationLink(id, pages)
    expect(link.url.startsWith(kit.sandbox.url)).toBe(true)
    const lifeMs = link.expiresAt.getTime() - Date.now()
    expect(lifeMs).toBeGreaterThan(0)
    expect(lifeMs).toBeLessThan(3_600_000)
    expect((await fetch(link.url)).status).toBe(200)
    const again = await fetch(link.url, { redirect: 'manual' })
    expect(again.headers.get('location')).toBe(pages.refreshUrl)
    const next = await connect.issueVerificationLink(id, pages)
    expect(next.url).not.toBe(link.url)
  })

  test('waits for the partner, is asked again, is verified, and can be rejected', async () => {
    const id = await connect.openPayoutAccount(owner, 'account-states')
    const kyc = (decision: object) => kit.post(`/accounts/${id}/kyc`, decision)
    const read = () => connect.readVerification(id)
    expect(await read()).toMatchObject({ status: 'link_issued', detail: null })
    await kyc({ result: 'fail' })
    expect(await read()).toMatchObject({
      status: 'needs_input',
      detail: 'verification_document_not_readable',
      requirements: ['identity.individual.documents.primary_verification'],
    })
    await kyc({ result: 'pass' })
    expect(await read()).toMatchObject({ status: 'verified', detail: null, requirements: [] })
    await kyc({ result: 'fail', final: true })
    expect(await read()).toMatchObject({ status: 'rejected', detail: 'rejected_other' })
  })

  test('is closed once, however often it is asked for', async () => {
    const id = await connect.openPayoutAccount(owner, 'account-to-close')
    await connect.closeAccount(id, 'close-1')
    await connect.closeAccount(id, 'close-2')
    const { closed } = await kit.stripe.v2.core.accounts.retrieve(id)
    const types = ['v2.core.account.closed' as const]
    const told = await kit.stripe.v2.core.events.list({ object_id: id, types: [...types] })
    expect([closed, told.data.length]).toEqual([true, 1])
  })

  test('tells the day until which it has to show more', async () => {
    const id = await connect.openPayoutAccount(owner, 'account-deadline')
    expect(await connect.readRequirementDeadline(id)).toBeNull()
    await kit.post(`/accounts/${id}/kyc`, { result: 'pass' })
    const deadline = '2027-01-05T00:00:00Z'
    await kit.post(`/accounts/${id}/requirements`, { status: 'currently_due', deadline })
    expect(await connect.readRequirementDeadline(id)).toEqual(new Date(deadline))
    expect(await connect.readVerification(id)).toMatchObject({
      status: 'needs_input',
      transfersActive: true,
    })
  })

  test('that nobody knows is refused', async () => {
    const error = await vendorErrorOf(connect.readVerification('acct_nobody'))
    expect(error.failure).toBe('rejected')
  })
})

describe('a transfer', () => {
  test('succeeds once, whatever the number of calls under its key', async () => {
    const transfer = await order()
    const first = await connect.sendTransfer(transfer, keyOf(transfer))
    expect(first).toEqual({
      kind: 'succeeded',
      transferId: expect.stringMatching(/^tr_/),
      paymentId: expect.stringMatching(/^py_/),
    })
    for (let call = 0; call < 3; call++) {
      expect(await connect.sendTransfer(transfer, keyOf(transfer))).toEqual(first)
    }
    expect(await sentFor(transfer)).toHaveLength(1)
  })

  test('is read back as it was sent', async () => {
    const transfer = await order({ amount: 1_234, currency: 'eur' })
    const sent = await connect.sendTransfer(transfer, keyOf(transfer))
    const transferId = sent.kind === 'succeeded' ? sent.transferId : ''
    expect(await connect.readTransfer(transferId)).toEqual({
      transferId,
      amount: 1_234,
      currency: 'eur',
      destination: transfer.destination,
      reversed: false,
      paymentId: expect.stringMatching(/^py_/),
      metadata: transfer.metadata,
    })
    await kit.stripe.transfers.createReversal(transferId, { amount: 1 })
    expect((await connect.readTransfer(transferId)).reversed).toBe(true)
  })

  test('is found by its group and destination only', async () => {
    const transfer = await order()
    const sent = await connect.sendTransfer(transfer, keyOf(transfer))
    const found = await connect.findTransfers(transfer)
    expect(
      found.map(({ transferId, paymentId }) => ({ kind: 'succeeded', transferId, paymentId })),
    ).toEqual([sent])
    const elsewhere = await recipient(kit)
    expect(await connect.findTransfers({ ...transfer, destination: elsewhere })).toEqual([])
    expect(await connect.findTransfers({ ...transfer, transferGroup: 'po_other' })).toEqual([])
  })

  test('under a used key with another body is doubtful and sends nothing', async () => {
    const transfer = await order()
    await connect.sendTransfer(transfer, keyOf(transfer))
    const changed = { ...transfer, amount: transfer.amount + 1 }
    const outcome = await connect.sendTransfer(changed, keyOf(transfer))
    expect(outcome).toEqual({ kind: 'doubtful', reason: 'idempotency_error' })
    expect((await sentFor(transfer)).map(({ amount }) => amount)).toEqual([transfer.amount])
  })
})

describe('a transfer that is refused', () => {
  test('for lack of balance needs a new key when the money is there', async () => {
    const transfer = await order({ currency: 'gbp' })
    await kit.post('/balance', { currency: 'gbp', amount: 1_999 })
    const short = { kind: 'insufficient_balance' }
    expect(await connect.sendTransfer(transfer, keyOf(transfer, 1))).toEqual(short)
    await kit.post('/balance', { currency: 'gbp', amount: 5_000 })
    expect(await connect.sendTransfer(transfer, keyOf(transfer, 1))).toEqual(short)
    const again = await connect.sendTransfer(transfer, keyOf(transfer, 2))
    expect(again.kind).toBe('succeeded')
    expect(await sentFor(transfer)).toHaveLength(1)
  })

  test('because the account is not verified is rejected with the reason', async () => {
    const destination = await connect.openPayoutAccount(owner, 'account-unverified')
    const transfer = await order({ destination })
    expect(await connect.sendTransfer(transfer, keyOf(transfer))).toEqual({
      kind: 'rejected',
      reason: 'insufficient_capabilities_for_transfer',
    })
  })

  test('because nobody has that account is rejected with the reason', async () => {
    const transfer = await order({ destination: 'acct_nobody' })
    expect(await connect.sendTransfer(transfer, keyOf(transfer))).toEqual({
      kind: 'rejected',
      reason: 'resource_missing',
    })
  })
})

describe('a transfer whose outcome is not known', () => {
  test('because the vendor was too busy was not made, and its key can be used again', async () => {
    const transfer = await order()
    await fault('error_429')
    const outcome = await connect.sendTransfer(transfer, keyOf(transfer))
    expect(outcome).toEqual({ kind: 'throttled', retryAfterSeconds: 1 })
    expect(await sentFor(transfer)).toEqual([])
    expect((await connect.sendTransfer(transfer, keyOf(transfer))).kind).toBe('succeeded')
    expect(await sentFor(transfer)).toHaveLength(1)
  })

  test('because the vendor failed is sent again under its key', async () => {
    const transfer = await order()
    await fault('error_500')
    const outcome = await connect.sendTransfer(transfer, keyOf(transfer))
    expect(outcome).toEqual({ kind: 'unknown', reason: 'api_error' })
    expect((await connect.sendTransfer(transfer, keyOf(transfer))).kind).toBe('succeeded')
    expect(await sentFor(transfer)).toHaveLength(1)
  })

  test('is doubtful while the vendor repeats its failure, and a look-up finds none', async () => {
    const transfer = await order()
    await fault('error_500', { stored: true })
    for (const kind of ['unknown', 'doubtful', 'doubtful']) {
      const outcome = await connect.sendTransfer(transfer, keyOf(transfer))
      expect(outcome).toEqual({ kind, reason: 'api_error' })
    }
    expect(await connect.findTransfers(transfer)).toEqual([])
  })

  test('because the answer was lost is found, and never made twice', async () => {
    const transfer = await order()
    await fault('timeout_after_commit', { count: 2 })
    const lost = await connect.sendTransfer(transfer, keyOf(transfer))
    expect(lost.kind).toBe('unknown')
    const [found] = await connect.findTransfers(transfer)
    expect(found).toMatchObject({ amount: transfer.amount, metadata: transfer.metadata })
    expect(await connect.sendTransfer(transfer, keyOf(transfer))).toEqual({
      kind: 'succeeded',
      transferId: found?.transferId,
      paymentId: found?.paymentId,
    })
    expect(await sentFor(transfer)).toHaveLength(1)
  })

  test('counts only once on the balance, however often it was asked for', async () => {
    const transfer = await order({ currency: 'chf', amount: 700 })
    await kit.post('/balance', { currency: 'chf', amount: 1_000 })
    await fault('timeout_after_commit', { rate: 0.7 })
    for (let call = 0; call < 6; call++) await connect.sendTransfer(transfer, keyOf(transfer))
    const { available } = await kit.stripe.balance.retrieve()
    expect(available.find(({ currency }) => currency === 'chf')?.amount).toBe(300)
  })
})
