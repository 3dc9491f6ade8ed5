/** Tests that every route with a key, an id or a list has to pass; called from its own file. */
import { sql } from 'kysely'
import { generateKey } from '../../api/keys.ts'
import type { Db } from '../../db/database.ts'
import { makeKey } from '../support/factories.ts'
import { type Answer, type Call, faults, type Json, rows, withoutRequestId } from './kit.ts'

export interface Stage {
  db: Db
  call: Call
}

const prefixes: Record<string, string> = {
  accruals: 'acc',
  adjustments: 'adj',
  'agreement-terms': 'trm',
  agreements: 'agr',
  approvals: 'apr',
  'api-keys': 'key',
  applications: 'app',
  'application-invitations': 'apv',
  certificates: 'crt',
  courses: 'crs',
  customers: 'cus',
  enrolments: 'enr',
  'line-disputes': 'ldp',
  links: 'lnk',
  'manual-tasks': 'mtk',
  packages: 'pkg',
  partners: 'prt',
  payouts: 'pay',
  reconciliation: 'brk',
  reserves: 'rsv',
  screenings: 'scr',
  'self-billing-documents': 'sbd',
  'settlement-runs': 'run',
  statements: 'stm',
  subscriptions: 'sub',
  'tax-forms': 'txf',
  tenants: 'ten',
  'territory-assignments': 'ter',
  'territory-conflicts': 'tcf',
}

/** The id of something of this kind that never was. */
export const unknownId = (prefix: string) => `${prefix}_01h455vb4pex5vsknk084sn02q`

/** `GET /v1/partners/:id` with this id in it, or with one that never was. */
export function requestTo(route: string, id?: string) {
  const [method = 'GET', path = '/'] = route.split(' ')
  const kind = path.split('/')[2] ?? ''
  const filled = path.replace(':id', id ?? unknownId(prefixes[kind] ?? 'xxx')).replace(':n', '1')
  return { method, path: filled, ...(method === 'POST' ? { body: {} } : {}) }
}

type StrangeKey = 'missing' | 'malformed' | 'mistyped' | 'live' | 'unknown' | 'revoked' | 'expired'
const strangeKeys: StrangeKey[] = [
  'missing',
  'malformed',
  'mistyped',
  'live',
  'unknown',
  'revoked',
  'expired',
]

async function strangeKey(db: Db, kind: StrangeKey): Promise<string | null> {
  switch (kind) {
    case 'missing':
      return null
    case 'malformed':
      return 'let-me-in'
    case 'mistyped':
      return generateKey('test').secret.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))
    case 'live':
      return generateKey('live').secret
    case 'unknown':
      return generateKey('test').secret
    case 'revoked':
      return spentKey(db, 'revoked_at')
    case 'expired':
      return spentKey(db, 'expires_at')
  }
}

/** A key of the platform owner that was good until a moment ago. */
async function spentKey(db: Db, column: 'revoked_at' | 'expires_at'): Promise<string> {
  const key = await makeKey(db, null)
  await sql`update api_keys set ${sql.ref(column)} = clock_timestamp() - interval '1 second'
    where last_four = ${key.slice(-4)}`.execute(db)
  return key
}

/** Registers a test for each way in which a key can be no good. */
export function itTakesLiveKeysOnly(stage: () => Stage, routes: string[]): void {
  it.each(strangeKeys)('answers a request whose key is %s with 401', async (kind) => {
    const { db, call } = stage()
    const key = await strangeKey(db, kind)
    for (const route of routes) {
      const { path, ...request } = requestTo(route)
      const answer = await call(path, { ...request, key })
      expect([route, answer.status, answer.body.code]).toEqual([route, 401, 'not_authenticated'])
    }
  })
}

export type Levels = Record<'super_admin' | 'master_reseller' | 'reseller', string>

