/** The programme of `dev`, `demo` and tests, and the people of its platform owner. */
import { randomUUIDv7 } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { generateKey, hashKey } from '../../api/keys.ts'
import { scopes } from '../../api/policies.ts'
import { findPrincipal, recordApiKey, recordMember } from '../../db/access.ts'
import { type Db, inTransaction } from '../../db/database.ts'
import { type NewProgramme, recordProgramme } from '../../db/programmes.ts'

const day = 86_400

/** 20 % for the seller, 5 % for the partner above it; nothing is held, 5.00 USD is paid out. */
export const demoProgramme: NewProgramme = {
  code: 'default',
  name: 'Tributary Demo',
  currency: 'USD',
  holdDays: 0,
  minimumPayoutMinor: 500n,
  platformFeeMinor: 4_900n,
  tierWindowMonths: 12,
  deadlines: { undo: 0 },
  tiers: [
    { tier: 'bronze', threshold: 0n },
    { tier: 'silver', threshold: 50_000n },
    { tier: 'gold', threshold: 500_000n },
    { tier: 'platinum', threshold: 2_500_000n },
  ],
  rules: [
    { depth: 0, rateNum: 2_000n, rateDen: 10_000n },
    { depth: 1, rateNum: 500n, rateDen: 10_000n },
  ],
}

const keysSchema = z.strictObject({
  super_admin: z.string().nullable(),
  super_admin_2: z.string().nullable(),
  master_reseller: z.string().nullable(),
  reseller: z.string().nullable(),
})

/** Ready keys by role; null until there is one. */
export type StackKeys = z.infer<typeof keysSchema>

const noKeys: StackKeys = {
  super_admin: null,
  super_admin_2: null,
  master_reseller: null,
  reseller: null,
}

const fileOf = (directory: string) => join(directory, 'keys.json')

export function readKeys(directory: string): StackKeys {
  const file = fileOf(directory)
  return existsSync(file) ? keysSchema.parse(JSON.parse(readFileSync(file, 'utf8'))) : noKeys
}

export function writeKeys(directory: string, keys: StackKeys): void {
  writeFileSync(fileOf(directory), JSON.stringify(keys, null, 2), { mode: 0o600 })
}

/** Whether the database knows this key. */
async function works(db: Db, key: string | null): Promise<boolean> {
  return key !== null && (await findPrincipal(db, hashKey(key))) !== undefined
}

/** A key for a person of the platform owner; the person is made when it is not there. */
export async function createAdminKey(
  db: Db,
  admin: { name: string; email: string; mode: 'test' | 'live' },
): Promise<string> {
  const { secret, ...stored } = generateKey(admin.mode)
  await inTransaction(db, async (trx) => {
    const memberId = await recordMember(trx, {
      id: randomUUIDv7(),
      partnerId: null,
      name: admin.name,
      email: admin.email,
    })
    await recordApiKey(trx, {
      ...stored,
      id: randomUUIDv7(),
      memberId,
      label: 'set up by command line',
      scopes: [...scopes],
      expiresAt: new Date(Date.now() + 365 * day * 1000),
    })
  })
  return secret
}

/**
 * Sets up the programme and two people of the platform owner, and forgets keys of partners that
 * this database does not know.
 * @param changes what a new programme has otherwise than that of the demo.
 */
export async function seedPlatform(
  db: Db,
  directory: string,
  changes: Partial<NewProgramme> = {},
): Promise<StackKeys> {
  await inTransaction(db, (trx) => recordProgramme(trx, { ...demoProgramme, ...changes }))
  const keys = readKeys(directory)
  const admin = async (key: string | null, who: string) =>
    (await works(db, key))
      ? key
      : createAdminKey(db, {
          name: `${who} administrator`,
          email: `${who}-admin@tributary.localhost`,
          mode: 'test',
        })
  const seeded: StackKeys = {
    super_admin: await admin(keys.super_admin, 'first'),
    super_admin_2: await admin(keys.super_admin_2, 'second'),
    master_reseller: (await works(db, keys.master_reseller)) ? keys.master_reseller : null,
    reseller: (await works(db, keys.reseller)) ? keys.reseller : null,
  }
  writeKeys(directory, seeded)
  return seeded
}
