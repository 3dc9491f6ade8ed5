import type { ActivityDeps } from '../../activities/deps.ts'
import { openBooks } from '../support/books.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme } from '../support/factories.ts'
import { asSteps } from '../support/steps.ts'

let database: TestDatabase
beforeEach(async () => {
  database = await createTestDatabase()
  await makeProgramme(database.db)
})
afterEach(() => database.drop())

const period = '2026-10'

/** The steps of the review with a mailer that keeps what it is given, or refuses some of it. */
function stage(refuses: (to: string) => boolean = () => false) {
  const sent: string[] = []
  const mailer = {
    send: async ({ to }: { to: string }) => {
      if (refuses(to)) throw new Error('the mailbox is away')
      sent.push(to)
    },
  }
  return { sent, steps: asSteps({ db: database.db, mailer } as unknown as ActivityDeps) }
}

/** Partners whose customers paid this much. */
async function sellers(...revenues: bigint[]): Promise<string[]> {
  const made: string[] = []
  for (const net of revenues) {
    const id = await makePartner(database.db)
    if (net > 0n) {
      await openBooks(database.db).sell(id, { net, paidAt: '2026-10-05T00:00:00Z' })
    }
    made.push(id)
  }
  return made
}

const tiersOf = async (partnerIds: string[]) => {
  const { rows } = await database.db
    .selectFrom('partnerTiers')
    .select(['partnerId', 'tier'])
    .where('partnerId', 'in', partnerIds)
    .orderBy('decidedAt')
    .execute()
    .then((all) => ({ rows: new Map(all.map(({ partnerId, tier }) => [partnerId, tier])) }))
  return partnerIds.map((id) => rows.get(id))
}

describe('a step of the review', () => {
  it('moves everybody up whose revenue reached a threshold, and says how many', async () => {
    const ids = await sellers(0n, 50_000n, 500_000n, 49_999n)
    const { steps } = stage()
    expect(await steps.reviewTierPage({ period, after: null })).toEqual({
      last: null,
      promoted: 2,
    })
    expect(await tiersOf(ids)).toEqual(['bronze', 'silver', 'gold', 'bronze'])
  })

  it('that is repeated changes nothing and says the same', async () => {
    const ids = await sellers(50_000n, 0n)
    const { steps } = stage()
    const first = await steps.reviewTierPage({ period, after: null })
    expect(await steps.reviewTierPage({ period, after: null })).toEqual(first)
    expect(await tiersOf(ids)).toEqual(['silver', 'bronze'])
  })

  it('tells each partner of its range once, also when some mails fail at first', async () => {
    const [first = '', second = '', third = ''] = await sellers(50_000n, 60_000n, 70_000n)
    const mailbox = (id: string) => `${id}@partner.example`
    await stage().steps.reviewTierPage({ period, after: null })
    const failing = stage((to) => to === mailbox(first))
    const range = { period, after: null, until: second }
    await expect(failing.steps.mailTierChanges(range)).rejects.toThrow()
    expect(failing.sent).toEqual([mailbox(second)])
    const again = stage()
    await again.steps.mailTierChanges(range)
    expect(again.sent).toEqual([mailbox(first)])
    await again.steps.mailTierChanges({ period, after: second, until: null })
    await again.steps.mailTierChanges({ period, after: second, until: null })
    expect(again.sent).toEqual([mailbox(first), mailbox(third)])
  })
})
