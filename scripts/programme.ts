/** `npm run programme`: sets up the programme of an installation from a file. */
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { inTransaction } from '../db/database.ts'
import {
  deadlinesSchema,
  onboardingSettingsSchema,
  quotasSchema,
} from '../db/programme-settings.ts'
import { recordProgramme } from '../db/programmes.ts'
import { currencyCodes } from '../domain/currencies.ts'
import { tierNames } from '../domain/tiers.ts'
import { CommandError, type CommandInput, runCommand } from './command.ts'
import { withDatabase } from './stack/database.ts'

const minor = z.int().min(0).transform(BigInt)

const programmeFile = z
  .strictObject({
    code: z.string().min(1),
    name: z.string().min(1),
    currency: z.enum(currencyCodes),
    hold_days: z.int().min(0).max(180),
    minimum_payout: minor,
    platform_fee: minor,
    tier_window_months: z.int().min(1).max(36),
    deadlines: deadlinesSchema,
    onboarding: onboardingSettingsSchema.optional(),
    quotas: quotasSchema.optional(),
    tiers: z.array(z.strictObject({ tier: z.enum(tierNames), threshold: minor })).min(1),
    rules: z
      .array(z.strictObject({ depth: z.int().min(0), rate_bps: z.int().min(0).max(10_000) }))
      .min(1),
  })
  .refine(({ tiers }) => tiers.some(({ tier }) => tier === 'bronze'), {
    path: ['tiers'],
    message: 'bronze is missing: everyone starts there',
  })
  .refine(({ rules }) => rules.some(({ depth }) => depth === 0), {
    path: ['rules'],
    message: 'no rule says what the seller (depth 0) earns',
  })
  .refine(({ rules }) => rules.reduce((all, { rate_bps }) => all + rate_bps, 0) <= 10_000, {
    path: ['rules'],
    message: 'the percentages of all depths sum above 100 %',
  })

function readProgramme(file: string | undefined): z.output<typeof programmeFile> {
  if (!file) throw new CommandError('name the file: npm run programme -- FILE.json', 2)
  let content: unknown
  try {
    content = JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    throw new CommandError(`${file} is missing or no JSON`, 2)
  }
  const parsed = programmeFile.safeParse(content)
  if (parsed.success) return parsed.data
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
  throw new CommandError(`${file}:\n  - ${problems.join('\n  - ')}`, 2)
}

async function run({ env, args, print }: CommandInput): Promise<number> {
  const programme = readProgramme(args[0])
  if (!env.databaseUrl) throw new CommandError('set DATABASE_URL to the database', 2)
  const rateDen = 10_000n
  const fresh = await withDatabase(env.databaseUrl, ({ db }) =>
    inTransaction(db, (trx) =>
      recordProgramme(trx, {
        code: programme.code,
        name: programme.name,
        currency: programme.currency,
        holdDays: programme.hold_days,
        minimumPayoutMinor: programme.minimum_payout,
        platformFeeMinor: programme.platform_fee,
        tierWindowMonths: programme.tier_window_months,
        deadlines: programme.deadlines,
        ...(programme.onboarding ? { onboarding: programme.onboarding } : {}),
        ...(programme.quotas ? { quotas: programme.quotas } : {}),
        tiers: programme.tiers,
        rules: programme.rules.map(({ depth, rate_bps }) => ({
          depth,
          rateNum: BigInt(rate_bps),
          rateDen,
        })),
      }),
    ),
  )
  if (!fresh) {
    throw new CommandError(
      'a programme is set up already; it stays as it is, nothing was changed',
      1,
    )
  }
  print({ code: programme.code }, () => `the programme ${programme.code} is set up`)
  return 0
}

await runCommand({
  name: 'programme',
  usage: 'npm run programme -- FILE.json: sets up the programme (see docs/examples/programme.json)',
  run,
})
