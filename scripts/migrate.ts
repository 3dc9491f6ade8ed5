/** `npm run migrate`: brings the database of DATABASE_URL to the newest schema. */
import { storeContextKey } from '../db/context-keys.ts'
import { migrate } from '../db/migrations.ts'
import { CommandError, type CommandInput, runCommand } from './command.ts'
import { withDatabase } from './stack/database.ts'
import { keksOf } from './stack/keks.ts'
import { vaultsOf } from './stack/vault.ts'

async function run({ env, print }: CommandInput): Promise<number> {
  if (!env.databaseUrl) throw new CommandError('set DATABASE_URL to the database to migrate', 2)
  const keks = keksOf(env)
  const applied = await withDatabase(env.databaseUrl, async ({ db }) => {
    const names = await migrate(db, keks && vaultsOf(keks))
    if (env.contextSecret) await storeContextKey(db, env.contextSecret)
    return names
  })
  print({ applied }, () =>
    applied.length === 0 ? 'the schema is up to date' : `applied: ${applied.join(', ')}`,
  )
  return 0
}

await runCommand({
  name: 'migrate',
  usage: 'npm run migrate: brings the database of DATABASE_URL to the newest schema',
  run,
})
