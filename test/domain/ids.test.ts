import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { type IdKind, idKinds, idPattern, kindOf, outwardId, uuidOf } from '../../domain/ids.ts'

const uuids = fc.uuid()
const kinds = fc.constantFrom(...idKinds)

/** The outward form of nothing but zeros and of nothing but ones. */
const smallest = '00000000-0000-0000-0000-000000000000'
const largest = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

describe('an outward id', () => {
  test('leads back to its UUID, for every kind', () => {
    fc.assert(
      fc.property(kinds, uuids, (kind, uuid) => {
        const id = outwardId(kind, uuid)
        expect(uuidOf(kind, id)).toBe(uuid)
        expect(id).toMatch(idPattern(kind))
        expect(kindOf(id)).toBe(kind)
      }),
      { numRuns: 1_000 },
    )
    const random = randomUUID()
    expect(uuidOf('partner', outwardId('partner', random))).toBe(random)
  })

  test('keeps the order of the UUIDs, so that ids sort by age', () => {
    fc.assert(
      fc.property(kinds, uuids, uuids, (kind, a, b) => {
        expect(outwardId(kind, a) < outwardId(kind, b)).toBe(a < b)
      }),
      { numRuns: 500 },
    )
  })

  test('is written as the TypeID format writes it', () => {
    expect(outwardId('partner', smallest)).toBe('prt_00000000000000000000000000')
    expect(outwardId('partner', largest)).toBe('prt_7zzzzzzzzzzzzzzzzzzzzzzzzz')
    const published = '01890a5d-ac96-774b-bcce-b302099a8057'
    expect(outwardId('partner', published)).toBe('prt_01h455vb4pex5vsknk084sn02q')
  })

  test('takes a UUID in capitals as the same', () => {
    const uuid = '01890A5D-AC96-774B-BCCE-B302099A8057'
    expect(uuidOf('payout', outwardId('payout', uuid))).toBe(uuid.toLowerCase())
  })
})

describe('what is no id of a kind', () => {
  const good = outwardId('partner', '01890a5d-ac96-774b-bcce-b302099a8057')
  const body = good.slice(4)

  test.each([
    ['has another prefix', `cus_${body}`],
    ['has no prefix', body],
    ['has its prefix in capitals', `PRT_${body}`],
    ['has no underscore', `prt${body}`],
    ['is a character short', good.slice(0, -1)],
    ['is a character long', `${good}0`],
    ['is empty', ''],
    ['is its prefix alone', 'prt_'],
    ['holds a letter that is not in the alphabet', `prt_${body.slice(0, -1)}u`],
    ['holds a capital letter', `prt_${body.slice(0, -1)}Q`],
    ['holds a space', `prt_${body.slice(0, -1)} `],
    ['ends in a line break', `${good}\n`],
    ['holds more than 128 bits', `prt_8${body.slice(1)}`],
    ['holds a letter of two code units', `prt_${body.slice(0, -2)}𝟎`],
    ['is the UUID itself', '01890a5d-ac96-774b-bcce-b302099a8057'],
  ])('is refused when it %s', (_, id) => {
    expect(uuidOf('partner', id)).toBeUndefined()
    expect(id).not.toMatch(idPattern('partner'))
    expect(kindOf(id) === 'partner').toBe(false)
  })

  test('is refused for every text, exactly where its pattern does not match', () => {
    const texts = fc.oneof(
      fc.string(),
      fc.stringMatching(/^prt_[0-9a-z]{26}$/),
      fc.stringMatching(/^prt_[0-8][0-9a-hjkmnp-tv-z]{25}$/),
    )
    fc.assert(
      fc.property(texts, (text) => {
        expect(uuidOf('partner', text) !== undefined).toBe(idPattern('partner').test(text))
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('the kinds of ids', () => {
  test('have prefixes of three letters, each its own', () => {
    const prefixes = idKinds.map((kind: IdKind) => outwardId(kind, smallest).slice(0, 4))
    expect(new Set(prefixes).size).toBe(idKinds.length)
    for (const prefix of prefixes) expect(prefix).toMatch(/^[a-z]{3}_$/)
  })

  test.each([
    ['partner', 'prt'],
    ['application', 'app'],
    ['agreement', 'agr'],
    ['tenant', 'ten'],
    ['customer', 'cus'],
    ['subscription', 'sub'],
    ['accrual', 'acc'],
    ['settlementRun', 'run'],
    ['statement', 'stm'],
    ['payout', 'pay'],
  ] as const)('call a %s %s', (kind, prefix) => {
    expect(outwardId(kind, smallest)).toBe(`${prefix}_${'0'.repeat(26)}`)
  })

  test('are unknown for a text that is no id', () => {
    expect(kindOf('xyz_00000000000000000000000000')).toBeUndefined()
    expect(kindOf('')).toBeUndefined()
  })
})
