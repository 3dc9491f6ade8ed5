/** The worker is killed again and again while a month is played; everything happens once. */
import { checkInvariants } from '../../db/invariants.ts'
import { newestClosable, periodStart } from '../../domain/period.ts'
import { onboardPartner, payPlatformFee } from '../../scripts/story/partners.ts'
import { refund, sell } from '../../scripts/story/sales.ts'
import { reviewEnds, settle } from '../../scripts/story/settlement.ts'
import { ensureSchedules } from '../../worker/schedules.ts'
import { mortalWorker } from '../support/mortal-worker.ts'
import { type Product, startProduct } from '../support/product.ts'

const period = newestClosable(new Date())
/** Each life is longer than the one before: a slow machine gets on, too. */
const lifeMs = (life: number) => 2_000 + 500 * life

interface Found {
  id: string
  status?: string
  amount?: number
  metadata: Record<string, string>
}

let product: Product
beforeAll(async () => {
  product = await startProduct()
  await ensureSchedules(product.temporal)
})
afterAll(() => product.stop())

describe('a month with a worker that dies every few seconds', () => {
  it('has one of each: envelope, account, tenant, subscription, accrual, statement, transfer', async () => {
    const { story, owner, second, temporal, db } = product
    const worker = mortalWorker(product, lifeMs)
    try {
      const by = {
        approver: owner,
        reason: 'known',
        effectiveFrom: periodStart(period).toISOString(),
      }
      const master = await onboardPartner(
        story,
        { name: 'First', level: 'master_reseller', type: 'distributor', email: 'a@first.example' },
        by,
      )
      worker.kill()
      const reseller = await onboardPartner(
        story,
        {
          name: 'Second',
          level: 'reseller',
          type: 'franchise',
          email: 'b@second.example',
          parent: master.partner,
        },
        { ...by, approver: master.key },
      )
      worker.kill()
      await payPlatformFee(story, reseller.partner)
      const sale = {
        customer: 'Customer',
        email: 'c@customer.example',
        package: 'Package',
        amount: 60_000,
        paidAt: `${period}-07T08:00:00.000Z`,
      }
      const sold = await sell(story, sale, { owner, seller: reseller.key })
      worker.kill()
      await refund(story, { ...sold, refund: 5_000 }, reseller.key)
      worker.kill()
      await settle(story, temporal, { period, owners: { first: owner, second } })
      await reviewEnds(temporal, period)
    } finally {
      await worker.stop()
    }
    expect(worker.deaths()).toBeGreaterThanOrEqual(4)

    const list = async (kind: string) => (await story.sandbox<{ data: Found[] }>(`/${kind}`)).data
    expect(await list('envelopes')).toHaveLength(2)
    expect(await list('accounts')).toHaveLength(2)
    const subscriptions = await list('subscriptions')
    expect(subscriptions.map(({ metadata }) => metadata.kind).sort()).toEqual([
      'customer',
      'platform',
      'platform',
    ])
    const transfers = await list('transfers')
    expect(transfers.map(({ amount }) => amount).sort()).toEqual([11_000, 2_750])
    const count = async (table: 'partners' | 'tenants' | 'accruals' | 'clawbacks' | 'statements') =>
      (await db.selectFrom(table).select('id').execute()).length
    expect(await count('partners')).toBe(2)
    expect(await count('tenants')).toBe(2)
    expect(await count('accruals')).toBe(2)
    expect(await count('clawbacks')).toBe(2)
    expect(await count('statements')).toBe(2)
    expect((await checkInvariants(db)).violations).toEqual([])
  })
})
