import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import Koa from 'koa'
import { sql } from 'kysely'
import {
  answerConditionally,
  etagOf,
  etagOfBytes,
  isUnchanged,
  requireMatch,
} from '../../api/etag.ts'
import { isDomainError } from '../../domain/errors.ts'
import { createTestDatabase } from '../support/database.ts'
import { makeKey, makeLink, makeOrder, makePartner, makeProgramme } from '../support/factories.ts'

function refused(work: () => void): string {
  try {
    work()
    return 'taken'
  } catch (error) {
    return isDomainError(error) ? error.code : String(error)
  }
}

describe('If-Match', () => {
  it.each([
    ['"v7"', 'taken'],
    ['"v6", "v7"', 'taken'],
    [' "v7" ', 'taken'],
    ['*', 'taken'],
    ['', 'precondition_required'],
    ['"v6"', 'precondition_failed'],
    ['W/"v7"', 'precondition_failed'],
    ['"v77"', 'precondition_failed'],
    ['v7', 'malformed_request'],
    ['"v7', 'malformed_request'],
    ['"v7" "v8"', 'malformed_request'],
    ['*, "v7"', 'malformed_request'],
  ])('of %s for version 7: %s', (header, expected) => {
    expect(refused(() => requireMatch(header, 7n))).toBe(expected)
  })

  it('says which version where money is moved: any will not do', () => {
    expect(refused(() => requireMatch('*', 7n, { money: true }))).toBe('precondition_required')
    expect(refused(() => requireMatch('"v7"', 7n, { money: true }))).toBe('taken')
  })

  it('takes the hash of an answer too', () => {
    const etag = etagOfBytes('{}')
    expect(refused(() => requireMatch(etag, etag))).toBe('taken')
    expect(refused(() => requireMatch(etagOfBytes('[]'), etag))).toBe('precondition_failed')
  })
})

describe('If-None-Match', () => {
  it.each([
    ['"v7"', true],
    ['W/"v7"', true],
    ['"a", "v7"', true],
    ['*', true],
    ['"v8"', false],
    ['v7', false],
    ['', false],
  ])('of %s against version 7: %s', (header, expected) => {
    expect(isUnchanged(header, etagOf(7n))).toBe(expected)
  })
})

describe('an answer', () => {
  const app = new Koa()
  app.use((context) => {
    if (context.path === '/versioned') context.set('ETag', etagOf(3n))
    context.status = context.path === '/missing' ? 404 : 200
    context.type = 'application/json; charset=utf-8'
    context.body = context.path === '/bytes' ? Buffer.from([1, 2, 3]) : '{"id":1}'
    answerConditionally(context)
  })
  const server = createServer(app.callback())
  let url = ''
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => new Promise((resolve) => server.close(resolve)))

  const get = async (path: string, request: RequestInit = {}) => {
    const response = await fetch(`${url}${path}`, request)
    return { status: response.status, headers: response.headers, text: await response.text() }
  }

  it('has the version of its row, or else the hash of its bytes', async () => {
    expect((await get('/versioned')).headers.get('etag')).toBe('"v3"')
    expect((await get('/plain')).headers.get('etag')).toBe(etagOfBytes('{"id":1}'))
    expect((await get('/bytes')).headers.get('etag')).toBe(etagOfBytes(Buffer.from([1, 2, 3])))
  })

  it('has none where nothing was read', async () => {
    expect((await get('/missing')).headers.get('etag')).toBeNull()
    expect((await get('/plain', { method: 'POST' })).headers.get('etag')).toBeNull()
  })

  it.each(['/versioned', '/plain', '/bytes'])(
    'leaves out what the reader has already: %s',
    async (path) => {
      const etag = (await get(path)).headers.get('etag') ?? ''
      const again = await get(path, { headers: { 'If-None-Match': etag } })
      expect([again.status, again.text]).toEqual([304, ''])
      expect(again.headers.get('etag')).toBe(etag)
      expect(again.headers.get('content-type')).toBeNull()
      const head = await get(path, { method: 'HEAD', headers: { 'If-None-Match': etag } })
      expect(head.status).toBe(304)
      const changed = await get(path, { headers: { 'If-None-Match': '"v2"' } })
      expect(changed.status).toBe(200)
    },
  )
})

describe('the version of a row', () => {
  it('counts every change of what can be changed, and nobody else sets it', async () => {
    const database = await createTestDatabase()
    const { db } = database
    await makeProgramme(db)
    const partnerId = await makePartner(db)
    await makeKey(db, partnerId)
    await makeLink(db, partnerId)
    await makeOrder(db, partnerId)
    const tables = {
      partners: sql`name = name || 'x'`,
      members: sql`role = case role when 'owner' then 'admin' else 'owner' end`,
      api_keys: sql`label = label || 'x'`,
      customers: sql`vendor_customer_id = coalesce(vendor_customer_id, '') || 'x'`,
      partner_links: sql`name = name || 'x'`,
      feature_packages: sql`name = name || 'x'`,
    }
    for (const [table, change] of Object.entries(tables)) {
      const { rows } = await sql<{ id: string; version: bigint }>`
        select id, version from ${sql.table(table)} order by id limit 1`.execute(db)
      const id = rows[0]?.id
      const versionAfter = async (set: typeof change) => {
        const updated = await sql<{ version: bigint }>`
          update ${sql.table(table)} set ${set} where id = ${id} returning version`.execute(db)
        return updated.rows[0]?.version
      }
      const first = rows[0]?.version ?? 0n
      expect([table, await versionAfter(change)]).toEqual([table, first + 1n])
      expect([table, await versionAfter(sql`id = id`)]).toEqual([table, first + 1n])
      expect([table, await versionAfter(sql`version = 99`)]).toEqual([table, first + 1n])
      expect([table, await versionAfter(change)]).toEqual([table, first + 2n])
    }
    await database.drop()
  })

  it('of a key stays when the key is used', async () => {
    const database = await createTestDatabase()
    await makeProgramme(database.db)
    await makeKey(database.db, null)
    const { rows } = await sql<{ version: bigint }>`update api_keys
      set last_used_at = clock_timestamp() returning version`.execute(database.db)
    expect(rows[0]?.version).toBe(1n)
    await database.drop()
  })
})
