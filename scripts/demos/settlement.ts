/** `npm run demo -- settlement`: two months in which what is awkward happens, number by number. */
import type { Db } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { formatMoney } from '../../domain/currencies.ts'
import type { CommandInput } from '../command.ts'
import { withDatabase } from '../stack/database.ts'
import { openStackClient } from '../stack/sealing.ts'
import { startThrowaway, type ThrowawayStack } from '../stack/throwaway.ts'
import { keksIn } from '../stack/vault.ts'
import { createStory, eventually, type Story } from '../story/client.ts'
import type { Stage } from '../story/demo.ts'
import { reportPartners, reportTierChanges, reportTransfers } from '../story/report.ts'
import { playTwoMonths, type TwoMonths, twoMonthsProgramme } from '../story/two-months.ts'
import {
  type Explained,
  explainStatements,
  missingStatements,
  talesOf,
} from '../story/two-months-report.ts'
import { stageClock } from './stage-clock.ts'

interface Accrual {
  id: string
  customer: string
  amount: number
}

/** What the last sale earned its seller, as soon as it is booked. */
async function laterAccrual(story: Story, key: string, { later, cast }: TwoMonths) {
  const { customer } = await story.api<{ customer: string }>(`/v1/subscriptions/${later}`, { key })
  return eventually('the commission of the last sale', async () => {
    const path = `/v1/accruals?partner=${cast.delta.partner}`
    const accrual = (await story.all<Accrual>(path, key)).find((one) => one.customer === customer)
    if (!accrual) return undefined
    const { sentence } = await story.api<{ sentence: string }>(`/v1/accruals/${accrual.id}/why`, {
      key,
    })
    return { amount: accrual.amount, why: sentence }
  })
}

async function report(db: Db, story: Story, { key, played }: { key: string; played: TwoMonths }) {
  const partners = await reportPartners(story, key)
  const nameOf = (id: string) => partners.find((partner) => partner.id === id)?.name ?? id
  const statements = await explainStatements({ story, db, key }, played)
  const transfers = await reportTransfers(story, nameOf)
  const tierChanges = await reportTierChanges(story, key, nameOf)
  const later = await laterAccrual(story, key, played)
  return {
    months: [played.months.first, played.months.second],
    partners,
    statements,
    missing: missingStatements(statements, played),
    transfers,
    tier_changes: tierChanges,
    payout: played.payout,
    tales: talesOf(played, statements, { transfers, tierChanges, later }),
    invariants: await checkInvariants(db),
  }
}

async function play(stack: ThrowawayStack, stage: Stage) {
  const { temporal, close } = openStackClient(stack)
  try {
    const story = createStory(stack.urls)
    const key = stack.keys.super_admin ?? ''
    const owners = { first: key, second: stack.keys.super_admin_2 ?? '' }
    const played = await playTwoMonths({ story, temporal, owners, stage })
    return await stage('report', 'every number with its reason', () =>
      withDatabase(
        stack.database.url,
        ({ db }) => report(db, story, { key, played }),
        keksIn(stack.directory),
      ),
    )
  } finally {
    await close()
  }
}

type Report = Awaited<ReturnType<typeof play>>

function summary({ statements, tales, missing, invariants }: Report): string {
  return [
    ...statements.flatMap((statement) => ['', ...statementLines(statement)]),
    '',
    ...tales.map(({ name, happened, as_expected: fits }) =>
      [fits ? '✓' : '✗', `${name}: ${happened}`].join(' '),
    ),
    ...missing,
    `Invariants: ${invariants.checked} checked, ${invariants.violations.length} broken`,
  ].join('\n')
}

function statementLines(statement: Explained): string[] {
  const { partner, period, number, closing, payable, currency, why, as_expected: fits } = statement
  const money = (amount: number) => formatMoney(BigInt(amount), currency)
  const head = `${partner}, ${period} (${number}): ${money(closing)}, ${money(payable)} is paid`
  return [`${head}${fits ? '' : ', NOT as expected'}`, ...why.map((reason) => `  ${reason}`)]
}

/** @returns the exit code: 1 where a number is not the one that was worked out by hand. */
export async function playSettlementDemo(input: CommandInput): Promise<number> {
  const { env, progress, flags, print } = input
  const begin = performance.now()
  const { stage, seconds } = stageClock(progress)
  const stack = await stage('set-up', 'everything real, nothing asked', () =>
    startThrowaway({
      ...{ env, progress, name: 'demo_settlement', programme: twoMonthsProgramme },
      yes: flags.yes === true,
    }),
  )
  const interrupted = () => void stack.stop().finally(() => process.exit(1))
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  try {
    const found = await play(stack, stage)
    seconds.total = Math.round(performance.now() - begin) / 1000
    print({ ...found, seconds }, () => summary(found))
    const { statements, tales, missing, invariants } = found
    const wrong = [...statements, ...tales].filter(({ as_expected: fits }) => !fits)
    return wrong.length + missing.length + invariants.violations.length === 0 ? 0 : 1
  } finally {
    await stack.stop()
  }
}
