import { gzipSync } from 'node:zlib'
import { parseJsonBody, refuseOddHeaders } from '../../api/body.ts'
import { refuseLooseJson } from '../../api/json.ts'
import { isDomainError } from '../../domain/errors.ts'
import { type Product, startProduct } from '../support/product.ts'
import { type Answer, type Call, clientOf, faults } from './kit.ts'
import { makeWorld, type World } from './world.ts'

let product: Product
let call: Call
let world: World
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
  world = await makeWorld(product.db)
})
afterAll(() => product.stop())

const refusal = ({ status, body }: Answer) => [status, body.code]
const send = (raw: string | Buffer, headers: Record<string, string> = {}) =>
  call('/v1/customers', { method: 'POST', key: world.shop.key, raw, headers })

const parse = (text: string) => parseJsonBody(Buffer.from(text), 'application/json')

/** The code of the refusal, with the pointer where there is one. */
function refused(text: string): string {
  try {
    parse(text)
    return 'taken'
  } catch (error) {
    if (!isDomainError(error)) throw error
    return [error.code, error.details.fields?.[0]?.pointer].filter(Boolean).join(' ')
  }
}

/** How many characters are looked at until the text is passed: those of one word once each. */
function looksAt(text: string): number {
  let looks = 0
  const counted = {
    indexOf(word: string, from: number) {
      const end = text.indexOf(word, from)
      looks += (end === -1 ? text.length : end + 1) - from
      return end
    },
    slice(from: number, to: number) {
      looks += to - from
      return text.slice(from, to)
    },
    charCodeAt(place: number) {
      looks += 1
      return text.charCodeAt(place)
    },
    toString: () => text,
  }
  const watched = new Proxy(counted, {
    get(target, name) {
      if (name === 'length') return text.length
      if (typeof name === 'symbol' || !/^-?\d+$/.test(name)) return Reflect.get(target, name)
      looks += 1
      return text[Number(name)]
    },
  })
  refuseLooseJson(watched as unknown as string)
  return looks
}

describe('JSON', () => {
  it.each([
    ['{"a":1,"a":1}'],
    ['{"a":1,"b":2,"\\u0061":3}'],
    ['[{"a":{"b":1,"b":2}}]'],
    ['{"":1,"":2}'],
    ['{"a":[{"x":1}],"c":{"x":1},"a":2}'],
  ])('with a field twice is refused: %s', (text) => {
    expect(refused(text)).toBe('malformed_request')
  })

  it.each([
    ['{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}'],
    ['{"a":"a","b":"a","c":["a","a"]}'],
    ['{"a\\\\":1,"a\\"":2,"a":"\\\\\\" , \\"a\\": 1"}'],
    ['{"a":"{\\"b\\":1,\\"b\\":2}","b":"[[[["}'],
  ])('with the same word in several places is taken: %s', (text) => {
    expect(parse(text)).toEqual(JSON.parse(text))
  })

  it.each([
    [`${'['.repeat(32)}${']'.repeat(32)}`, 'taken'],
    [`${'['.repeat(33)}${']'.repeat(33)}`, 'malformed_request'],
    [`${'{"a":'.repeat(32)}1${'}'.repeat(32)}`, 'taken'],
    [`${'{"a":'.repeat(33)}1${'}'.repeat(33)}`, 'malformed_request'],
    ['['.repeat(1_000_000), 'malformed_request'],
    [`[${'[],'.repeat(100_000)}[]]`, 'taken'],
  ])('is at most 32 levels deep', (text, expected) => {
    expect(refused(text)).toBe(expected)
  })

  it.each([
    ['{"a":9007199254740991}', 'taken'],
    ['{"a":-9007199254740991}', 'taken'],
    ['{"a":9007199254740992}', 'invalid_request /a'],
    ['{"a":{"b":[1,2,-9007199254740993]}}', 'invalid_request /a/b/2'],
    ['{"a":1e400}', 'invalid_request /a'],
    ['{"a":-1E+400}', 'invalid_request /a'],
    ['{"a":1e16}', 'invalid_request /a'],
    ['{"a":0.1e-3,"b":-0}', 'taken'],
    ['{"a":"9007199254740993"}', 'taken'],
    ['{"a/b":{"~":1e400}}', 'invalid_request /a~1b/~0'],
    ['1e400', 'invalid_request'],
  ])('has only numbers that arrive as they were sent: %s', (text, expected) => {
    expect(refused(text)).toBe(expected)
  })

  it.each([
    ['{"__proto__":{"x":1}}', 'invalid_request /__proto__'],
    ['{"a":[{"constructor":1}]}', 'invalid_request /a/0/constructor'],
    ['{"\\u005f_proto__":1}', 'invalid_request /__proto__'],
    ['{"prototype":1}', 'invalid_request /prototype'],
    ['{"a":"__proto__","b":["constructor"]}', 'taken'],
  ])('has no field that would pass for an inherited one: %s', (text, expected) => {
    expect(refused(text)).toBe(expected)
  })

  it.each([
    ['{"a":"\\u0000"}', 'invalid_request /a'],
    ['{"a":["x","\\ud83d"]}', 'invalid_request /a/1'],
    ['{"a\\udc00":1}', 'invalid_request /a\udc00'],
    ['{"a":"\\ud83d\\ude00"}', 'taken'],
    ['{"a":"\\\\u0000"}', 'taken'],
  ])('has only text that can be kept: %s', (text, expected) => {
    expect(refused(text)).toBe(expected)
  })

  it.each([
    '',
    ' ',
    '{',
    '"',
    '"\\',
    '{"a":"b\\"}',
    '{"a" "b"}',
    '{a:1}',
    ']]]]',
    '}{',
    '{"a":01}',
    '{"a":1-2}',
    '[1,]',
    '{"a":"\t"}',
    '"\\x"',
    'nul',
    '\u0000',
  ])('that is none is refused as such: %j', (text) => {
    expect(refused(text)).toBe('malformed_request')
  })

  it('is looked at a few times for each of its characters, however long it is', () => {
    const quotes = `{"a":"${'\\"'.repeat(25_000)}${'\\\\'.repeat(20_000)}"}`
    const fields = Array.from({ length: 6_000 }, (_, n) => `"field${n}":${n}`).join()
    for (const text of [quotes, `{${fields}}`, `[${'1,'.repeat(50_000)}1]`]) {
      expect(refused(text)).toBe('taken')
      expect(looksAt(text)).toBeLessThan(4 * text.length)
    }
  })
})

