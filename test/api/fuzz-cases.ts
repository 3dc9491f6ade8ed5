/** Requests to an operation of the API's description: good ones, and good ones with a fault. */
import fc from 'fast-check'
import { fitting, misfits, type Schema } from './fuzz-schemas.ts'
import type { Request } from './kit.ts'

export interface Parameter {
  name: string
  in: 'path' | 'query' | 'header'
  required: boolean
  schema: Schema
}

export interface Operation {
  method: string
  /** With `{id}` for parameters. */
  path: string
  parameters: Parameter[]
  body?: Schema
  /** The schema of the answer, by status. */
  answers: Record<string, Schema | undefined>
  needsKey: boolean
}

export interface Case {
  /** What was done to it, in words. */
  what: string
  path: string
  request: Request
  /** It breaks what the description says, so that it has to be refused. */
  wrong: boolean
}

/** What a request is made of before it is sent. */
interface Draft {
  what: string
  ids: string[]
  query: [string, string][]
  body: unknown
  /** Sent as it is, instead of the body. */
  raw?: string | Buffer
  headers: Record<string, string>
  wrong: boolean
}

export interface Stock {
  /** Ids that there are, by the prefix of their kind. */
  ids: Record<string, string[]>
  keys: string[]
  /** What a browser sends of somebody who is signed in, where an operation is for people. */
  browser?: Record<string, string>
}

const path = (operation: Operation, { ids, query }: Draft) => {
  let n = 0
  const filled = operation.path.replaceAll(/\{\w+\}/g, () => ids[n++] ?? '')
  const asked = query.map(([name, value]) => `${name}=${value}`).join('&')
  return asked === '' ? filled : `${filled}?${asked}`
}

/** Requests that fit the description, from somebody of any level. */
function drafts(operation: Operation, stock: Stock): fc.Arbitrary<Draft> {
  const inPath = operation.parameters.filter((one) => one.in === 'path')
  const inQuery = operation.parameters.filter((one) => one.in === 'query' && one.name !== 'cursor')
  const asked = fc.record(
    Object.fromEntries(inQuery.map(({ name, schema }) => [name, fitting(schema)])),
    { requiredKeys: inQuery.filter(({ required }) => required).map(({ name }) => name) },
  )
  return fc.record({
    what: fc.constant('as it should be'),
    ids: fc.tuple(...inPath.map(() => idFor(operation, stock))),
    query: asked.map((values) =>
      Object.entries(values).map(([name, value]): [string, string] => [
        name,
        encodeURIComponent(String(value).toWellFormed()),
      ]),
    ),
    body: operation.body ? fitting(operation.body) : fc.constant(undefined),
    headers: fc.uuid().map((key) => headersFor(operation, key)),
    wrong: fc.constant(false),
  })
}

/** A key where the operation takes one, so that a repeated case has no second effect. */
function headersFor({ method, parameters }: Operation, key: string): Record<string, string> {
  const keyed = parameters.some(({ name }) => name === 'Idempotency-Key')
  return {
    ...(keyed ? { 'Idempotency-Key': key } : {}),
    ...(method === 'GET' ? {} : { 'If-Match': '"v1"' }),
  }
}

/** Changes are asked of things that are nobody's key, so that the keys live on. */
function idFor({ method, path }: Operation, { ids }: Stock): fc.Arbitrary<string> {
  const kind = path.split('/')[2] ?? ''
  const some = Object.entries(ids).filter(([prefix]) => method === 'GET' || !isAccess(prefix))
  const meant = some.filter(([prefix]) => kindOf[kind] === prefix).flatMap(([, found]) => found)
  const never = fc.stringMatching(
    new RegExp(`^${kindOf[kind] ?? 'xxx'}_[0-7][0-9a-hjkmnp-tv-z]{25}$`),
  )
  return meant.length > 0 ? fc.oneof(fc.constantFrom(...meant), never) : never
}

