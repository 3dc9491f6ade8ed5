import { randomBytes } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { sql } from 'kysely'
import { processRoles } from '../../db/roles.ts'
import { openTenancy } from '../../db/tenancy.ts'
import { createDatabase, databaseUrl, dropDatabase } from '../../scripts/launch/databases.ts'
import { eventually } from '../../scripts/story/client.ts'
import { type Product, startProduct } from '../support/product.ts'
import { suiteFacts } from '../support/suite.ts'
import { type Call, clientOf, serveWith } from './kit.ts'
import { goneTemporal } from './temporal-away.ts'

let product: Product
let call: Call
beforeAll(async () => {
  product = await startProduct()
  call = clientOf(product.api)
})
afterAll(() => product.stop())

const good = { database: 'ok', migrations: 'ok', temporal: 'ok', worker: 'ok' }

const open = (url: string) =>
  openTenancy({
    url,
    poolSize: 2,
    applicationName: 'health',
    role: processRoles.api,
    contextSecret: 'nobody knows this one',
    onError: () => {},
  })

describe('the process', () => {
  it('lives, whatever else is missing', async () => {
    const database = open('postgres://nobody@127.0.0.1:9/nothing')
    const other = await serveWith(product, { tenancy: database, temporal: goneTemporal() })
    for (const api of [call, other.call]) {
      const { status, body } = await api('/healthz')
      expect([status, body]).toEqual([200, { ok: true }])
    }
    await other.stop()
    await database.close()
  })
})

describe('readiness', () => {
  it('is denied without a worker, by name', async () => {
    const { status, body } = await call('/readyz')
    expect(status).toBe(503)
    expect(body).toEqual({ ready: false, checks: { ...good, worker: 'failed' } })
  })

  it('is denied without a database, and the rest is still looked at', async () => {
    const database = open('postgres://nobody@127.0.0.1:9/nothing')
    const other = await serveWith(product, { tenancy: database })
    const { status, body } = await other.call('/readyz')
    expect(status).toBe(503)
    expect(body.checks).toMatchObject({ database: 'failed', migrations: 'failed', temporal: 'ok' })
    await other.stop()
    await database.close()
  })

  it('is denied by a database that is not migrated', async () => {
    const { postgresUrl } = suiteFacts()
    const name = `bare_${randomBytes(4).toString('hex')}`
    await createDatabase(postgresUrl, name)
    const database = open(databaseUrl(postgresUrl, name))
    const other = await serveWith(product, { tenancy: database })
    const { body } = await other.call('/readyz')
    expect(body.checks).toMatchObject({ database: 'ok', migrations: 'failed' })
    await other.stop()
    await database.close()
    await dropDatabase(postgresUrl, name)
  })

  it('is denied without the process engine', async () => {
    const other = await serveWith(product, { temporal: goneTemporal() })
    const { status, body } = await other.call('/readyz')
    expect([status, body.checks]).toEqual([503, { ...good, temporal: 'failed', worker: 'failed' }])
    await other.stop()
  })

  it('is denied by a database that takes connections and says nothing', async () => {
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', () => resolve()))
    const { port } = silent.address() as AddressInfo
    const database = open(`postgres://nobody@127.0.0.1:${port}/nothing`)
    const other = await serveWith(product, { tenancy: database })
    const { status, body } = await other.call('/readyz')
    expect([status, body.checks]).toMatchObject([503, { database: 'failed' }])
    await other.stop()
    silent.close()
  })

  it('comes with the worker, and again after every connection to the database was cut', async () => {
    const worker = await product.startWorker()
    const ready = () =>
      eventually('the product is ready', async () => {
        const { status, body } = await call('/readyz')
        return status === 200 ? body : undefined
      })
    expect(await ready()).toEqual({ ready: true, checks: good })
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and pid <> pg_backend_pid()`.execute(product.db)
    expect(await ready()).toEqual({ ready: true, checks: good })
    expect((await call('/v1/me', { key: product.owner })).status).toBe(200)
    await worker.stop()
  })
})
