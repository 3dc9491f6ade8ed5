/** Data keys in the database: one current key for each scope, counted, rewrapped under load. */

import { execFile } from 'node:child_process'
import { randomBytes, randomUUID } from 'node:crypto'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { readToolEnvironment } from '../../config.ts'
import {
  type DataKeyScope,
  dataKeyStore,
  findDataKeys,
  listDataKeyCounts,
  markDataKeysDestroyed,
  markDataKeysRetired,
  markDataKeyUses,
  recordDataKey,
} from '../../db/data-keys.ts'
import { inTransaction } from '../../db/database.ts'
import { createVault, type Place } from '../../integrations/envelope.ts'
import {
  environmentKeyEncryption,
  type Kek,
  type KeyEncryption,
} from '../../integrations/key-encryption.ts'
import { createKeyRing } from '../../integrations/key-ring.ts'
import { rewrapDataKeys } from '../../scripts/stack/rewrap.ts'
import { makeKek } from '../integrations/key-store.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

let database: TestDatabase
beforeEach(async () => {
  database = await createTestDatabase()
})
afterEach(() => database.drop())

const ofPartner = (): DataKeyScope => ({ purpose: 'fields', partnerId: randomUUID() })
const wrapped = () => ({ kekId: 'first', wrapped: randomBytes(60) })

/** A process of its own with these keys; what it keeps in memory is soon asked for again. */
function openVault(keks: Kek[], keptMs = 300_000) {
  const store = dataKeyStore(database.db)
  const keyEncryption = environmentKeyEncryption(keks)
  return createVault(createKeyRing({ keyEncryption, store, keptMs, portion: 64 }))
}

const placeOf = (organisation: string | null): Place => ({
  organisation,
  table: 'customers',
  column: 'name',
  row: randomUUID(),
})

describe('the current key of a scope', () => {
  it('is one, however many processes add one at the same time', async () => {
    const { db } = database
    const scopes = [ofPartner(), { purpose: 'histories', partnerId: null } as const]
    for (const scope of scopes) {
      const adding = Array.from({ length: 20 }, () => recordDataKey(db, { ...scope, ...wrapped() }))
      await Promise.all(adding)
      const found = await Promise.all(
        Array.from({ length: 20 }, () => markDataKeyUses(db, [{ ...scope, uses: 5 }])),
      )
      expect(new Set(found.map(([key]) => key?.id)).size).toBe(1)
    }
    const rows = await db.selectFrom('dataKeys').select('uses').execute()
    expect(rows).toEqual([{ uses: 100n }, { uses: 100n }])
  })

  it('seals no more once it reaches the most, and still opens; one for indexes never ends', async () => {
    const { db } = database
    const fields = ofPartner()
    const index: DataKeyScope = { purpose: 'index', partnerId: null }
    for (const scope of [fields, index]) await recordDataKey(db, { ...scope, ...wrapped() })
    const use = (scope: DataKeyScope) => markDataKeyUses(db, [{ ...scope, uses: 40 }], 100)
    for (const expected of [1, 1, 1, 0]) expect(await use(fields)).toHaveLength(expected)
    for (const expected of [1, 1, 1, 1]) expect(await use(index)).toHaveLength(expected)
    const [row] = await db.selectFrom('dataKeys').select('id').orderBy('id').execute()
    expect(await findDataKeys(db, [row?.id ?? ''])).toHaveLength(1)
  })

  it('ends by command, those of indexes left out', async () => {
    const { db } = database
    await recordDataKey(db, { ...ofPartner(), ...wrapped() })
    await recordDataKey(db, { purpose: 'index', partnerId: null, ...wrapped() })
    expect(await markDataKeysRetired(db)).toBe(1)
    expect(await markDataKeysRetired(db)).toBe(0)
  })
})

