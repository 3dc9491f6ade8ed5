import { stripeEvents } from '../../integrations/stripe-events.ts'
import { type Kit, startKit, subscribe } from '../sandbox/kit.ts'
import { stripeFor, vendorErrorOf } from './kit.ts'

let kit: Kit
let events: ReturnType<typeof stripeEvents>
beforeAll(async () => {
  kit = await startKit()
  events = stripeEvents(stripeFor(kit.sandbox))
})
afterAll(() => kit.stop())

const at = (minute: number) => new Date(Date.UTC(2030, 0, 1, 12, minute))
const setClock = (minute: number) => kit.post('/clock', { now: at(minute).toISOString() })

async function paidCharge(): Promise<string> {
  const { invoice } = await subscribe(kit.stripe)
  await kit.post(`/invoices/${invoice.id}/pay`)
  const { data } = await kit.stripe.charges.list({ limit: 1 })
  return String(data[0]?.id)
}

/** All pages of a range, one behind the other. */
async function pagesOf(range: { from: Date; until: Date }) {
  const pages = []
  let after: string | null = null
  do {
    const page: Awaited<ReturnType<typeof events.listMoneyEvents>> = await events.listMoneyEvents({
      ...range,
      after,
    })
    pages.push(page.events)
    after = page.next
  } while (after)
  return pages
}

describe('the money events of a range', () => {
  test('come page by page, more than a hundred of them, and none of outside the range', async () => {
    await setClock(0)
    const charge = await paidCharge()
    await setClock(10)
    const refunds: string[] = []
    for (let n = 0; n < 60; n++) {
      refunds.push((await kit.stripe.refunds.create({ charge, amount: 1 })).id)
    }
    await setClock(20)
    await paidCharge()
    const pages = await pagesOf({ from: at(5), until: at(15) })
    expect(pages.map((page) => page.length)).toEqual([100, 20])
    const found = pages.flat()
    expect(new Set(found.map(({ eventId }) => eventId)).size).toBe(120)
    expect(new Set(found.map(({ type }) => type))).toEqual(
      new Set(['refund.created', 'refund.updated']),
    )
    expect(new Set(found.map(({ objectId }) => objectId))).toEqual(new Set(refunds))
    const outside = found.filter(({ occurredAt }) => occurredAt < at(5) || occurredAt >= at(15))
    expect(outside).toEqual([])
  })

  test('are told newest first, each with type, object and time', async () => {
    await setClock(30)
    const charge = await paidCharge()
    await setClock(31)
    const { body } = await kit.post(`/charges/${charge}/dispute`)
    await kit.post(`/disputes/${body.id}/close`, { outcome: 'lost' })
    const [page = []] = await pagesOf({ from: at(30), until: at(40) })
    expect(page.map(({ type }) => type)).toEqual([
      'charge.dispute.closed',
      'charge.dispute.created',
      'invoice.paid',
    ])
    expect(page[0]).toEqual({
      eventId: expect.stringMatching(/^evt_/),
      type: 'charge.dispute.closed',
      objectId: body.id,
      occurredAt: expect.any(Date),
    })
    const age = (page[0]?.occurredAt.getTime() ?? 0) - at(31).getTime()
    expect(age).toBeGreaterThanOrEqual(-1_000)
    expect(age).toBeLessThan(600_000)
  })

  test('include the first second of the range and not the first one behind it', async () => {
    await setClock(50)
    const charge = await paidCharge()
    const made = await kit.stripe.refunds.create({ charge, amount: 1 })
    const second = new Date(made.created * 1_000)
    const next = new Date(second.getTime() + 1_000)
    const ofRefund = async (from: Date, until: Date) =>
      (await pagesOf({ from, until })).flat().filter(({ objectId }) => objectId === made.id)
    expect(await ofRefund(second, next)).toHaveLength(2)
    expect(await ofRefund(next, at(59))).toEqual([])
    expect(await ofRefund(at(49), second)).toEqual([])
  })

  test('are an error, not an empty page, where the vendor does not answer', async () => {
    await kit.post('/faults', { vendor: 'stripe', kind: 'error_500', path: '/v1/events' })
    const range = { from: at(0), until: at(59), after: null }
    expect((await vendorErrorOf(events.listMoneyEvents(range))).failure).toBe('unknown')
  })
})