/** Registers a test that those below the levels are refused before anything is looked at. */
export function itIsClosedTo(
  levels: (keyof Levels)[],
  routes: string[],
  stage: () => Stage & { keys: Levels },
): void {
  it.each(routes)(`is closed to ${levels.join(' and ')}: %s`, async (route) => {
    const { call, keys } = stage()
    for (const level of levels) {
      const { path, ...request } = requestTo(route)
      const answer = await call(path, { ...request, key: keys[level] })
      expect([answer.status, answer.body.code]).toEqual([403, 'level_not_allowed'])
    }
  })
}

/** What exists and is hidden, what never was and what is no id at all look the same. */
export async function expectHidden(
  call: Call,
  hidden: {
    route: string
    id: string
    strangers: string[]
    body?: Json
    /** Where the id is in the body and not in the path. */
    bodyOf?: (id: string) => Json
  },
): Promise<void> {
  const { route, id, strangers } = hidden
  const unknown = unknownId(id.split('_')[0] ?? '')
  for (const key of strangers) {
    const answers: Answer[] = []
    for (const tried of [id, unknown]) {
      const { path, method } = requestTo(route, tried)
      const body = hidden.bodyOf?.(tried) ?? hidden.body
      answers.push(await call(path, { method, key, ...(body ? { body } : {}) }))
    }
    const [answer, ofUnknown] = answers.map(withoutRequestId)
    expect([answers[0]?.status, answers[0]?.body.code]).toEqual([404, 'not_found'])
    expect(answer).toEqual(ofUnknown)
  }
}

/** What no list takes as a query, and where it says the fault is. */
const badQueries: [string, string][] = [
  ['limit=0', 'invalid /limit'],
  ['limit=101', 'invalid /limit'],
  ['limit=-1', 'invalid /limit'],
  ['limit=2.5', 'invalid /limit'],
  ['limit=many', 'invalid /limit'],
  ['limit=1&limit=2', 'repeated /limit'],
  ['colour=red', 'unknown_field /colour'],
]

/** Queries of lists that can be narrowed to a partner or a period. */
export const badEarningsQueries: [string, string][] = [
  ['period=2026-13', 'invalid /period'],
  ['period=2026-1', 'invalid /period'],
  ['period=', 'invalid /period'],
  ['period=2026-10&period=2026-11', 'repeated /period'],
  ['partner=north', 'invalid /partner'],
  ['partner=cus_01h455vb4pex5vsknk084sn02q', 'invalid /partner'],
]

export function itRefusesBadQueries(
  path: string,
  stage: () => Stage & { key: string },
  more: [string, string][] = [],
): void {
  it.each([...badQueries, ...more])(`refuses ${path}?%s and says where`, async (query, fault) => {
    const { call, key } = stage()
    expect(faults(await call(`${path}?${query}`, { key }))).toEqual([fault])
  })

  it.each(['', 'bm90IGEgY3Vyc29y'])(
    `refuses ${path}?cursor=%s: it is none of its own`,
    async (cursor) => {
      const { call, key } = stage()
      const answer = await call(`${path}?cursor=${cursor}`, { key })
      expect([answer.status, answer.body.code]).toEqual([400, 'malformed_request'])
    },
  )
}

/** All rows of a list, page by page. */
export async function walk(
  call: Call,
  list: { path: string; key: string; limit: number },
): Promise<Json[]> {
  const seen: Json[] = []
  let cursor: unknown = null
  do {
    const separator = list.path.includes('?') ? '&' : '?'
    const after = cursor === null ? '' : `&cursor=${String(cursor)}`
    const url = `${list.path}${separator}limit=${list.limit}${after}`
    const page = await call(url, { key: list.key })
    const found = rows(page)
    expect(found.length).toBeLessThanOrEqual(list.limit)
    expect(Object.keys(page.body).sort()).toEqual(['data', 'has_more', 'next_cursor'])
    seen.push(...found)
    cursor = page.body.next_cursor
  } while (cursor !== null)
  return seen
}