describe('a stored key', () => {
  it.each([
    ['delete from data_keys', /never removed/],
    ['truncate data_keys', /removed/],
    ['update data_keys set partner_id = uuidv7()', /keeps what it is for/],
    [`update data_keys set purpose = 'index', partner_id = null`, /keeps what it is for/],
    ['update data_keys set uses = 0', /keeps what it is for/],
    ['update data_keys set wrapped = null', /check constraint/],
    [`update data_keys set kek_id = ''`, /check constraint/],
  ])('is not lost to %s', async (statement, refusal) => {
    const { db } = database
    const scope = ofPartner()
    await recordDataKey(db, { ...scope, ...wrapped() })
    await markDataKeyUses(db, [{ ...scope, uses: 1 }])
    await expect(sql.raw(statement).execute(db)).rejects.toThrow(refusal)
  })

  it('is destroyed with everything under it, and comes back by nothing', async () => {
    const { db } = database
    const keks = [makeKek('first')]
    const [gone, stays] = [placeOf(randomUUID()), placeOf(randomUUID())]
    const writer = openVault(keks)
    const sealed = await writer.sealMany([gone, stays].map((place) => ({ place, text: 'Ada' })))
    const destroyed = await inTransaction(db, (trx) =>
      markDataKeysDestroyed(trx, gone.organisation ?? ''),
    )
    expect(destroyed).toBe(1)
    const reader = openVault(keks)
    await expect(reader.open(gone, sealed[0] as Buffer)).rejects.toThrow(/is erased/)
    expect(await reader.open(stays, sealed[1] as Buffer)).toBe('Ada')
    const back = sql`update data_keys set wrapped = ${randomBytes(60)}, destroyed_at = null
      where wrapped is null`
    await expect(back.execute(db)).rejects.toThrow(/keeps what it is for/)
    const fresh = await reader.seal(gone, 'a new beginning')
    expect(await reader.open(gone, fresh)).toBe('a new beginning')
  })
})

