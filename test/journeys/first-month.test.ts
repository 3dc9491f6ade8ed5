/** A partner's life and a month's money, through the API and the vendors' webhooks only. */
import { checkInvariants } from '../../db/invariants.ts'
import { newestClosable, periodStart } from '../../domain/period.ts'
import { scheduleIds } from '../../domain/process-names.ts'
import { eventually } from '../../scripts/story/client.ts'
import { onboardPartner, payPlatformFee } from '../../scripts/story/partners.ts'
import { refund, sell } from '../../scripts/story/sales.ts'
import { reviewEnds, settle } from '../../scripts/story/settlement.ts'
import { ensureSchedules } from '../../worker/schedules.ts'
import { balances, brokenAfter } from '../support/clearing.ts'
import { type Product, startProduct } from '../support/product.ts'

const period = newestClosable(new Date())
const effectiveFrom = periodStart(period).toISOString()

let product: Product
beforeAll(async () => {
  product = await startProduct()
  await product.startWorker()
  await ensureSchedules(product.temporal)
})
afterAll(() => product.stop())

describe('the first month of two partners', () => {
  it('brings them in, sells, takes back, settles, pays and raises a tier, to the cent', async () => {
    const { story, owner, second, temporal, db } = product
    const master = await onboardPartner(
      story,
      {
        name: 'Łódź Holding',
        level: 'master_reseller',
        type: 'distributor',
        email: 'owner@lodz.example',
      },
      { approver: owner, reason: 'known', effectiveFrom },
    )
    await payPlatformFee(story, master.partner)
    const reseller = await onboardPartner(
      story,
      {
        name: 'Ωmega Web',
        level: 'reseller',
        type: 'franchise',
        email: 'owner@omega.example',
        parent: master.partner,
      },
      { approver: master.key, reason: 'recommended', effectiveFrom },
    )
    const sale = {
      customer: 'Café Grün',
      email: 'pay@cafe.example',
      package: 'Year',
      amount: 123_457,
      paidAt: `${period}-07T08:00:00.000Z`,
    }
    const sold = await sell(story, sale, { owner, seller: reseller.key })
    await refund(story, { ...sold, refund: 23_456 }, reseller.key)
    const { run, refused } = await settle(story, temporal, {
      period,
      owners: { first: owner, second },
    })
    expect(run.stage).toBe('closed')
    expect(refused.map(({ code }) => code)).toEqual(['not_reviewed', 'second_person_required'])

    // 20 % of 1,234.57 is 246.914; 5 % is 61.7285. One unit goes to the larger remainder, .85.
    const statements = await story.all<Record<string, unknown>>('/v1/statements', owner)
    const of = (partner: string) => statements.find((statement) => statement.partner === partner)
    expect(of(reseller.partner)).toMatchObject({
      earned: 24_691,
      clawed_back: 4_691,
      closing: 20_000,
      payable: 20_000,
      carried: 0,
    })
    expect(of(master.partner)).toMatchObject({
      earned: 6_173,
      clawed_back: 1_172,
      closing: 5_001,
      payable: 5_001,
    })
    const { data: transfers } = await story.sandbox<{ data: { amount: number }[] }>('/transfers')
    expect(transfers.map(({ amount }) => amount).sort()).toEqual([20_000, 5_001])
    await reviewEnds(temporal, period)
    const tiers = await story.all<{ partner: string; to: string }>('/v1/tiers/changes', owner)
    expect(tiers).toMatchObject([{ partner: reseller.partner, to: 'silver' }])
    expect((await checkInvariants(db)).violations).toEqual([])
    // All that was paid and went back is settled by what Stripe told of its balance.
    await temporal.schedule.getHandle(scheduleIds.sweeper).trigger()
    await eventually('nothing is left in clearing', async () =>
      'stripe_clearing USD' in (await balances(db)) ? undefined : true,
    )
    expect(await brokenAfter(db, 30)).toEqual([])
    await eventually('the mail of the payout', async () => {
      const { data } = await story.sandbox<{ data: { kind: string }[] }>('/mails')
      return data.filter(({ kind }) => kind === 'payout_sent').length === 2 ? true : undefined
    })
  })
})