const isAccess = (prefix: string) => ['key', 'mem', 'prt', 'ses'].includes(prefix)

/** The prefix of the ids that stand behind a collection's name. */
export const kindOf: Record<string, string> = {
  accruals: 'acc',
  adjustments: 'adj',
  'agreement-terms': 'trm',
  agreements: 'agr',
  'api-keys': 'key',
  'application-invitations': 'apv',
  certificates: 'crt',
  courses: 'crs',
  enrolments: 'enr',
  screenings: 'scr',
  'territory-assignments': 'ter',
  'territory-conflicts': 'tcf',
  applications: 'app',
  approvals: 'apr',
  customers: 'cus',
  'line-disputes': 'ldp',
  links: 'lnk',
  'manual-tasks': 'mtk',
  'member-invitations': 'miv',
  members: 'mem',
  packages: 'pkg',
  partners: 'prt',
  passkeys: 'psk',
  payouts: 'pay',
  reconciliation: 'brk',
  reserves: 'rsv',
  'self-billing-documents': 'sbd',
  sessions: 'ses',
  'settlement-runs': 'run',
  statements: 'stm',
  subscriptions: 'sub',
  'tax-forms': 'txf',
  tenants: 'ten',
}

const strange = fc.constantFrom<unknown>(
  ...[null, true, 0, -1, 1.5, 2 ** 53, Number.MAX_SAFE_INTEGER, -(2 ** 53), 1e21, '', ' ', 'x'],
  ...['\u0000', 'a\u0000b', '\ud800', '\udc00x', '\u202e', 'x'.repeat(300), 'x'.repeat(20_000)],
  ...[[], {}, [[]], [null], { a: 1 }, { toString: null }, '2026-02-30', 'prt_', '{{7*7}}', '1e3'],
)

/** Every place in a value, as the path to it. */
function placesIn(value: unknown, at: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [at]
  return [at, ...Object.entries(value).flatMap(([key, inner]) => placesIn(inner, [...at, key]))]
}

function changedAt(value: unknown, [first, ...rest]: string[], change: (old: unknown) => unknown) {
  if (first === undefined) return change(value)
  const copy = structuredClone(value) as Record<string, unknown>
  copy[first] = changedAt(copy[first], rest, change)
  return copy
}

const without = (value: unknown, name: string): unknown => {
  const { [name]: _gone, ...rest } = value as Record<string, unknown>
  return rest
}

/** Text that JSON cannot keep as it is told: the description allows it, and we do not. */
const isUnfit = (value: unknown) => /\\u0000|\\ud[89a-f]/i.test(JSON.stringify(value) ?? '')

type Change = (draft: Draft, operation: Operation) => fc.Arbitrary<Draft>

/** One value somewhere in the body is another, is left out, or is one too many. */
const brokenBody: Change = (draft, { body: schema }) => {
  if (!schema) return fc.constant(draft)
  const places = placesIn(draft.body)
  const wrongly = (what: string, body: unknown): Draft => {
    const wrong = isUnfit(body) || misfits(schema, body).length > 0
    return { ...draft, what, body, wrong }
  }
  return fc.oneof(
    fc.tuple(fc.constantFrom(...places), strange).map(([place, value]) =>
      wrongly(
        `strange /${place.join('/')}`,
        changedAt(draft.body, place, () => value),
      ),
    ),
    fc.constantFrom(...places.filter((place) => place.length > 0), ['-']).map((place) => {
      const name = place.at(-1) ?? ''
      const body = changedAt(draft.body, place.slice(0, -1), (old) =>
        Array.isArray(old) ? old : without(old, name),
      )
      return wrongly(`without /${place.join('/')}`, body)
    }),
    fc
      .constantFrom('extra', 'partner_id', 'level', 'id', 'toString', '$where')
      .map((name) => wrongly(`with ${name}`, { ...(draft.body as object), [name]: 'x' })),
  )
}

