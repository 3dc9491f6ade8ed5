/** The main story: partners come in, customers pay, a month is closed, and everything is shown. */
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { checkInvariants } from '../../db/invariants.ts'
import { formatMoney } from '../../domain/currencies.ts'
import type { CommandInput } from '../command.ts'
import { pathsOf } from '../launch/paths.ts'
import { withDatabase } from '../stack/database.ts'
import { keepAsDevelopment, refuseToKeep } from '../stack/keep.ts'
import { openStackClient } from '../stack/sealing.ts'
import { startThrowaway, type ThrowawayStack } from '../stack/throwaway.ts'
import { createStory } from '../story/client.ts'
import { type DemoInput, playDemo, reportDemo, type Stage } from '../story/demo.ts'
import { stageClock } from './stage-clock.ts'

async function checkBooks(databaseUrl: string) {
  const { checked, violations } = await withDatabase(databaseUrl, ({ db }) => checkInvariants(db))
  return { checked, violations }
}

async function play(stack: ThrowawayStack, input: { documents: string; stage: Stage }) {
  const { temporal, close } = openStackClient(stack)
  try {
    const demo: DemoInput = {
      ...input,
      story: createStory(stack.urls),
      temporal,
      owners: {
        first: stack.keys.super_admin ?? '',
        second: stack.keys.super_admin_2 ?? '',
      },
    }
    const played = await playDemo(demo)
    return await input.stage('report', 'what anyone can read of it', async () => ({
      versions: {
        node: process.versions.node,
        postgres: stack.database.version,
        temporal: stack.temporal.version,
      },
      temporal: { address: stack.temporal.address, how: stack.temporal.how },
      ...(await reportDemo(demo, played)),
      invariants: await checkBooks(stack.database.url),
    }))
  } finally {
    await close()
  }
}

type Report = Awaited<ReturnType<typeof play>> & { seconds: Record<string, number> }

function summary(report: Report): string {
  const money = (amount: number, currency: string) => formatMoney(BigInt(amount), currency)
  const lines = [
    '',
    'Earned',
    ...report.accruals.map(({ why }) => `  ${why}`),
    'Taken back',
    ...report.clawbacks.map(
      ({ partner, amount, currency, cause }) =>
        `  ${money(amount, currency)} from ${partner} (${cause})`,
    ),
    `Statements of ${report.settlement.period}`,
    ...report.statements.map(
      ({ partner, payable, currency, pdf }) => `  ${partner}: ${money(payable, currency)}  ${pdf}`,
    ),
    'Transfers',
    ...report.transfers.map(
      ({ partner, amount, currency, stripe_id }) =>
        `  ${money(amount, currency)} to ${partner} (${stripe_id})`,
    ),
    'Tiers',
    ...report.tier_changes.map(
      ({ partner, from, to, reason }) => `  ${partner}: ${from} to ${to}, ${reason}`,
    ),
    `Invariants: ${report.invariants.checked} checked, ` +
      `${report.invariants.violations.length} broken`,
  ]
  return lines.join('\n')
}

/** @returns the exit code: 0 when no invariant of the books is broken. */
export async function playMainDemo(input: CommandInput): Promise<number> {
  const { env, progress, flags, print } = input
  const begin = performance.now()
  const { stage, seconds } = stageClock(progress)
  const documents = join(pathsOf(env).data, 'demo', new Date().toISOString().replace(/[:.]/g, '-'))
  const keep = flags.keep === true
  if (keep) refuseToKeep(env)
  const stack = await stage('set-up', 'everything real, nothing asked', () =>
    startThrowaway({ env, progress, name: 'demo', yes: flags.yes === true, keep }),
  )
  const interrupted = () => void stack.stop().finally(() => process.exit(1))
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  try {
    const facts = await play(stack, { documents, stage })
    if (keep) {
      await stage('keep', 'the data becomes that of `npm run dev`', () =>
        stack.stop(() => keepAsDevelopment(env, stack, progress)),
      )
    }
    seconds.total = Math.round(performance.now() - begin) / 1000
    const report: Report = { ...facts, seconds }
    print(report, () => summary(report))
    return report.invariants.violations.length === 0 ? 0 : 1
  } catch (error) {
    const logs = join(pathsOf(env).data, 'demo', 'failed')
    mkdirSync(logs, { recursive: true })
    cpSync(join(stack.directory, '.data', 'logs'), logs, { recursive: true, force: true })
    progress.note(`the logs of the failed run are in ${logs}`)
    throw error
  } finally {
    await stack.stop()
  }
}
