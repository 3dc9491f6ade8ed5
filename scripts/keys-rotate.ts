/** `npm run keys:rotate`: wraps every data key with the newest key encryption key. */
import { createSecretKey, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { readKeyEncryption } from '../config.ts'
import { listDataKeyCounts, markDataKeysRetired } from '../db/data-keys.ts'
import type { Db } from '../db/database.ts'
import { keyEncryptionOf } from '../integrations/key-encryption.ts'
import { CommandError, type CommandInput, runCommand } from './command.ts'
import { openDevDatabase, withDatabase } from './stack/database.ts'
import { devDirectory } from './stack/keep.ts'
import { rewrapDataKeys } from './stack/rewrap.ts'
import { keksFileOf } from './stack/secrets.ts'

interface KekFile {
  current: string
  keys: Record<string, string>
}

/** The file that KEKS_FILE names, else that of `npm run dev`; null where KEKS has the keys. */
function kekFileOf({ env }: CommandInput): string | null {
  const { KEKS: inline, KEKS_FILE: file } = env.all
  if (inline || file) return file || null
  const dev = keksFileOf(devDirectory(env))
  return existsSync(dev) ? dev : null
}

/** Nobody ever reads half a file. */
function writeKekFile(file: string, content: KekFile): void {
  const unfinished = `${file}.${process.pid}`
  writeFileSync(unfinished, JSON.stringify(content), { mode: 0o600 })
  renameSync(unfinished, file)
}

function readKekFile(file: string | null, flag: string): { file: string; content: KekFile } {
  if (file) return { file, content: JSON.parse(readFileSync(file, 'utf8')) }
  throw new CommandError(`${flag} changes the file that KEKS_FILE names; KEKS is yours to set`, 2)
}

/** A new current key, beside those that are there. @returns its id. */
function addKek(given: string | null): string {
  const { file, content } = readKekFile(given, '--add')
  const id = `${new Date().toISOString().slice(0, 10)}-${randomBytes(3).toString('hex')}`
  const key = createSecretKey(randomBytes(32)).export().toString('base64')
  writeKekFile(file, { current: id, keys: { ...content.keys, [id]: key } })
  return id
}

/** @throws CommandError while a data key needs it. */
async function removeKek(db: Db, given: string | null, id: string): Promise<void> {
  const { file, content } = readKekFile(given, '--remove')
  if (!(id in content.keys)) throw new CommandError(`there is no key ${id} in the file`, 2)
  if (id === content.current) throw new CommandError(`${id} is the current key`, 2)
  const { [id]: needing = 0 } = await listDataKeyCounts(db)
  if (needing > 0) {
    throw new CommandError(`${needing} data keys need ${id}: run keys:rotate first`, 1)
  }
  const { [id]: _removed, ...keys } = content.keys
  writeKekFile(file, { ...content, keys })
}

async function run(input: CommandInput): Promise<number> {
  const { env, flags, progress, print } = input
  const file = kekFileOf(input)
  const settings = { ...env.all, ...(file ? { KEKS_FILE: file } : {}) }
  // Refused before anything is changed.
  readKeyEncryption(settings)
  const added = flags.add === true ? addKek(file) : null
  const keyEncryption = keyEncryptionOf(readKeyEncryption(settings))
  const database = await openDevDatabase(env, progress)
  try {
    return await withDatabase(database.url, async ({ db }) => {
      const rewrapped = await rewrapDataKeys(db, keyEncryption, (done) =>
        progress.note(`${done} data keys are wrapped anew`),
      )
      const renewed = flags.renew === true ? await markDataKeysRetired(db) : 0
      const removed = typeof flags.remove === 'string' ? flags.remove : null
      if (removed) await removeKek(db, file, removed)
      const wrappedBy = await listDataKeyCounts(db)
      const current = keyEncryption.currentKekId
      const others = Object.keys(wrappedBy).filter((id) => id !== current)
      const done = others.length === 0
      print({ done, current, added, removed, ...rewrapped, renewed, wrapped_by: wrappedBy }, () =>
        done
          ? `${rewrapped.rewrapped} data keys wrapped anew; all need ${current} alone`
          : `still needed beside ${current}: ${others.join(', ')}; run this again`,
      )
      return done ? 0 : 1
    })
  } finally {
    await database.stop()
  }
}

await runCommand({
  name: 'keys:rotate',
  usage: 'npm run keys:rotate [-- --add]: wraps every data key with the newest key encryption key',
  flags: {
    add: { type: 'boolean', describe: 'first add a new key to the file of KEKS_FILE' },
    renew: { type: 'boolean', describe: 'also let new data keys seal from now on' },
    remove: { type: 'string', describe: 'at the end remove this key, which nothing needs' },
  },
  run,
})
