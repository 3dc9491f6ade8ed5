import { createHmac } from 'node:crypto'
import { base32, codeAt, otpauthUri, stepAt, stepOfCode } from '../../domain/totp.ts'

const secret = Buffer.from('12345678901234567890')
const hash = (counter: Uint8Array) => createHmac('sha1', secret).update(counter).digest()
const at = (seconds: number) => new Date(seconds * 1000)

describe('the codes of an authenticator app', () => {
  test.each([
    [59, '94287082'],
    [1_111_111_109, '07081804'],
    [1_111_111_111, '14050471'],
    [1_234_567_890, '89005924'],
    [2_000_000_000, '69279037'],
    [20_000_000_000, '65353130'],
  ])('are those of RFC 6238 at second %d', (seconds, code) => {
    expect(codeAt(hash, stepAt(at(seconds)), 8)).toBe(code)
    expect(codeAt(hash, stepAt(at(seconds)))).toBe(code.slice(2))
  })

  test('are those of RFC 4226 for the first ten counters', () => {
    const codes = Array.from({ length: 10 }, (_, counter) => codeAt(hash, counter))
    expect(codes.join(' ')).toBe(
      '755224 287082 359152 969429 338314 254676 287922 162583 399871 520489',
    )
  })

  test('read the keyed hash where it lies within a larger buffer', () => {
    const within = (counter: Uint8Array) =>
      Buffer.concat([Buffer.alloc(7), hash(counter)]).subarray(7)
    expect(codeAt(within, 1)).toBe('287082')
  })
})

describe('a code', () => {
  const now = at(3_000)
  const given = { hash, now, lastStep: 0 }

  test('is taken in its own step and one to either side', () => {
    for (const step of [99, 100, 101]) expect(stepOfCode(codeAt(hash, step), given)).toBe(step)
    for (const step of [97, 98, 102, 103]) {
      expect(stepOfCode(codeAt(hash, step), given)).toBeUndefined()
    }
  })

  test('is not taken in a step that is used up, nor in one before it', () => {
    expect(stepOfCode(codeAt(hash, 100), { ...given, lastStep: 100 })).toBeUndefined()
    expect(stepOfCode(codeAt(hash, 99), { ...given, lastStep: 100 })).toBeUndefined()
    expect(stepOfCode(codeAt(hash, 101), { ...given, lastStep: 100 })).toBe(101)
  })

  test('of another secret is wrong', () => {
    const other = (counter: Uint8Array) => createHmac('sha1', 'other').update(counter).digest()
    expect(stepOfCode(codeAt(other, 100), given)).toBeUndefined()
  })
})

describe('base 32', () => {
  test.each([
    ['f', 'MY'],
    ['fo', 'MZXQ'],
    ['foo', 'MZXW6'],
    ['foob', 'MZXW6YQ'],
    ['fooba', 'MZXW6YTB'],
    ['foobar', 'MZXW6YTBOI'],
  ])('of %s is %s, as RFC 4648 has it without padding', (text, expected) => {
    expect(base32(Buffer.from(text))).toBe(expected)
  })
})

test('an app reads the entry from an address', () => {
  const uri = new URL(otpauthUri({ issuer: 'A B', account: 'ada@x.example', secret: 'MZXW6' }))
  expect([uri.protocol, uri.host, uri.pathname]).toEqual([
    'otpauth:',
    'totp',
    '/A%20B:ada%40x.example',
  ])
  expect(Object.fromEntries(uri.searchParams)).toEqual({
    secret: 'MZXW6',
    issuer: 'A B',
    algorithm: 'SHA1',
    digits: '6',
    period: '30',
  })
})
