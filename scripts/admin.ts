/** `npm run admin`: the first people of the platform owner, before there is a key to call with. */
import { CommandError, type CommandInput, runCommand } from './command.ts'
import { withDatabase } from './stack/database.ts'
import { keksOf } from './stack/keks.ts'
import { createAdminKey } from './stack/programme.ts'

async function run({ env, flags, print }: CommandInput): Promise<number> {
  const { name, email, live } = flags
  if (!env.databaseUrl) throw new CommandError('set DATABASE_URL to the database', 2)
  if (typeof name !== 'string' || typeof email !== 'string' || !email.includes('@')) {
    throw new CommandError('give --name NAME and --email ADDRESS', 2)
  }
  const keks = keksOf(env)
  if (!keks) throw new CommandError('set KEKS or KEKS_FILE: names are sealed', 2)
  const admin = { name, email, mode: live === true ? 'live' : 'test' } as const
  const key = await withDatabase(env.databaseUrl, ({ db }) => createAdminKey(db, admin), keks)
  print({ name, email, key }, () => `${name} is a super admin. The key, shown only now:\n${key}`)
  return 0
}

await runCommand({
  name: 'admin',
  usage: 'npm run admin -- --name NAME --email ADDRESS [--live]: a key for a super admin',
  flags: {
    name: { type: 'string', describe: 'who it is' },
    email: { type: 'string', describe: 'where reminders go' },
    live: { type: 'boolean', describe: 'a key for production; without it one for a sandbox' },
  },
  run,
})
