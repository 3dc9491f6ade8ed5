import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { type Bucket, removeFullBuckets, takeFromBucket, takeFromBuckets } from '../../db/limits.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase(20)
})
afterAll(() => database.drop())

const bucketOf = (quota: number, windowSeconds = 60): Bucket => ({
  name: randomUUID(),
  quota,
  windowSeconds,
})

const take = (...buckets: Bucket[]) => takeFromBuckets(database.db, buckets)

/** As if so much time had gone by for this bucket. */
const wait = (bucket: Bucket, seconds: number) =>
  sql`update rate_limits set full_until = full_until - make_interval(secs => ${seconds})
    where bucket = ${bucket.name}`.execute(database.db)

const inParallel = <T>(times: number, work: (n: number) => Promise<T>) =>
  Promise.all(Array.from({ length: times }, (_, n) => work(n)))

describe('a bucket', () => {
  it.each([1, 3, 7, 100])('gives exactly %i, however many come at once', async (quota) => {
    const bucket = bucketOf(quota, 3_600)
    const takings = await inParallel(quota + 40, () => take(bucket))
    expect(takings.filter(({ taken }) => taken)).toHaveLength(quota)
  })

  it('says after each taking what is left and when there is more', async () => {
    const hour = 3_600
    const bucket = bucketOf(3, 60 * hour)
    const seen = []
    for (let n = 0; n < 4; n++) {
      const [{ resetSeconds = 0, ...told } = {}] = (await take(bucket)).buckets
      seen.push({ ...told, resetHours: Math.ceil(resetSeconds / hour) })
    }
    expect(seen).toEqual([
      { ...bucket, remaining: 2, resetHours: 20, refused: false },
      { ...bucket, remaining: 1, resetHours: 40, refused: false },
      // None is left: what is told is when there is one again.
      { ...bucket, remaining: 0, resetHours: 20, refused: false },
      { ...bucket, remaining: 0, resetHours: 20, refused: true },
    ])
  })

  it('gets its units back one by one, and never more than it holds', async () => {
    const bucket = bucketOf(3, 60)
    const drain = async () => {
      let taken = 0
      while ((await take(bucket)).taken) taken += 1
      return taken
    }
    expect(await drain()).toBe(3)
    await wait(bucket, 41)
    expect(await drain()).toBe(2)
    await wait(bucket, 10_000)
    expect(await drain()).toBe(3)
  })

  it('is not used up by those who are refused', async () => {
    const bucket = bucketOf(2, 60)
    await inParallel(50, () => take(bucket))
    await wait(bucket, 30)
    expect((await take(bucket)).taken).toBe(true)
  })
})

describe('several buckets', () => {
  it('are all taken from, or none is', async () => {
    const [wide, narrow] = [bucketOf(10, 3_600), bucketOf(4, 3_600)]
    const takings = await inParallel(30, () => take(wide, narrow))
    expect(takings.filter(({ taken }) => taken)).toHaveLength(4)
    const { buckets } = await take(wide, narrow)
    expect(buckets.map(({ refused, remaining }) => [refused, remaining])).toEqual([
      [false, 6],
      [true, 0],
    ])
    // What was not taken is still there for others.
    const rest = await inParallel(10, () => take(wide))
    expect(rest.filter(({ taken }) => taken)).toHaveLength(6)
  })

  it('come back in the order in which they were asked for, whatever their names', async () => {
    const buckets = Array.from({ length: 5 }, (_, n) => bucketOf(n + 1, 3_600))
    const taking = await take(...buckets)
    expect(taking.buckets.map(({ name }) => name)).toEqual(buckets.map(({ name }) => name))
    expect(taking.buckets.map(({ remaining }) => remaining)).toEqual([0, 1, 2, 3, 4])
  })

  it('never wait for each other in a circle', async () => {
    const shared = Array.from({ length: 4 }, () => bucketOf(5_000, 5_000 * 3_600))
    const orders = [shared, shared.toReversed(), [...shared.slice(2), ...shared.slice(0, 2)]]
    const takings = await inParallel(600, (n) => take(...(orders[n % 3] ?? [])))
    expect(takings.every(({ taken }) => taken)).toBe(true)
    const { buckets } = await take(...shared)
    expect(buckets.map(({ remaining }) => remaining)).toEqual([4_399, 4_399, 4_399, 4_399])
  })
})

describe('a limit per minute', () => {
  it('tells the seconds to wait when it is reached', async () => {
    const bucket = { name: randomUUID(), perMinute: 2 }
    for (let n = 0; n < 2; n++) expect(await takeFromBucket(database.db, bucket)).toBeNull()
    const wait = await takeFromBucket(database.db, bucket)
    expect(wait).toBeGreaterThan(0)
    expect(wait).toBeLessThanOrEqual(30)
    const other = { ...bucket, name: randomUUID() }
    expect(await takeFromBucket(database.db, other)).toBeNull()
  })
})

describe('buckets that are full again', () => {
  it('are forgotten, and no other is', async () => {
    await sql`truncate rate_limits`.execute(database.db)
    const [full, used] = [bucketOf(2, 60), bucketOf(2, 60)]
    for (const bucket of [full, used]) await take(bucket)
    await wait(full, 60)
    expect(await removeFullBuckets(database.db, 100)).toBe(1)
    expect(await removeFullBuckets(database.db, 100)).toBe(0)
    expect((await take(used)).buckets[0]?.remaining).toBe(0)
    expect((await take(full)).buckets[0]?.remaining).toBe(1)
  })

  it('are forgotten while others are taken from, without waiting and without a unit too many', async () => {
    const buckets = Array.from({ length: 20 }, () => bucketOf(5, 3_600))
    let taken = 0
    await Promise.all([
      ...buckets.map((bucket) =>
        inParallel(20, async () => {
          if ((await take(bucket)).taken) taken += 1
        }),
      ),
      inParallel(20, () => removeFullBuckets(database.db, 1_000)),
    ])
    expect(taken).toBe(100)
  })
})