describe('a body', () => {
  it.each(['gzip', 'deflate', 'br', 'zstd', 'identity, gzip', 'x-unknown'])(
    'is refused when it is compressed: %s',
    async (encoding) => {
      const answer = await send(gzipSync('{"name":"x"}'), { 'Content-Encoding': encoding })
      expect(refusal(answer)).toEqual([415, 'unsupported_media_type'])
      expect(answer.headers.get('accept-encoding')).toBe('identity')
    },
  )

  it('may say that it is not compressed', async () => {
    const raw = '{"name":"x","email":"a@b.example"}'
    expect((await send(raw, { 'Content-Encoding': 'identity' })).status).toBe(201)
  })

  it('of another kind hears what is taken', async () => {
    const answer = await send('name=x', { 'Content-Type': 'text/plain' })
    expect(refusal(answer)).toEqual([415, 'unsupported_media_type'])
    expect(answer.headers.get('accept-post')).toBe('application/json')
  })

  it('says at which field it cannot be taken', async () => {
    expect(faults(await send('{"name":"\\u0000","email":"a@b.example"}'))).toEqual([
      'invalid /name',
    ])
    expect(refusal(await send('{"name":"x","name":"y","email":"a@b.example"}'))).toEqual([
      400,
      'malformed_request',
    ])
  })
})

describe('headers', () => {
  const refuse = (...rawHeaders: string[]) => {
    try {
      refuseOddHeaders({ rawHeaders })
      return 'taken'
    } catch (error) {
      return isDomainError(error) ? error.code : String(error)
    }
  }

  it.each(['Host', 'host', 'HOST'])('name one host: %s again is refused', (name) => {
    expect(refuse('Host', 'a.example', 'Accept', '*/*', 'Accept', 'a/b')).toBe('taken')
    expect(refuse('Host', 'a.example', name, 'b.example')).toBe('malformed_request')
  })

  it('name a host', () => {
    expect(refuse('Accept', '*/*')).toBe('malformed_request')
  })

  it.each(['Authorization', 'Idempotency-Key', 'Content-Type', 'If-Match'])(
    'hold %s once, also when it says the same',
    (name) => {
      expect(refuse('Host', 'a', name, 'x', name.toLowerCase(), 'x')).toBe('malformed_request')
    },
  )
})
