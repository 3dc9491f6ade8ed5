/** Sealed fields: they open in their own place only, and keys are counted, shared and replaced. */
import { randomBytes, randomUUID } from 'node:crypto'
import { createVault, type Place } from '../../integrations/envelope.ts'
import { environmentKeyEncryption, fileKeyEncryption } from '../../integrations/key-encryption.ts'
import { createKeyRing, type KeyRingOptions, meaningOf } from '../../integrations/key-ring.ts'
import { sealBytes, sealingKeyOf, UnreadableError } from '../../integrations/sealed-bytes.ts'
import { type MemoryStore, makeKek, memoryStore } from './key-store.ts'

const kek = makeKek('first')
const [acme, globex] = [randomUUID(), randomUUID()]

function openVault(options: Partial<KeyRingOptions> = {}, store: MemoryStore = memoryStore()) {
  const ring = createKeyRing({ keyEncryption: environmentKeyEncryption([kek]), store, ...options })
  return { vault: createVault(ring), ring, store }
}

const placeOf = (changes: Partial<Place> = {}): Place => ({
  organisation: acme,
  table: 'customers',
  column: 'email',
  row: randomUUID(),
  ...changes,
})

describe('what is sealed', () => {
  const texts = ['', 'ada@example.com', 'Łódź, ul. Piotrkowska 1\n', '🔑'.repeat(2_000)]
  it.each(texts)('opens where it was sealed: %#', async (text) => {
    const { vault } = openVault()
    const place = placeOf()
    const bytes = await vault.seal(place, text)
    expect(await vault.open(place, bytes)).toBe(text)
    if (text) expect(bytes.includes(text)).toBe(false)
  })

  it('is told by no other process without the key that encrypts keys', async () => {
    const { vault, store } = openVault()
    const place = placeOf()
    const bytes = await vault.seal(place, 'secret')
    expect(await openVault({}, store).vault.open(place, bytes)).toBe('secret')
    const stranger = environmentKeyEncryption([makeKek('first')])
    await expect(
      openVault({ keyEncryption: stranger }, store).vault.open(place, bytes),
    ).rejects.toThrow()
    const nobody = environmentKeyEncryption([makeKek('other')])
    await expect(
      openVault({ keyEncryption: nobody }, store).vault.open(place, bytes),
    ).rejects.toThrow('the key encryption key first is not among those of the settings')
  })

  it('opens in no other row, column, table or organisation: 1,000 of 1,000 fail', async () => {
    const { vault } = openVault()
    const ways: ((place: Place) => Place)[] = [
      (place) => ({ ...place, row: randomUUID() }),
      (place) => ({ ...place, column: 'name' }),
      (place) => ({ ...place, table: 'members' }),
      (place) => ({ ...place, organisation: globex }),
      (place) => ({ ...place, organisation: null }),
    ]
    await vault.seal(placeOf({ organisation: globex }), 'it has keys of its own')
    let refused = 0
    for (let i = 0; i < 1_000; i++) {
      const place = placeOf()
      const bytes = await vault.seal(place, `person ${i}`)
      const elsewhere = ways[i % ways.length]?.(place) ?? place
      await vault.open(elsewhere, bytes).catch((error) => {
        if (error instanceof UnreadableError) refused += 1
      })
    }
    expect(refused).toBe(1_000)
  })

  it('cannot be moved by parts of its place that run into each other', async () => {
    const { vault } = openVault()
    const place = placeOf({ table: 'a', column: 'b","c', row: 'd' })
    const bytes = await vault.seal(place, 'x')
    const shifted = placeOf({ table: 'a","b', column: 'c', row: 'd' })
    await expect(vault.open(shifted, bytes)).rejects.toThrow(UnreadableError)
  })

  it('does not open when any single byte of it is changed', async () => {
    const { vault } = openVault()
    const place = placeOf()
    const bytes = await vault.seal(place, 'ada')
    for (let i = 0; i < bytes.length; i++) {
      const changed = Buffer.from(bytes)
      changed[i] = (changed[i] ?? 0) ^ 1
      await expect(vault.open(place, changed)).rejects.toThrow(UnreadableError)
    }
    await expect(vault.open(place, bytes.subarray(0, -1))).rejects.toThrow(UnreadableError)
    await expect(vault.open(place, bytes.subarray(0, 44))).rejects.toThrow(UnreadableError)
    await expect(vault.open(place, Buffer.from('ada@example.com'))).rejects.toThrow(UnreadableError)
  })

  it('repeats no IV in 100,000 sealings', () => {
    const key = { id: randomUUID(), key: kek.key }
    const ivs = new Set<string>()
    for (let i = 0; i < 100_000; i++) {
      const bytes = sealBytes(key, Buffer.from('place'), Buffer.from('x'))
      ivs.add(bytes.subarray(17, 29).toString('base64'))
    }
    expect(ivs.size).toBe(100_000)
  })

  it('names its key, and shows neither text nor key in an error', async () => {
    const { vault, store } = openVault()
    const place = placeOf()
    const bytes = await vault.seal(place, 'ada@example.com')
    expect(sealingKeyOf(bytes)).toBe(store.rows[0]?.id)
    const error = await vault.open({ ...place, row: 'b' }, bytes).catch((thrown) => thrown)
    expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain('ada@example.com')
  })
})