const deep = (open: string, close: string) => `${open.repeat(5_000)}1${close.repeat(5_000)}`

/** The text of the body is no JSON, or none that anybody should rely on. */
const brokenText: Change = (draft, { body: schema }) => {
  if (!schema) return fc.constant(draft)
  const text = JSON.stringify(draft.body)
  const inside = text.slice(1)
  const broken: [string, string | Buffer][] = [
    ['half of it', text.slice(0, -1)],
    ['twice', text + text],
    ['empty', ''],
    ['a repeated field', `{"name":"a","name":"b",${inside}`],
    ['an inherited field', `{"__proto__":{"level":"super_admin"},${inside}`],
    ['1e400', `{"amount":1e400,${inside}`],
    ['2^53', `{"amount":9007199254740993,${inside}`],
    ['-0', `{"amount":-0,${inside}`],
    ['a comment', `/* */${text}`],
    ['single quotes', text.replaceAll('"', "'")],
    ['not UTF-8', Buffer.concat([Buffer.from(text), Buffer.from([0xc3, 0x28])])],
    ['UTF-16', Buffer.from(text, 'utf16le')],
    ['deep lists', deep('[', ']')],
    ['deep objects', deep('{"a":', '}')],
    ['a list', '[]'],
    ['null', 'null'],
  ]
  return fc
    .constantFrom(...broken)
    .map(([what, raw]) => ({ ...draft, what: `text: ${what}`, raw, wrong: true }))
}

const strangeValues = [
  '',
  '%00',
  '%ff',
  '%',
  '-1',
  '0',
  '101',
  '1e99',
  'NaN',
  '%F0%9F%92%A9',
  'a b',
]

/** A parameter is unknown, comes twice, or has a value that it cannot have. */
const brokenQuery: Change = (draft, { parameters }) => {
  const declared = parameters.filter((one) => one.in === 'query')
  const names = declared.map(({ name }) => name)
  const strict = names.includes('limit')
  const plus = (what: string, more: [string, string][], wrong: boolean): Draft => ({
    ...draft,
    what: `query: ${what}`,
    query: [...draft.query.filter(([name]) => !more.some(([other]) => other === name)), ...more],
    wrong,
  })
  return fc.oneof(
    fc
      .constantFrom('sort', 'include', 'limit[]', '__proto__', 'partner_id', 'access_token')
      .map((name) => plus(`unknown ${name}`, [[name, 'x']], strict)),
    fc
      .tuple(fc.constantFrom(...names, 'limit'), fc.constantFrom(...strangeValues))
      .map(([name, value]) =>
        plus(
          `${name}=${value}`,
          [[name, value]],
          strict && /^(limit|cursor)$/.test(name) && !/^0$/.test(name),
        ),
      ),
    fc.constantFrom(...names, 'limit').map((name) =>
      plus(
        `${name} twice`,
        [
          [name, '1'],
          [name, '1'],
        ],
        names.length > 0,
      ),
    ),
  )
}

// Dots alone in a segment would be taken away by the client: another path, not a strange id.
const strangeIds = [
  ...[
    'x',
    '..%2f..',
    '%2e%2e%2f',
    '%00',
    '%ff',
    '%',
    '%2f',
    '-',
    '0',
    'null',
    'undefined',
    '[object%20Object]',
  ],
  ...[
    "'%20or%201=1--",
    'prt_',
    `cus_${'z'.repeat(26)}`,
    'a'.repeat(2_000),
    '日本',
    '%E0%A4%A',
    ';',
  ],
  ...['00000000-0000-0000-0000-000000000000', 'CUS_01H455VB4PEX5VSKNK084SN02Q', '*', '%0d%0aX:1'],
]

/** The id in the path is of another kind or is no id at all. */
const brokenId: Change = (draft, operation) => {
  if (draft.ids.length === 0) return fc.constant(draft)
  return fc.constantFrom(...strangeIds).map((id) => ({
    ...draft,
    what: `id: ${id}`,
    ids: [id],
    wrong: operation.method !== 'GET' || id !== '..',
  }))
}