describe('rotation', () => {
  it('changes keys of both kinds under load, without one error', async () => {
    const { db } = database
    const [older, newer] = [makeKek('older'), makeKek('newer')]
    const organisations = [null, ...Array.from({ length: 7 }, () => randomUUID())]
    const vaults = [
      [older, newer],
      [newer, older],
    ].map((keks) => openVault(keks, 5))
    const sealed: { place: Place; bytes: Buffer; text: string }[] = []
    let ended = false
    const load = async (vault: ReturnType<typeof openVault>) => {
      for (let i = 0; !ended; i++) {
        const place = placeOf(organisations[i % organisations.length] ?? null)
        const text = `person ${i}`
        sealed.push({ place, bytes: await vault.seal(place, text), text })
        const some = sealed.filter((_, at) => at % 97 === i % 97).slice(-20)
        expect(await vault.openMany(some)).toEqual(some.map((one) => one.text))
      }
    }
    const running = vaults.map(load)
    for (let round = 0; round < 10; round++) {
      const keks = round % 2 === 0 ? [newer, older] : [older, newer]
      await rewrapDataKeys(db, environmentKeyEncryption(keks))
      await markDataKeysRetired(db)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    ended = true
    await Promise.all(running)
    await rewrapDataKeys(db, environmentKeyEncryption([newer, older]))
    expect(Object.keys(await listDataKeyCounts(db))).toEqual(['newer'])
    const withoutOlder = openVault([newer])
    expect(await withoutOlder.openMany(sealed)).toEqual(sealed.map(({ text }) => text))
    expect(sealed.length).toBeGreaterThan(200)
    const ivs = sealed.map(({ bytes }) => bytes.subarray(17, 29).toString('base64'))
    expect(new Set(ivs).size).toBe(sealed.length)
  })

  it('goes on where it was interrupted, and does nothing the second time', async () => {
    const { db } = database
    const [older, newer] = [makeKek('older'), makeKek('newer')]
    const writer = openVault([older])
    const texts = Array.from({ length: 1_200 }, () => ({ place: placeOf(randomUUID()), text: 'x' }))
    const sealed = await writer.sealMany(texts)
    const both = environmentKeyEncryption([newer, older])
    let left = 700
    const breaking: KeyEncryption = {
      ...both,
      currentKekId: 'newer',
      wrap: async (key, meaning) => {
        left -= 1
        if (left < 0) throw new Error('the service is away')
        return both.wrap(key, meaning)
      },
    }
    await expect(rewrapDataKeys(db, breaking)).rejects.toThrow('the service is away')
    expect(await listDataKeyCounts(db)).toEqual({ newer: 500, older: 700 })
    expect(await rewrapDataKeys(db, both)).toMatchObject({ rewrapped: 700 })
    expect(await rewrapDataKeys(db, both)).toMatchObject({ rewrapped: 0 })
    const read = texts.map(({ place }, i) => ({ place, bytes: sealed[i] as Buffer }))
    expect(await openVault([newer]).openMany(read)).toEqual(texts.map(() => 'x'))
  })
})

describe('npm run keys:rotate', () => {
  const root = join(import.meta.dirname, '..', '..')
  let folder: string
  let file: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tributary-keks-'))
    file = join(folder, 'keks.json')
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  const written = () => JSON.parse(readFileSync(file, 'utf8'))

  function write(keks: Kek[]): void {
    const keys = keks.map(({ id, key }) => [id, key.export().toString('base64')])
    const content = { current: keks[0]?.id, keys: Object.fromEntries(keys) }
    writeFileSync(file, JSON.stringify(content), { mode: 0o600 })
  }

  async function rotate(args: string[], settings: Record<string, string> = { KEKS_FILE: file }) {
    const { PATH = '', HOME = '' } = readToolEnvironment().all
    const env = { PATH, HOME, DATABASE_URL: database.url, ...settings }
    const command = ['scripts/run.mjs', 'keys-rotate', '--json', ...args]
    return new Promise<{ code: number; said: Record<string, unknown>; problem: string }>(
      (resolve) =>
        execFile(process.execPath, command, { cwd: root, env }, (error, stdout, problem) =>
          resolve({
            code: error ? Number(error.code) : 0,
            said: stdout ? JSON.parse(stdout) : {},
            problem,
          }),
        ),
    )
  }

  it('adds a key, wraps all with it, and removes the old one when nothing needs it', async () => {
    const first = makeKek('first')
    write([first])
    const place = placeOf(null)
    const bytes = await openVault([first]).seal(place, 'Ada')
    const added = await rotate(['--add'])
    expect(added).toMatchObject({ code: 0, said: { done: true, rewrapped: 1, removed: null } })
    const id = String(added.said.added)
    expect(added.said).toMatchObject({ current: id, wrapped_by: { [id]: 1 } })
    expect(written()).toMatchObject({ current: id })
    expect(Object.keys(written().keys)).toEqual(['first', id])
    expect(await rotate([])).toMatchObject({ code: 0, said: { rewrapped: 0, current: id } })
    expect(await rotate(['--remove', id])).toMatchObject({ code: 2 })
    expect(await rotate(['--remove', 'first'])).toMatchObject({ code: 0 })
    expect(Object.keys(written().keys)).toEqual([id])
    const keys = written().keys
    const process = await rotate(['--renew'], { KEKS: `${id}:${keys[id]}` })
    expect(process).toMatchObject({ code: 0, said: { renewed: 1 } })
    expect(await openVault([first]).open(place, bytes).catch(String)).toMatch(/is not among/)
  })

  it('does not end while a key is wrapped by one that it does not have', async () => {
    await openVault([makeKek('lost')]).seal(placeOf(null), 'Ada')
    write([makeKek('first')])
    const { code, problem } = await rotate([])
    expect(code).toBe(1)
    expect(problem).toMatch(/the key encryption key lost is not among those of the settings/)
    expect(Object.keys(await listDataKeyCounts(database.db))).toEqual(['lost'])
  })

  it('refuses keys that are missing, short or open to others, and shows none', async () => {
    write([makeKek('first')])
    const secret = written().keys.first
    chmodSync(file, 0o644)
    const cases: [Record<string, string>, RegExp][] = [
      [{ KEKS_FILE: file }, /KEKS_FILE: is a file that others can read/],
      [{ KEKS: `a:${secret.slice(4)}` }, /KEKS: key 1 is not 32 bytes in base64/],
      [{ KEKS: `a:${secret}`, KEKS_FILE: file }, /others can read/],
      [{ KEKS_FILE: join(folder, 'none.json') }, /KEKS_FILE: is not the path of a file/],
    ]
    for (const [settings, refusal] of cases) {
      const { code, problem } = await rotate([], settings)
      expect(code).not.toBe(0)
      expect(problem).toMatch(refusal)
      expect(problem).not.toContain(secret.slice(4))
    }
    expect(await rotate(['--add'], { KEKS: `a:${secret}` })).toMatchObject({ code: 2 })
  })
})