describe('many at once', () => {
  const page = (organisations: (string | null)[]) =>
    Array.from({ length: 100 }, (_, i) => ({
      place: placeOf({ organisation: organisations[i % organisations.length] ?? null }),
      text: `person ${i}`,
    }))

  it('100 rows of one organisation cost one look-up of keys, and none the second time', async () => {
    const texts = page([acme])
    const writer = openVault()
    const sealed = await writer.vault.sealMany(texts)
    expect(writer.store.calls.find).toBe(0)
    const { vault, store } = openVault({}, writer.store)
    store.calls.find = 0
    const read = () =>
      vault.openMany(texts.map(({ place }, i) => ({ place, bytes: sealed[i] as Buffer })))
    expect(await read()).toEqual(texts.map(({ text }) => text))
    expect(store.calls.find).toBe(1)
    await read()
    expect(store.calls.find).toBe(1)
  })

  it('100 rows of 50 organisations too', async () => {
    const texts = page([null, ...Array.from({ length: 49 }, () => randomUUID())])
    const writer = openVault()
    const sealed = await writer.vault.sealMany(texts)
    expect(writer.store.rows).toHaveLength(50)
    expect(writer.store.calls.reserve).toBe(2)
    await writer.vault.sealMany(texts)
    expect(writer.store.calls.reserve).toBe(2)
    const { vault, store } = openVault({}, writer.store)
    store.calls.find = 0
    await vault.openMany(texts.map(({ place }, i) => ({ place, bytes: sealed[i] as Buffer })))
    expect(store.calls.find).toBe(1)
  })

  it('100 callers at the same time make one key with one reservation', async () => {
    const { vault, store } = openVault()
    const sealed = await Promise.all(page([acme]).map(({ place }) => vault.seal(place, 'x')))
    expect(new Set(sealed.map(sealingKeyOf)).size).toBe(1)
    expect(store.rows).toHaveLength(1)
    expect(store.calls).toEqual({ find: 0, reserve: 2, record: 1 })
  })
})

