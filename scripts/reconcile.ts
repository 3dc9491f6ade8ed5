/** `npm run reconcile -- --period 2026-10`: whether a month agrees with Stripe's own ledger. */
import { presentBreak, presentSummary } from '../api/reconciliation.ts'
import { type Db, inTransaction } from '../db/database.ts'
import { listOpenBreaks } from '../db/recon-breaks.ts'
import {
  reconcileStanding,
  reconcileTransfers,
  summarizeReconciliation,
} from '../db/reconciliation.ts'
import { cadenceOf, stretchOf } from '../domain/cadence.ts'
import { CommandError, type CommandInput, runCommand } from './command.ts'
import { openDevDatabase, withDatabase } from './stack/database.ts'

/** Compares with what is mirrored of Stripe; new breaks are kept, and count from now on. */
async function reconcilePeriod(db: Db, period: string) {
  const range = stretchOf(period)
  await inTransaction(db, (trx) => reconcileTransfers(trx, range))
  await inTransaction(db, reconcileStanding)
  const summary = await summarizeReconciliation(db, range)
  const breaks = await listOpenBreaks(db, range)
  return { period, ...presentSummary(summary), breaks: breaks.map(presentBreak) }
}

type Reconciled = Awaited<ReturnType<typeof reconcilePeriod>>

function describe({ period, matched, pending, breaks, mirrored_at: mirrored }: Reconciled): string {
  const lines = breaks.map(
    ({ id, kind, payout, reference, owner, age_days: age }) =>
      `${id} ${kind} ${payout ?? reference ?? ''}: ${owner ?? 'nobody'}, for ${age} day(s)`,
  )
  const read = mirrored ? `Stripe was read at ${mirrored}` : 'Stripe was never read'
  return [
    `${period}: ${matched} matched, ${pending} pending, ${breaks.length} break(s); ${read}`,
    ...lines,
  ].join('\n')
}

async function run({ env, progress, flags, print }: CommandInput): Promise<number> {
  const { period } = flags
  if (typeof period !== 'string' || cadenceOf(period) === null) {
    const words = 'name a month, a quarter or a week (2026-10, 2026-Q4, 2026-W47)'
    throw new CommandError(`${words}: npm run reconcile -- --period 2026-10`, 2)
  }
  const database = await openDevDatabase(env, progress)
  try {
    const step = progress.step('reconciliation', 'what was sent beside what Stripe shows')
    const month = await withDatabase(database.url, ({ db }) => reconcilePeriod(db, period))
    step.done(`${month.matched} matched, ${month.breaks.length} break(s)`)
    print(month, () => describe(month))
    return month.breaks.length === 0 ? 0 : 1
  } finally {
    await database.stop()
  }
}

await runCommand({
  name: 'reconcile',
  usage: 'npm run reconcile -- --period 2026-10 [--json]: whether a month agrees with Stripe',
  flags: {
    period: { type: 'string', describe: 'the month, quarter or week: 2026-10, 2026-Q4, 2026-W47' },
  },
  run,
})
