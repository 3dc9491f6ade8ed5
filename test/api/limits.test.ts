import { randomUUID } from 'node:crypto'
import { problemOf } from '../../api/errors.ts'
import { callerLimits, type Limit, limitHeaders, takeQuota } from '../../api/rate-limits.ts'
import { openDatabase } from '../../db/database.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

const warnings: object[] = []
const log = { warn: (facts: object) => void warnings.push(facts) }

const limit = (policy: string, quota: number): Limit => ({
  policy,
  name: randomUUID(),
  quota,
  windowSeconds: 60,
})

/** One request after the other: its fields, and the problem where it was refused. */
async function ask(limits: Limit[], options: Partial<{ db: TestDatabase['db']; when: 'closed' }>) {
  let headers: Record<string, string> = {}
  const request = {
    limits,
    whenAway: options.when ?? ('open' as const),
    setHeaders: (given: Record<string, string>) => {
      headers = given
    },
  }
  try {
    await takeQuota({ db: options.db ?? database.db, log }, request)
    return { headers, problem: undefined }
  } catch (error) {
    return { headers, problem: problemOf(error, randomUUID(), 'https://api.example/docs/errors') }
  }
}

describe('the RateLimit fields', () => {
  it('name each limit by its policy, with what is left and when there is more', async () => {
    const { headers } = await ask([limit('key', 100), limit('tenant', 1_000)], {})
    expect(headers).toEqual({
      'RateLimit-Policy': '"key";q=100;w=60, "tenant";q=1000;w=60',
      RateLimit: '"key";r=99;t=1, "tenant";r=999;t=1',
    })
  })

  it('are whole numbers whatever the limit', () => {
    const state = { ...limit('key', 7), remaining: 3, resetSeconds: 35, refused: false }
    expect(limitHeaders([state])).toEqual({
      'RateLimit-Policy': '"key";q=7;w=60',
      RateLimit: '"key";r=3;t=35',
    })
  })
})

describe('a request beyond a limit', () => {
  it('is refused as the standard has it, and comes back not before it is worth it', async () => {
    const limits = [limit('key', 2), limit('tenant', 1_000)]
    for (let n = 0; n < 2; n++) expect((await ask(limits, {})).problem).toBeUndefined()
    const { headers, problem } = await ask(limits, {})
    expect(headers.RateLimit).toBe('"key";r=0;t=30, "tenant";r=998;t=1')
    expect(problem?.headers['Retry-After']).toBe('30')
    expect(problem?.document).toMatchObject({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      status: 429,
      code: 'too_many_requests',
      'violated-policies': ['key'],
    })
  })

  it('names every limit that it met', async () => {
    const limits = [limit('key', 1), limit('tenant', 1), limit('package', 5)]
    await ask(limits, {})
    const { problem } = await ask(limits, {})
    expect(problem?.document['violated-policies']).toEqual(['key', 'tenant'])
    expect(problem?.headers['Retry-After']).toBe('60')
  })
})

describe('while the limiter is away', () => {
  const gone = openDatabase({
    url: 'postgres://nobody@127.0.0.1:9/nothing',
    poolSize: 2,
    applicationName: 'gone',
    onError: () => {},
  })
  afterAll(() => gone.close())

  it('what only reads goes on, without the fields, and it is in the log', async () => {
    const before = warnings.length
    expect(await ask([limit('key', 1)], { db: gone.db })).toEqual({
      headers: {},
      problem: undefined,
    })
    expect(warnings).toHaveLength(before + 1)
  })

  it('nobody may guess', async () => {
    const { problem } = await ask([limit('account', 5)], { db: gone.db, when: 'closed' })
    expect(problem?.headers['Retry-After']).toBe('5')
    expect(problem?.document).toMatchObject({
      type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity',
      status: 503,
      code: 'temporarily_unavailable',
    })
  })

  it('nobody waits for one that hangs', async () => {
    const blocked = limit('key', 1)
    await database.db.transaction().execute(async (trx) => {
      // Whoever takes within a transaction keeps the others waiting.
      await takeQuota(
        { db: trx, log },
        { limits: [blocked], whenAway: 'open', setHeaders: () => {} },
      )
      // Nothing lets go of it before there is an answer.
      expect((await ask([blocked], {})).problem).toBeUndefined()
    })
  })
})

describe('the buckets', () => {
  const quotas = {
    key: { quota: 100, windowSeconds: 60 },
    tenant: { quota: 1_000, windowSeconds: 60 },
  }

  it('of two keys of one organisation are two, and one', () => {
    const partnerId = randomUUID()
    const [one, two] = ['a', 'b'].map((keyId) =>
      callerLimits({ keyId, tenantId: partnerId }, quotas),
    )
    expect(one?.map(({ policy }) => policy)).toEqual(['key', 'tenant'])
    expect(one?.[0]?.name).not.toBe(two?.[0]?.name)
    expect(one?.[1]).toEqual(two?.[1])
  })

  it('hold a tenant to its package where that says something', () => {
    const caller = { keyId: 'a', tenantId: 'platform' }
    const limits = callerLimits(caller, { ...quotas, package: { quota: 5, windowSeconds: 1 } })
    expect(limits.map(({ policy, quota }) => [policy, quota])).toEqual([
      ['key', 100],
      ['tenant', 1_000],
      ['package', 5],
    ])
  })
})
