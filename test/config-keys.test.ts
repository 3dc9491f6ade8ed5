/** The keys that encrypt keys, as settings: nothing starts without real ones. */
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigError, readConfig, readKeyEncryption } from '../config.ts'
import { keyEncryptionOf } from '../integrations/key-encryption.ts'
import { keksFileOf, stackSecrets } from '../scripts/stack/secrets.ts'

const folder = mkdtempSync(join(tmpdir(), 'tributary-keks-'))
const file = join(folder, 'keks.json')
afterAll(() => rmSync(folder, { recursive: true }))

const key = () => randomBytes(32).toString('base64')

function problemsOf(
  env: Record<string, string>,
  read: (env: Record<string, string>) => unknown,
): string[] {
  try {
    read(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

function write(content: unknown, mode = 0o600): void {
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  chmodSync(file, mode)
}

const text = (words: string) => Buffer.from(words.padEnd(32, '.')).toString('base64')

describe('KEKS', () => {
  test.each([
    ['', 'is not set'],
    ['no key at all', 'key 1 has no id of letters and digits'],
    ['first:', 'key 1 is not 32 bytes in base64'],
    [`first:${randomBytes(16).toString('base64')}`, 'key 1 is not 32 bytes in base64'],
    [`first:${randomBytes(32).toString('hex')}`, 'key 1 is not 32 bytes in base64'],
    [`first:${key()},second:short`, 'key 2 is not 32 bytes in base64'],
    [`first:${Buffer.alloc(32).toString('base64')}`, 'key 1 is not random'],
    [`first:${Buffer.alloc(32, 'ab').toString('base64')}`, 'key 1 is not random'],
    [`first:${text('change me, I am the default key')}`, 'key 1 is not random'],
    [`first:${key()},first:${key()}`, 'has two keys of one id'],
  ])('is refused at every start: %#', (value, problem) => {
    for (const read of [readConfig, readKeyEncryption]) {
      expect(problemsOf({ KEKS: value }, read)).toContain(`KEKS: ${problem}`)
    }
  })

  test('has the current key first', () => {
    const { keks, reread } = readKeyEncryption({ KEKS: `b:${key()}, a:${key()}` })
    expect(keks.map(({ id }) => id)).toEqual(['b', 'a'])
    expect(reread).toBeNull()
    expect(JSON.stringify(keks)).toBe('[{"id":"b","key":{}},{"id":"a","key":{}}]')
  })
})

describe('KEKS_FILE', () => {
  test.each([
    ['nothing', '', 'is not {"current": ID, "keys": {ID: BASE64}}'],
    ['no key', { current: 'a', keys: {} }, 'names a current key that it does not have'],
    ['another current', { current: 'b', keys: { a: key() } }, 'names a current key'],
    ['a short key', { current: 'a', keys: { a: 'short' } }, 'key 1 is not 32 bytes in base64'],
    ['a default', { current: 'a', keys: { a: text('default') } }, 'key 1 is not random'],
  ])('with %s is refused at every start', (_, content, problem) => {
    write(content)
    for (const read of [readConfig, readKeyEncryption]) {
      const found = problemsOf({ KEKS_FILE: file }, read)
      expect(found.filter((one) => one.startsWith(`KEKS_FILE: ${problem}`))).toHaveLength(1)
    }
  })

  test.each([0o644, 0o604, 0o620, 0o602, 0o666])('with mode %o is refused', (mode) => {
    write({ current: 'a', keys: { a: key() } }, mode)
    expect(problemsOf({ KEKS_FILE: file }, readKeyEncryption)).toEqual([
      'KEKS_FILE: is a file that others can read or change: chmod 600',
    ])
  })

  test('may be read by a group, and is one of two ways, not both', () => {
    write({ current: 'a', keys: { a: key() } }, 0o440)
    expect(problemsOf({ KEKS_FILE: file }, readKeyEncryption)).toEqual([])
    const both = problemsOf({ KEKS_FILE: file, KEKS: `a:${key()}` }, readConfig)
    expect(both).toContain('KEKS_FILE: is set beside KEKS; set one of them')
  })

  test('gives a running process the key that was added meanwhile', async () => {
    const first = key()
    write({ current: 'a', keys: { a: first } })
    const running = keyEncryptionOf(readKeyEncryption({ KEKS_FILE: file }))
    write({ current: 'b', keys: { a: first, b: key() } })
    const wrapped = await running.wrap(randomBytes(32), 'place')
    expect(wrapped.kekId).toBe('b')
  })
})

describe('other secrets', () => {
  test.each([
    ['LINK_SECRET', 'change-me-change-me-change-me-change-me'],
    ['LINK_SECRET', 'x'.repeat(40)],
    ['LINK_SECRET', '<a secret of 32 characters or more>'],
    ['STRIPE_WEBHOOK_SECRETS', 'whsec_example'],
    ['DOCUSIGN_WEBHOOK_SECRETS', 'a-real-one-1,changeme-please'],
  ])('are no examples: %s=%s', (name, value) => {
    const found = problemsOf({ [name]: value }, readConfig).filter((one) => one.startsWith(name))
    expect(found).toHaveLength(1)
    expect(found[0]).toMatch(/example/)
    expect(found[0]).not.toContain(value)
  })
})

describe('a stack of our own', () => {
  test('makes its keys once, readable by its owner only', () => {
    const directory = join(folder, 'fresh')
    const { keksFile, plainHistories } = stackSecrets(directory)
    expect(plainHistories).toBe(false)
    const { keks } = readKeyEncryption({ KEKS_FILE: keksFile })
    const again = stackSecrets(directory)
    expect(again.plainHistories).toBe(false)
    const [before, after] = [keks, readKeyEncryption({ KEKS_FILE: keksFile }).keks]
    expect(after[0]?.key.equals(before[0]?.key as never)).toBe(true)
  })

  test('that is older than its keys goes on with the plain histories that it has', () => {
    const directory = join(folder, 'older')
    stackSecrets(directory)
    rmSync(keksFileOf(directory))
    const secrets = join(directory, 'secrets.json')
    const { plainHistories: _, ...before } = JSON.parse(readFileSync(secrets, 'utf8'))
    writeFileSync(secrets, JSON.stringify(before))
    expect(stackSecrets(directory).plainHistories).toBe(true)
    expect(stackSecrets(directory).plainHistories).toBe(true)
  })
})
