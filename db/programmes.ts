/** The programme: what the platform owner set as policy. */
import { sql } from 'kysely'
import type { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import type { TierName, TierThreshold } from '../domain/tiers.ts'
import { insertRules } from './commission/rules.ts'
import type { Db, Trx } from './database.ts'
import { deadlinesSchema, onboardingSettingsSchema, quotasSchema } from './programme-settings.ts'

export type Programme = Awaited<ReturnType<typeof getProgramme>>

/** The one programme of this installation. @throws DomainError `not_ready` before it is set up. */
export async function getProgramme(db: Db) {
  const row = await db
    .selectFrom('programmes')
    .selectAll()
    .orderBy('createdAt')
    .limit(1)
    .executeTakeFirst()
  if (!row) throw new DomainError('not_ready', 'no programme has been set up yet')
  return {
    ...row,
    deadlines: deadlinesSchema.parse(row.deadlines),
    onboarding: onboardingSettingsSchema.parse(row.onboarding),
    quotas: quotasSchema.parse(row.quotas),
  }
}

/** The programme, held while its settings are changed. */
export async function lockProgramme(trx: Trx): Promise<Programme> {
  await trx.selectFrom('programmes').select('id').forUpdate().execute()
  return getProgramme(trx)
}

/** Writes settings that were found free of contradictions. */
export async function markProgramme(
  trx: Trx,
  id: string,
  change: Pick<Programme, 'name' | 'holdDays' | 'minimumPayoutMinor' | 'tierWindowMonths'> & {
    deadlines: z.output<typeof deadlinesSchema>
    onboarding: z.output<typeof onboardingSettingsSchema>
  },
): Promise<void> {
  const { deadlines, onboarding, ...columns } = change
  await trx
    .updateTable('programmes')
    .set({
      ...columns,
      deadlines: JSON.stringify(deadlines),
      onboarding: JSON.stringify(onboarding),
    })
    .where('id', '=', id)
    .execute()
}

export async function listTierThresholds(db: Db, programmeId: string): Promise<TierThreshold[]> {
  const rows = await db
    .selectFrom('tiers')
    .select(['tier', 'thresholdMinor'])
    .where('programmeId', '=', programmeId)
    .orderBy('thresholdMinor')
    .execute()
  return rows.map(({ tier, thresholdMinor }) => ({ tier, threshold: thresholdMinor }))
}

/** Remembers the price at the vendor under which the platform's monthly fee is sold. */
export async function markFeePriced(
  db: Db,
  programmeId: string,
  vendor: { productId: string; priceId: string },
): Promise<void> {
  await db
    .updateTable('programmes')
    .set({ vendorFeeProductId: vendor.productId, vendorFeePriceId: vendor.priceId })
    .where('id', '=', programmeId)
    .where('vendorFeePriceId', 'is', null)
    .execute()
}

export interface NewProgramme {
  code: string
  name: string
  currency: string
  holdDays: number
  minimumPayoutMinor: bigint
  platformFeeMinor: bigint
  tierWindowMonths: number
  /** What is left out is as the programme's settings say. */
  deadlines: z.input<typeof deadlinesSchema>
  onboarding?: z.input<typeof onboardingSettingsSchema>
  quotas?: z.input<typeof quotasSchema>
  /** What is shared as one base; the line where it is left out. */
  allocationUnit?: 'line' | 'invoice'
  /** The most that all overrides of a line take together, in hundredths of a percent. */
  overridePoolBps?: number | null
  tiers: TierThreshold[]
  /** Percentages for each depth, some for one tier alone, valid from the beginning of time. */
  rules: { depth: number; rateNum: bigint; rateDen: bigint; tier?: TierName }[]
}

/** Sets the one programme up. @returns false where there is one, which stays as it is. */
export async function recordProgramme(trx: Trx, programme: NewProgramme): Promise<boolean> {
  const existing = await trx.selectFrom('programmes').select('id').executeTakeFirst()
  if (existing) return false
  const { tiers, rules, deadlines, onboarding = {}, ...named } = programme
  const { quotas = {}, ...columns } = named
  const inserted = await trx
    .insertInto('programmes')
    .values({
      ...columns,
      deadlines: JSON.stringify(deadlinesSchema.parse(deadlines)),
      onboarding: JSON.stringify(onboardingSettingsSchema.parse(onboarding)),
      quotas: JSON.stringify(quotasSchema.parse(quotas)),
    })
    .onConflict((conflict) => conflict.column('code').doNothing())
    .returning('id')
    .executeTakeFirst()
  if (!inserted) return false
  await sql`select record_first_terms(${inserted.id})`.execute(trx)
  await trx
    .insertInto('tiers')
    .values(
      tiers.map(({ tier, threshold }) => ({
        programmeId: inserted.id,
        tier,
        thresholdMinor: threshold,
      })),
    )
    .execute()
  await insertRules(
    trx,
    rules.map(({ depth, rateNum, rateDen, tier = null }) => ({
      programmeId: inserted.id,
      code: tier ? `depth-${depth}-${tier}` : `depth-${depth}`,
      version: 1,
      migratesAt: null,
      depth,
      terms: { kind: 'percentage', rate: { num: rateNum, den: rateDen } },
      scope: { link: null, partner: null, tier, product: null },
      validFrom: null,
      validTo: null,
      cap: null,
      floor: null,
      windowMonths: null,
      setupFee: false,
    })),
  )
  return true
}
