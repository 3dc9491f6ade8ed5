/** Every step of a close loses its worker twice, answers are lost, and everybody is paid once. */
import { checkInvariants } from '../../db/invariants.ts'
import {
  closeMonth,
  differencesBetween,
  hashOf,
  monthOf,
  type PartnerMonth,
  plantMonth,
} from '../../scripts/chaos/settlement-month.ts'
import { endSomeSessions } from '../../scripts/launch/databases.ts'
import { deaths } from '../support/deaths.ts'
import { type Product, startProduct } from '../support/product.ts'

const partners = 50

interface Disturbance {
  around: Parameters<Product['startWorker']>[0]
  while: (product: Product) => Promise<() => void>
}

async function settled(disturbance?: Disturbance) {
  const product = await startProduct({ programme: { rules: [] } })
  try {
    const { db, story, config, owner, second } = product
    await plantMonth({ db, story, stripe: config.stripe }, partners)
    await product.startWorker(disturbance?.around)
    const calm = await disturbance?.while(product)
    await closeMonth(story, { first: owner, second }).finally(calm)
    const { violations } = await checkInvariants(db)
    const { data } = await story.sandbox<{ data: { kind: string; fired: number }[] }>('/faults')
    return { month: await monthOf(story, owner), violations, faults: data }
  } finally {
    await product.stop()
  }
}

const stepsOfAClose = [
  ...['enterStage', 'timeToCutoff', 'collectMissedEvents', 'countUnbookedEvents'],
  ...['mirrorPeriodBalance', 'freezePeriod', 'planShards', 'draftPages', 'totalStatements'],
  ...['recordReview', 'recordRelease', 'issueStatements', 'releaseHeldPayouts', 'payPage'],
  ...['mailPayouts', 'reconcilePage', 'closePeriod'],
]

/** A few times sessions end under those who work on them. */
async function troubled({ databaseUrl, story }: Product): Promise<() => void> {
  const lost = { vendor: 'stripe', kind: 'timeout_after_commit', path: '/v1/transfers' }
  await story.sandbox('/faults', { ...lost, rate: 0.03 })
  // One at least, whatever chance says.
  await story.sandbox('/faults', { ...lost, rate: 1, count: 1 })
  const timers = [2_000, 5_000, 8_000].map((ms) =>
    setTimeout(() => void endSomeSessions(databaseUrl, { share: 0.3 }), ms),
  )
  return () => timers.forEach(clearTimeout)
}

describe('a month whose close is disturbed all the time', () => {
  const dying = deaths()
  let calm: Map<string, PartnerMonth>
  let disturbed: Awaited<ReturnType<typeof settled>>
  beforeAll(async () => {
    calm = (await settled()).month
    disturbed = await settled({ around: dying, while: troubled })
  })

  it('has lost each step before its work and after it, and answers of the processor', () => {
    const survived = stepsOfAClose.filter((step) => {
      const count = dying.counts.get(step)
      return !count || count.before === 0 || count.after === 0
    })
    expect(survived).toEqual([])
    expect(disturbed.faults.some(({ fired }) => fired > 0)).toBe(true)
  })

  it('gives every partner the statements of an undisturbed close, and one transfer', () => {
    expect(differencesBetween(calm, disturbed.month)).toEqual([])
    expect(hashOf(disturbed.month)).toBe(hashOf(calm))
    const paid = [...calm.values()].filter(({ transfers }) => transfers.length === 1)
    expect(paid).toHaveLength(partners - Math.floor(partners / 50))
  })

  it('leaves books in which no invariant is broken', () => {
    expect(disturbed.violations).toEqual([])
  })
})
