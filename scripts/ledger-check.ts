/** `npm run ledger:check`: runs every invariant of the books on the development database. */
import type { Db } from '../db/database.ts'
import { checkInvariants, invariants } from '../db/invariants.ts'
import { findLastSeal, hasSeal, type Seal } from '../db/seals.ts'
import { listOverduePeriods } from '../db/settlement/overdue.ts'
import { CommandError, type CommandInput, runCommand } from './command.ts'
import { openDevDatabase, withDatabase } from './stack/database.ts'

type KeptSeal = Pick<Seal, 'number' | 'hash'>

/** @throws CommandError when it is not the number and the hash of a seal. */
function readKeptSeal(text: string): KeptSeal {
  const [, number, hash] = /^(\d{1,18}):([0-9a-f]{64})$/.exec(text) ?? []
  if (!number || !hash) throw new CommandError('--seal is NUMBER:HASH, as printed before', 2)
  return { number: BigInt(number), hash }
}

interface Checked {
  db: Db
  kept: KeptSeal | undefined
  onChecked: NonNullable<Parameters<typeof checkInvariants>[1]>
}

/** All invariants, months that are overdue, the newest seal, and whether a kept one is there. */
async function checkBooks({ db, kept, onChecked }: Checked) {
  const books = await checkInvariants(db, onChecked)
  const keptSeal = kept && ((await hasSeal(db, kept)) ? 'found' : 'missing')
  const overdue = (await listOverduePeriods(db)).map(({ period, stage }) => ({ period, stage }))
  return { ...books, overdue, seal: (await findLastSeal(db)) ?? null, keptSeal }
}

type Books = Awaited<ReturnType<typeof checkBooks>>

function describe({ checked, violations, overdue, seal, keptSeal }: Books): string {
  const broken = violations.map(
    ({ invariant, says, rows }) => `${invariant} is broken (${says}): ${rows.length} row(s)`,
  )
  const result = violations.length === 0 ? [`${checked} invariants hold`] : broken
  if (keptSeal === 'missing') result.push('the seal that was kept is not in the books any more')
  for (const { period, stage } of overdue) {
    result.push(`${period} is overdue: ${stage ? `its run is in ${stage}` : 'it has no run'}`)
  }
  if (seal) result.push(`newest seal ${seal.number}:${seal.hash}`)
  return result.join('\n')
}

async function run({ env, progress, flags, print }: CommandInput): Promise<number> {
  const kept = typeof flags.seal === 'string' ? readKeptSeal(flags.seal) : undefined
  const database = await openDevDatabase(env, progress)
  const start = performance.now()
  const step = progress.step('invariants', 'each is a query that returns no rows')
  try {
    let done = 0
    const onChecked: Checked['onChecked'] = ({ id, says }) => {
      done += 1
      step.update(`${id}: ${says}`, done / invariants.length)
    }
    const books = await withDatabase(database.url, ({ db }) => checkBooks({ db, kept, onChecked }))
    step.done(`${books.checked} checked, ${books.violations.length} broken`)
    const seconds = Math.round(performance.now() - start) / 1000
    const shown = JSON.parse(
      JSON.stringify(books, (_key, value) =>
        typeof value === 'bigint' ? value.toString() : value,
      ),
    )
    print({ ...shown, seconds }, () => describe(books))
    return books.violations.length === 0 && books.keptSeal !== 'missing' ? 0 : 1
  } finally {
    await database.stop()
  }
}

await runCommand({
  name: 'ledger:check',
  usage: 'npm run ledger:check [-- --json]: whether every invariant of the books holds',
  flags: {
    seal: { type: 'string', describe: 'NUMBER:HASH of a seal kept elsewhere: is it still there?' },
  },
  run,
})
