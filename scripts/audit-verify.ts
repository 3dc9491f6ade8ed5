/** `npm run audit:verify`: whether the audit trail is what was recorded, and signed since. */
import { existsSync, readFileSync } from 'node:fs'
import { type AuditBreak, verifyAuditTrail } from '../db/audit-verification.ts'
import { outwardId } from '../domain/ids.ts'
import { auditVerifier, readPublishedHeads } from '../integrations/audit-heads.ts'
import { CommandError, type CommandInput, runCommand } from './command.ts'
import { openDevDatabase, withDatabase } from './stack/database.ts'
import { devDirectory } from './stack/keep.ts'
import { auditFilesOf } from './stack/secrets.ts'

const platform = /^0{8}-/

/** With the organisation as it is named outside. */
function presentBreak({ tenant, seq, what }: AuditBreak) {
  const isPlatform = tenant !== null && platform.test(tenant)
  return {
    tenant: tenant === null || isPlatform ? tenant && 'platform' : outwardId('partner', tenant),
    seq,
    what,
  }
}

type Verified = { checked: number; days: number; broken: ReturnType<typeof presentBreak>[] }

function describe({ checked, days, broken }: Verified): string {
  if (broken.length === 0) return `${checked} events and ${days} signed day(s) are as recorded`
  return broken
    .map(({ tenant, seq, what }) => [tenant, seq, what].filter((part) => part !== null).join(' '))
    .join('\n')
}

/** @throws CommandError when a file that was named is not there. */
function readNamed(file: string): string {
  if (existsSync(file)) return readFileSync(file, 'utf8')
  throw new CommandError(`there is no file ${file}`, 2)
}

async function run({ env, progress, flags, print }: CommandInput): Promise<number> {
  const files = auditFilesOf(devDirectory(env))
  const keys = typeof flags.keys === 'string' ? flags.keys : files.auditKeyFile
  const list = typeof flags.published === 'string' ? flags.published : files.auditHeadsFile
  const pem = typeof flags.keys === 'string' || existsSync(keys) ? readNamed(keys) : ''
  if (typeof flags.published === 'string') readNamed(list)
  const database = await openDevDatabase(env, progress)
  const step = progress.step('audit trail', 'every event, in its order')
  try {
    const start = performance.now()
    const published = await readPublishedHeads(list)
    const verified = await withDatabase(database.url, ({ db }) =>
      verifyAuditTrail(db, { isSigned: auditVerifier(pem), published }),
    )
    step.done(`${verified.checked} checked, ${verified.broken.length} broken`)
    const seconds = Math.round(performance.now() - start) / 1000
    const shown = { ...verified, broken: verified.broken.map(presentBreak) }
    print({ ...shown, seconds }, () => describe(shown))
    return shown.broken.length === 0 ? 0 : 1
  } finally {
    await database.stop()
  }
}

await runCommand({
  name: 'audit:verify',
  usage: 'npm run audit:verify [-- --json]: whether the audit trail is what was recorded',
  flags: {
    keys: { type: 'string', describe: 'PEM file of the keys that signed, if not the stack of dev' },
    published: { type: 'string', describe: 'the list of published heads, if not that of dev' },
  },
  run,
})