const mediaTypes = [
  ...['text/plain', 'application/xml', 'application/jsonx', 'multipart/form-data; boundary=x', ''],
  ...['application/x-www-form-urlencoded', 'text/json', '*/*', 'application/json-patch+json'],
]

/** Headers that are sent wrongly, by mistake or on purpose. */
const brokenHeaders: Change = (draft, { method, body, needsKey }) => {
  const header = (name: string, value: string, wrong: boolean): Draft => ({
    ...draft,
    what: `${name}: ${value.slice(0, 40)}`,
    headers: { ...draft.headers, [name]: value },
    wrong,
  })
  const changes = method !== 'GET'
  return fc.oneof(
    fc
      .constantFrom(
        ...['Basic YTpi', 'Bearer', 'Bearer a b', 'Bearer é', 'Token x', 'Bearer null', 'é'],
        ...[`Bearer ${'x'.repeat(4_000)}`, 'Bearer trb_test_sk_x', 'Bearer a, Bearer b', 'Digest'],
      )
      .map((value) => header('Authorization', value, needsKey)),
    fc
      .constantFrom('a b', 'é', '""', 'x'.repeat(256), '"a b"')
      .map((value) => header('Idempotency-Key', value, changes && needsKey)),
    fc
      .constantFrom(...mediaTypes)
      .map((value) => header('Content-Type', value, body !== undefined)),
    fc
      .constantFrom('gzip', 'br', 'deflate, gzip', 'x')
      .map((value) => (changes ? header('Content-Encoding', value, true) : draft)),
    fc
      .tuple(
        fc.constantFrom(
          ...['If-Match', 'If-None-Match', 'Accept', 'traceparent', 'X-Forwarded-For', 'Prefer'],
          ...['Cookie', 'Origin', 'Sec-Fetch-Site', 'Range', 'Expect-CT', 'X-HTTP-Method-Override'],
        ),
        fc.constantFrom(
          ...['', '*', '"', 'W/"v1"', '00-0-0-0', 'é', 'x'.repeat(4_000), ',,,', 'DELETE'],
          ...['__Host-sid=x', '__Host-sid=%00; __Host-sid=y', 'null', 'cross-site', 'wait=-1'],
        ),
      )
      .map(([name, value]) => header(name, value, false)),
  )
}

const asItIs: Change = (draft) => fc.constant(draft)

/** A third of the cases are good, as far as the description says. */
const changes: Change[] = [
  ...[asItIs, asItIs, asItIs, brokenBody, brokenBody, brokenText, brokenQuery, brokenId],
  brokenHeaders,
]

/** Who asks: through a key, or in a browser. */
function callers({ keys, browser }: Stock): fc.Arbitrary<Pick<Request, 'key' | 'headers'>> {
  const through = keys.map((key) => ({ key }))
  const keyed = fc.constantFrom<Pick<Request, 'key' | 'headers'>>(...through)
  if (!browser) return keyed
  return fc.oneof(keyed, { arbitrary: fc.constant({ headers: browser }), weight: 3 })
}

export function casesOf(operation: Operation, stock: Stock): fc.Arbitrary<Case> {
  return fc
    .tuple(drafts(operation, stock), fc.constantFrom(...changes), callers(stock))
    .chain(([draft, change, who]) => change(draft, operation).map((made) => ({ made, who })))
    .map(({ made, who }) => {
      const { what, body, raw, wrong } = made
      const headers = { ...who.headers, ...made.headers }
      return {
        what,
        path: path(operation, made),
        request: {
          method: operation.method,
          ...('Authorization' in headers || !who.key ? {} : { key: who.key }),
          ...(raw === undefined ? (body === undefined ? {} : { body }) : { raw }),
          headers,
        },
        wrong,
      }
    })
}
