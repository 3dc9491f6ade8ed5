/** `npm run ledger:check`: runs every invariant of the books on the development database. */
import { checkInvariants, invariants } from '../db/invariants.ts'
import { type CommandInput, runCommand } from './command.ts'
import { openDevDatabase, withDatabase } from './stack/database.ts'

async function run({ env, progress, print }: CommandInput): Promise<number> {
  const database = await openDevDatabase(env, progress)
  const start = performance.now()
  const step = progress.step('invariants', 'each is a query that returns no rows')
  try {
    let done = 0
    const { checked, violations } = await withDatabase(database.url, ({ db }) =>
      checkInvariants(db, ({ id, says }) => {
        done += 1
        step.update(`${id}: ${says}`, done / invariants.length)
      }),
    )
    step.done(`${checked} checked, ${violations.length} broken`)
    const seconds = Math.round(performance.now() - start) / 1000
    const shown = JSON.parse(
      JSON.stringify(violations, (_key, value) =>
        typeof value === 'bigint' ? value.toString() : value,
      ),
    )
    print({ checked, violations: shown, seconds }, () =>
      violations.length === 0
        ? `${checked} invariants hold`
        : violations
            .map(
              ({ invariant, says, rows }) =>
                `${invariant} is broken (${says}): ${rows.length} row(s)`,
            )
            .join('\n'),
    )
    return violations.length === 0 ? 0 : 1
  } finally {
    await database.stop()
  }
}

await runCommand({
  name: 'ledger:check',
  usage: 'npm run ledger:check [-- --json]: whether every invariant of the books holds',
  run,
})
