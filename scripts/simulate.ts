/** `npm run simulate -- FILE`: the commission calculator on a scenario file. */
import { readFileSync } from 'node:fs'
import { formatMoney } from '../domain/currencies.ts'
import { readScenario, ScenarioError } from '../simulation/scenario.ts'
import { simulate } from '../simulation/simulate.ts'
import { CommandError, type CommandInput, runCommand } from './command.ts'
import { scratchDatabase, withDatabase } from './stack/database.ts'

function readFile(file: string | undefined): unknown {
  if (!file) throw new CommandError('name the file: npm run simulate -- FILE', 2)
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new CommandError(`${file} is missing or no JSON: ${(error as Error).message}`, 2)
  }
}

type Result = Awaited<ReturnType<typeof simulate>>

function summary(result: Result, currency: string): string {
  const money = (amount: number) => formatMoney(BigInt(amount), currency)
  return [
    ...result.accruals.map(({ payment, why }) => `${payment}: ${why}`),
    ...result.clawbacks.map(
      ({ cause, partner, amount }) => `${cause}: ${money(amount)} back from ${partner}`,
    ),
    ...result.true_ups.map(
      ({ partner, rule, period, amount }) =>
        `${period}: true-up of ${money(amount)} to ${partner} by ${rule}`,
    ),
    ...result.bonuses.map(
      ({ partner, rule, period, amount }) =>
        `${period}: bonus of ${money(amount)} to ${partner} by ${rule}`,
    ),
    ...result.statements.map(
      ({ period, partner, closing, payable, carried }) =>
        `${period}: ${partner} closes at ${money(closing)}, is paid ${money(payable)}, ` +
        `carries ${money(carried)}`,
    ),
    `${result.invariants.checked} invariants, ${result.invariants.violations.length} broken`,
  ].join('\n')
}

async function run({ env, args, json, progress, print }: CommandInput): Promise<number> {
  const input = readFile(args[0])
  try {
    const scenario = readScenario(input)
    const database = await scratchDatabase(env, progress)
    try {
      const result = await withDatabase(database.url, ({ db }) => simulate(db, scenario))
      print(result, () => summary(result, scenario.currency))
      return result.invariants.violations.length === 0 ? 0 : 1
    } finally {
      await database.stop()
    }
  } catch (error) {
    if (!(error instanceof ScenarioError)) throw error
    if (json) print({ problems: error.problems }, () => '')
    throw new CommandError(error.message, 2)
  }
}

await runCommand({
  name: 'simulate',
  usage: 'npm run simulate -- FILE [--json]: what a scenario would earn (docs/simulator.md)',
  run,
})
