/** Keys that encrypt keys, from the environment itself or from a file. */
import { createSecretKey, type KeyObject } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { z } from 'zod'
import { listed } from './values.ts'

/** A key that encrypts keys. As a key object it is never printed. */
interface Kek {
  id: string
  key: KeyObject
}

const kekBytes = 32
const isText = (bytes: Buffer) => bytes.every((byte) => byte >= 0x20 && byte < 0x7f)

/** @throws Error that says which one is wrong by its number: what was given may be a secret. */
function kekOf([id, text]: [string, string], index: number): Kek {
  const bytes = Buffer.from(text, 'base64')
  const name = `key ${index + 1}`
  if (!/^[\w.-]{1,64}$/.test(id)) throw new Error(`${name} has no id of letters and digits`)
  if (bytes.length !== kekBytes || bytes.toString('base64') !== text) {
    throw new Error(`${name} is not ${kekBytes} bytes in base64`)
  }
  // 32 random bytes are never this regular.
  if (new Set(bytes).size < 8 || isText(bytes)) throw new Error(`${name} is not random`)
  return { id, key: createSecretKey(bytes) }
}

function kekList(entries: [string, string][]): Kek[] {
  if (entries.length === 0) throw new Error('has no key')
  if (new Set(entries.map(([id]) => id)).size < entries.length) {
    throw new Error('has two keys of one id')
  }
  return entries.map(kekOf)
}

/** `id:base64,id:base64`; the first one is the current one. */
export function keksOf(text: string): Kek[] {
  return kekList(
    listed(text).map((entry): [string, string] => {
      const [id = '', ...key] = entry.split(':')
      return [id, key.join(':')]
    }),
  )
}

const kekFile = z.strictObject({ current: z.string(), keys: z.record(z.string(), z.string()) })

export function readKekFile(path: string): Kek[] {
  let text: string
  let mode: number
  try {
    text = readFileSync(path, 'utf8')
    mode = statSync(path).mode
  } catch {
    throw new Error('is not the path of a file that can be read')
  }
  // The group may read: that is how secrets are mounted into containers.
  if (process.getuid && (mode & 0o027) !== 0) {
    throw new Error('is a file that others can read or change: chmod 600')
  }
  let content: z.infer<typeof kekFile>
  try {
    content = kekFile.parse(JSON.parse(text))
  } catch {
    throw new Error('is not {"current": ID, "keys": {ID: BASE64}}')
  }
  const { current, keys } = content
  if (!(current in keys)) throw new Error('names a current key that it does not have')
  const entries = Object.entries(keys)
  return kekList([
    ...entries.filter(([id]) => id === current),
    ...entries.filter(([id]) => id !== current),
  ])
}

const checkedBy = (read: (text: string) => Kek[]) =>
  z
    .string()
    .superRefine((text, context) => {
      try {
        read(text)
      } catch (error) {
        context.addIssue({ code: 'custom', message: (error as Error).message })
      }
    })
    .optional()

export const keySettings = {
  KEKS: checkedBy(keksOf),
  KEKS_FILE: checkedBy(readKekFile),
}

interface KeySettings {
  KEKS?: string | undefined
  KEKS_FILE?: string | undefined
}

/** The keys as they were checked; those of a file can be read again while the process runs. */
export function keyEncryptionOf({ KEKS: inline, KEKS_FILE: file }: KeySettings) {
  if (file === undefined) return { keks: keksOf(inline ?? ''), reread: null }
  return { keks: readKekFile(file), reread: () => readKekFile(file) }
}
