/** What every request costs before it is served: its limits and its key. */
import { randomUUIDv7 } from 'node:crypto'
import { generateKey, hashKey, isWellFormedKey } from '../api/keys.ts'
import { findPrincipal, recordApiKey, recordMember } from '../db/access.ts'
import type { Db } from '../db/database.ts'
import { type Bucket, takeFromBuckets } from '../db/limits.ts'
import type { Tenancy, TenantContext } from '../db/tenancy.ts'
import { median } from './rounds.ts'

export interface DoorFigures {
  /** Decisions about requests of one key, by all clients. */
  hotPerSecond: number[]
  /** Decisions about requests of many keys of many tenants. */
  spreadPerSecond: number[]
  /** From the text of a key to its member, in microseconds. */
  keyCheckUs: number[]
  /** A key with a wrong check digit, which needs no query. */
  refusedKeyUs: number[]
}

/** Requests that are decided at once. */
export const clients = 8
const rounds = 5
const decisions = 4_000
const checks = 400
const formChecks = 4_000
const tenants = 200

const door: TenantContext = {
  level: 'sign_in',
  partnerId: null,
  customerId: null,
  actor: 'ip 127.0.0.1',
  address: '127.0.0.1',
  onBehalfOf: null,
  requestId: null,
  action: 'GET /v1/customers',
}

/** A key of a new member of the partner. */
export async function makeKey(owner: Db, partnerId: string | null): Promise<string> {
  const { secret, ...stored } = generateKey('test')
  await owner.transaction().execute(async (trx) => {
    const email = 'member@partner.example'
    const member = { id: randomUUIDv7(), partnerId, name: 'Member', email }
    await recordApiKey(trx, {
      ...stored,
      id: randomUUIDv7(),
      memberId: await recordMember(trx, member),
      label: 'bench',
      scopes: ['customers:read'],
      allowedIps: ['127.0.0.0/8'],
      expiresAt: new Date('2100-01-01T00:00:00Z'),
    })
  })
  return secret
}

export async function playDoor({ tenancy, key }: { tenancy: Tenancy; key: string }) {
  const db = tenancy.dbFor(door)
  const figures: DoorFigures = {
    hotPerSecond: [],
    spreadPerSecond: [],
    keyCheckUs: [],
    refusedKeyUs: [],
  }
  const wrong = `${key.slice(0, -1)}${key.endsWith('0') ? '1' : '0'}`
  for (let round = 0; round < rounds; round += 1) {
    figures.hotPerSecond.push(await perSecond(() => takeFromBuckets(db, bucketsOf(0))))
    figures.spreadPerSecond.push(await perSecond((n) => takeFromBuckets(db, bucketsOf(n))))
    figures.keyCheckUs.push(await microseconds(checks, () => checkKey(db, key)))
    figures.refusedKeyUs.push(
      await microseconds(formChecks, async () => {
        if (isWellFormedKey(wrong, 'test')) throw new Error('a wrong check digit was not found')
      }),
    )
  }
  return figures
}

/** The buckets of one request: of its key, of its tenant and of what the package allows. */
function bucketsOf(n: number): Bucket[] {
  const plenty = { quota: 1_000_000_000, windowSeconds: 60 }
  const tenant = n % tenants
  return [
    { name: `key:${tenant}-${n % 3}`, ...plenty },
    { name: `tenant:${tenant}`, ...plenty },
    { name: `package:${tenant}`, ...plenty },
  ]
}

async function checkKey(db: Db, key: string): Promise<void> {
  const found = isWellFormedKey(key, 'test') && (await findPrincipal(db, hashKey(key)))
  if (!found) throw new Error('the key was not found')
}

async function perSecond(decide: (n: number) => Promise<{ taken: boolean }>): Promise<number> {
  let next = 0
  const start = performance.now()
  const client = async () => {
    while (next < decisions) {
      const { taken } = await decide(next++)
      if (!taken) throw new Error('a limit that nobody reaches was reached')
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  return (decisions / (performance.now() - start)) * 1_000
}

async function microseconds(count: number, work: () => Promise<void>): Promise<number> {
  const taken: number[] = []
  for (let n = 0; n < count; n += 1) {
    const start = performance.now()
    await work()
    taken.push((performance.now() - start) * 1_000)
  }
  return median(taken)
}