describe('a data key', () => {
  it('is counted in portions that never say less than what was sealed', async () => {
    const store = memoryStore()
    const { vault } = openVault({ portion: 10 }, store)
    for (let i = 1; i <= 95; i++) {
      await vault.seal(placeOf(), 'x')
      expect(store.rows[0]?.uses).toBeGreaterThanOrEqual(i)
    }
    expect(store.rows[0]?.uses).toBe(100)
    await vault.sealMany(Array.from({ length: 37 }, () => ({ place: placeOf(), text: 'x' })))
    expect(store.rows[0]?.uses).toBeGreaterThanOrEqual(132)
  })

  it('is replaced when it reaches the most, and what it sealed stays readable', async () => {
    const store = memoryStore(30)
    const { vault } = openVault({ portion: 10 }, store)
    const sealed: { place: Place; bytes: Buffer }[] = []
    for (let i = 0; i < 100; i++) {
      const place = placeOf()
      sealed.push({ place, bytes: await vault.seal(place, String(i)) })
    }
    expect(store.rows).toHaveLength(4)
    const ids = sealed.map(({ bytes }) => sealingKeyOf(bytes))
    for (const { id } of store.rows) expect(ids.filter((one) => one === id).length).toBeLessThan(31)
    expect(await vault.openMany(sealed)).toEqual(sealed.map((_, i) => String(i)))
  })

  it('of two processes that make one at the same time, the stored one is used by both', async () => {
    const store = memoryStore()
    const [one, two] = [openVault({}, store), openVault({}, store)]
    const places = [placeOf(), placeOf()] as const
    const [first, second] = await Promise.all([
      one.vault.seal(places[0], '1'),
      two.vault.seal(places[1], '2'),
    ])
    expect(store.rows).toHaveLength(1)
    expect(await two.vault.open(places[0], first)).toBe('1')
    expect(await one.vault.open(places[1], second)).toBe('2')
  })

  it('is forgotten after its time: one that is gone opens nothing any more', async () => {
    const store = memoryStore()
    let now = 0
    const { vault } = openVault({ keptMs: 1_000, now: () => now }, store)
    const place = placeOf()
    const bytes = await vault.seal(place, 'x')
    store.rows.length = 0
    expect(await vault.open(place, bytes)).toBe('x')
    now = 1_001
    await expect(vault.open(place, bytes)).rejects.toThrow(/what it sealed is erased/)
  })

  it('serves on while its store does not answer, and is counted afterwards', async () => {
    const store = memoryStore()
    let now = 0
    const { vault } = openVault({ keptMs: 1_000, portion: 10, now: () => now }, store)
    const place = placeOf()
    const bytes = await vault.seal(place, 'x')
    store.away = true
    now = 5_000
    for (let i = 0; i < 50; i++) await vault.seal(placeOf(), 'x')
    expect(await vault.open(place, bytes)).toBe('x')
    await expect(vault.seal(placeOf({ organisation: globex }), 'x')).rejects.toThrow('away')
    store.away = false
    now = 10_000
    await vault.seal(placeOf(), 'x')
    expect(store.rows[0]?.uses).toBeGreaterThanOrEqual(52)
  })

  it('is one of few in memory, however many organisations there are', async () => {
    const store = memoryStore()
    const { vault } = openVault({ keptKeys: 10 }, store)
    const places = Array.from({ length: 40 }, () => placeOf({ organisation: randomUUID() }))
    const sealed: Buffer[] = []
    for (const place of places) sealed.push(await vault.seal(place, 'x'))
    store.calls.find = 0
    for (const [i, place] of places.entries()) await vault.open(place, sealed[i] as Buffer)
    expect(store.calls.find).toBe(40)
  })

  it('unwraps under no other organisation or purpose', async () => {
    const { vault, store } = openVault()
    const place = placeOf()
    const bytes = await vault.seal(place, 'x')
    const [row] = store.rows
    if (row) row.partnerId = globex
    await expect(openVault({}, store).vault.open(place, bytes)).rejects.toThrow()
  })
})

describe('a blind index', () => {
  it('finds the same text again, by purpose, and also in another process', async () => {
    const { vault, store } = openVault()
    const found = await vault.blindIndex('ada@example.com', 'members.email')
    expect(found).toHaveLength(32)
    const again = openVault({}, store).vault
    expect(await again.blindIndex('ada@example.com', 'members.email')).toEqual(found)
    expect(await again.blindIndex('ada@example.com', 'customers.email')).not.toEqual(found)
    expect(await again.blindIndex('bob@example.com', 'members.email')).not.toEqual(found)
  })
})

describe('keys that encrypt keys', () => {
  it('may be several: the first wraps, all unwrap', async () => {
    const [older, newer] = [makeKek('older'), makeKek('newer')]
    const before = environmentKeyEncryption([older])
    const after = environmentKeyEncryption([newer, older])
    expect(after.currentKekId).toBe('newer')
    const key = randomBytes(32)
    const wrapped = await before.wrap(key, 'a')
    expect(await after.unwrap(wrapped, 'a')).toEqual(key)
    expect((await after.wrap(key, 'a')).kekId).toBe('newer')
    await expect(after.unwrap(wrapped, 'b')).rejects.toThrow(/does not open a data key/)
    await expect(after.unwrap({ ...wrapped, kekId: 'newer' }, 'a')).rejects.toThrow()
  })

  it('of a file are taken up while the process runs', async () => {
    const [older, newer] = [makeKek('older'), makeKek('newer')]
    let content = [older]
    const running = fileKeyEncryption(() => content)
    const place = meaningOf({ purpose: 'fields', partnerId: acme })
    content = [newer, older]
    const wrapped = await environmentKeyEncryption(content).wrap(randomBytes(32), place)
    expect(await running.unwrap(wrapped, place)).toHaveLength(32)
    expect(running.currentKekId).toBe('newer')
  })
})
