/** `npm run explain -- ID`: why an entry of a partner's statement is what it is. */
import { CommandError, type CommandInput, runCommand } from './command.ts'
import { explain } from './reasons.ts'
import { openDevDatabase, withDatabase } from './stack/database.ts'
import { keksOf } from './stack/keks.ts'

async function run({ env, args, progress, print }: CommandInput): Promise<number> {
  const [id] = args
  if (!id) throw new CommandError('name the id: npm run explain -- ID', 2)
  const database = await openDevDatabase(env, progress)
  try {
    const reason = await withDatabase(database.url, ({ db }) => explain(db, id), keksOf(env))
    if (!reason) throw new CommandError(`there is no ${id} in these books`, 1)
    const { sentences, data } = reason
    print({ sentence: sentences.join(' '), data }, () => sentences.join('\n'))
    return 0
  } finally {
    await database.stop()
  }
}

await runCommand({
  name: 'explain',
  usage: 'npm run explain -- ID [--json]: why an accrual, clawback, true-up … is what it is',
  run,
})
