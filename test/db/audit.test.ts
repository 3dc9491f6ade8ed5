/** The audit trail: what is recorded, for whom, in which chain, and that nobody can unrecord it. */

import { generateKeyPairSync, randomUUIDv7 } from 'node:crypto'
import { type RawBuilder, sql } from 'kysely'
import { listAuditEvents, recordDailyHead, recordRefusal } from '../../db/audit.ts'
import { storeContextKey } from '../../db/context-keys.ts'
import { type Db, inTransaction, type Trx } from '../../db/database.ts'
import { sealedFields } from '../../db/personal-fields.ts'
import { processRoles } from '../../db/roles.ts'
import { withScratchSchema } from '../../db/scratch.ts'
import { openTenancy, type Tenancy } from '../../db/tenancy.ts'
import { auditKinds, smallestIdAt } from '../../domain/audit.ts'
import { auditSigner } from '../../integrations/audit-heads.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { makeChain, makeLink, makePartner, makeProgramme } from '../support/factories.ts'
import { exempt } from './audit-exempt.ts'

const contextSecret = 'a secret that signs the contexts of this test'

let database: TestDatabase
let db: Db
let tenancy: Tenancy
let chain: { master: string; reseller: string }
beforeAll(async () => {
  database = await createTestDatabase(24)
  db = database.db
  await makeProgramme(db)
  chain = await makeChain(db)
  await storeContextKey(db, contextSecret)
  tenancy = openTenancy({
    url: database.url,
    poolSize: 4,
    applicationName: 'audit',
    role: processRoles.api,
    contextSecret,
    onError: () => {},
  })
})
afterAll(async () => {
  await tenancy.close()
  await database.drop()
})

const platform = '00000000-0000-0000-0000-000000000000'

/** What work adds to the trail, oldest first. */
async function recordedBy(work: () => Promise<unknown>) {
  const { rows } = await sql<{ id: string }>`
    select coalesce(max(id::text), '') as id from audit_events`.execute(db)
  await work()
  return db
    .selectFrom('auditEvents')
    .selectAll()
    .where(sql<boolean>`id::text > ${rows[0]?.id ?? ''}`)
    .orderBy('id')
    .execute()
}

const run = (statement: RawBuilder<unknown>) => () => statement.execute(db)

function customer(partnerId: string, name = 'Café Grün') {
  const id = randomUUIDv7()
  const texts = { name, email: 'pay@cafe.example' }
  const fields = sealedFields('customers', { id, organisation: partnerId }, texts)
  return sql`insert into customers (id, partner_id, name_sealed, email_sealed)
    values (${id}, ${partnerId}, ${fields.nameSealed}, ${fields.emailSealed})`
}

describe('a change is recorded by the database', () => {
  it('once for each row, with its owner, where that stands, and hashes of the row', async () => {
    const [created, ...more] = await recordedBy(run(customer(chain.reseller)))
    expect(more).toEqual([])
    expect(created).toMatchObject({
      tenant: chain.reseller,
      partnerId: chain.reseller,
      masterId: chain.master,
      kind: 'customer',
      verb: 'created',
      changed: null,
      beforeHash: null,
      code: null,
      actor: 'system:tributary',
    })
    const subject = created?.subject ?? ''
    const [changed] = await recordedBy(
      run(sql`update customers set email_sealed = '1', name_sealed = '2' where id = ${subject}`),
    )
    expect(changed).toMatchObject({
      verb: 'changed',
      subject,
      changed: ['email_sealed', 'name_sealed'],
    })
    expect(changed?.beforeHash).toEqual(created?.afterHash)
    expect(changed?.seq).toBe((created?.seq ?? 0n) + 1n)
  })

  it('without what is in its columns', async () => {
    const [event] = await recordedBy(run(customer(chain.reseller, 'Zwetschgendatschi')))
    expect(JSON.stringify({ ...event, seq: 0 })).not.toMatch(/Zwetschgendatschi|cafe.example/)
  })

  it('in the chain of the platform where it belongs to nobody else', async () => {
    const threshold = run(sql`update tiers set threshold_minor = threshold_minor + 1
      where tier = 'gold'`)
    const [event] = await recordedBy(threshold)
    expect(event).toMatchObject({ tenant: platform, partnerId: null, kind: 'tier' })
    expect(event?.subject).toMatch(/^[0-9a-f-]{36}\/gold$/)
  })

  it('as a removal and a creation where the key itself changes', async () => {
    const events = await recordedBy(() =>
      inTransaction(db, async (trx) => {
        await sql`insert into commission_bands (rule_id, from_minor, to_minor, rate_num, rate_den)
          select id, 5, null, 1, 10 from commission_rules limit 1`.execute(trx)
        await sql`update commission_bands set from_minor = 7 where from_minor = 5`.execute(trx)
        await sql`delete from commission_bands where from_minor = 7`.execute(trx)
      }),
    )
    expect(events.map(({ verb, subject }) => [verb, subject.split('/')[1]])).toEqual([
      ['created', '5'],
      expect.anything(),
      expect.anything(),
      ['removed', '7'],
    ])
    const moved = events.slice(1, 3).map(({ verb, subject }) => `${verb} ${subject.slice(-1)}`)
    expect(moved.sort()).toEqual(['created 7', 'removed 5'])
  })

  it('with a thousand others of one statement, each at its own place', async () => {
    const others = [await makePartner(db), await makePartner(db), chain.reseller]
    const events = await recordedBy(
      run(sql`insert into customers (partner_id, name_sealed, email_sealed)
        select partner.id, 'bulk', 'b@x.example'
        from unnest(${others}::uuid[]) partner (id), generate_series(1, 400)`),
    )
    expect(events).toHaveLength(1_200)
    const places = new Set(events.map(({ tenant, seq }) => `${tenant} ${seq}`))
    expect(places.size).toBe(1_200)
  })

  it('and not where nothing changed, or only when something was used', async () => {
    const nothing = [
      sql`update customers set name_sealed = name_sealed`,
      sql`update customers set name_sealed = 'x' where false`,
      sql`delete from customers where false`,
      sql`update api_keys set last_used_at = clock_timestamp()`,
      sql`update customers set reseller_id = partner_id, master_id = partner_id where false`,
    ]
    for (const statement of nothing) expect(await recordedBy(run(statement))).toEqual([])
  })

  it('with who did it, for whom, in which request', async () => {
    const member = `member:${chain.reseller}`
    const events = await recordedBy(() =>
      tenancy.withTenant(
        {
          level: 'super_admin',
          partnerId: null,
          customerId: null,
          actor: `key:${chain.master}`,
          onBehalfOf: member,
          requestId: 'request-1',
          action: 'POST /v1/things',
        },
        (trx) => sql`update programmes set name = name || '!'`.execute(trx),
      ),
    )
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({
      kind: 'programme',
      actor: `key:${chain.master}`,
      onBehalfOf: member,
      requestId: 'request-1',
      action: 'POST /v1/things',
    })
  })

  it('for the organisation that acts, where the row itself has none', async () => {
    const context = {
      level: 'reseller' as const,
      partnerId: chain.reseller,
      customerId: null,
      actor: 'member:x',
      onBehalfOf: null,
      requestId: null,
      action: 'POST /v1/x',
    }
    const refuse = () =>
      recordRefusal(tenancy.dbFor(context), { route: 'POST /v1/x', code: 'forbidden' })
    const events = await recordedBy(refuse)
    expect(events).toHaveLength(1)
    expect(events[0]).toMatchObject({
      tenant: chain.reseller,
      masterId: chain.master,
      kind: 'request',
      subject: 'POST /v1/x',
      verb: 'refused',
      code: 'forbidden',
    })
  })

  it('and goes with its transaction, or with its savepoint', async () => {
    const events = await recordedBy(async () => {
      const trx = await db.startTransaction().execute()
      await customer(chain.reseller, 'lost').execute(trx)
      await trx.rollback().execute()
      const other = await db.startTransaction().execute()
      const inner = await other.savepoint('inner').execute()
      await customer(chain.reseller, 'lost too').execute(inner)
      const outer = await inner.rollbackToSavepoint('inner').execute()
      await makeLink(outer as unknown as Db, chain.reseller)
      await other.commit().execute()
    })
    expect(events.map(({ kind }) => kind)).toEqual(['link'])
  })

  it('in a schema of its own, and with it leaves nothing', async () => {
    const events = await recordedBy(() =>
      withScratchSchema(db, async (trx) => {
        await makeProgramme(trx)
        await sql`set constraints all immediate`.execute(trx)
        const { rows } = await sql`select from audit_events`.execute(trx)
        expect(rows.length).toBeGreaterThan(0)
      }),
    )
    expect(events).toEqual([])
  })

  it('where constraints are immediate as well', async () => {
    const events = await recordedBy(() =>
      inTransaction(db, async (trx) => {
        await sql`set constraints all immediate`.execute(trx)
        for (const name of ['a', 'b']) await customer(chain.reseller, name).execute(trx)
      }),
    )
    expect(events.map(({ verb }) => verb)).toEqual(['created', 'created'])
    expect((await db.selectFrom('auditPending').selectAll().execute()).length).toBe(0)
  })
})

describe('chains', () => {
  it('of five organisations take 20 transactions at once, in any order, without a deadlock', async () => {
    const partners = await Promise.all(Array.from({ length: 5 }, () => makePartner(db)))
    const shuffled = () => partners.toSorted(() => Math.random() - 0.5)
    const write = async () => {
      for (let n = 0; n < 10; n += 1) {
        const work = async (trx: Trx) => {
          for (const id of shuffled()) await customer(id).execute(trx)
          if (n % 4 === 3) throw new Error('given up')
        }
        await inTransaction(db, work).catch((error: Error) => {
          if (error.message !== 'given up') throw error
        })
      }
    }
    await Promise.all(Array.from({ length: 20 }, write))
    const { rows } = await sql<{ events: number; last: number }>`
      select count(*)::int as events, max(seq)::int as last from audit_events
      where tenant = any(${partners}) and kind = 'customer' group by tenant`.execute(db)
    expect(rows.map(({ events }) => events)).toEqual(Array.from({ length: 5 }, () => 160))
    expect(new Set(rows.map(({ last }) => last)).size).toBe(1)
  })

  it('are as new for transactions that make them at the same moment', async () => {
    const ids = await Promise.all(
      Array.from({ length: 12 }, () => makePartner(db, { parentId: chain.master })),
    )
    const { rows } = await sql<{ seq: number }>`
      select min(seq)::int as seq from audit_events where tenant = any(${ids}) group by tenant
    `.execute(db)
    expect(rows).toEqual(ids.map(() => ({ seq: 1 })))
  })

  it('are found by the time of their events', async () => {
    const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(db)
    const now = rows[0]?.now as Date
    await customer(chain.reseller).execute(db)
    const page = { limit: 100 }
    const later = await listAuditEvents(db, { from: now }, page)
    expect(later.rows.map(({ kind }) => kind)).toEqual(['customer'])
    const earlier = await listAuditEvents(db, { to: now, kind: 'customer' }, page)
    expect(earlier.rows.every(({ at }) => at < now)).toBe(true)
    expect(smallestIdAt(now) < (later.rows[0]?.id ?? '')).toBe(true)
  })
})

describe('nobody', () => {
  const tables = ['audit_events', 'audit_heads', 'audit_daily_heads', 'audit_daily_chains']

  beforeAll(async () => {
    const key = generateKeyPairSync('ed25519').privateKey
    const signer = auditSigner(key.export({ type: 'pkcs8', format: 'pem' }).toString())
    await inTransaction(db, (trx) => recordDailyHead(trx, signer))
  })

  it.each(tables)('changes, removes or empties %s, not even its owner', async (table) => {
    const column = table.startsWith('audit_daily') ? 'day' : 'tenant'
    const own = column === 'day' ? 'day' : 'uuidv7()'
    const what = table === 'audit_events' ? 'seq = seq' : `${column} = ${own}`
    for (const change of [
      `update ${table} set ${what}`,
      `delete from ${table}`,
      `truncate ${table} cascade`,
    ]) {
      await expect(sql.raw(change).execute(db)).rejects.toThrow(/never changed|only grows/)
    }
  })

  it('takes the end of a chain back', async () => {
    const back = sql`update audit_heads set seq = seq - 1`.execute(db)
    await expect(back).rejects.toThrow(/only grows/)
  })

  it('empties a table whose removals are to be recorded', async () => {
    await expect(sql`truncate members cascade`.execute(db)).rejects.toThrow(/each removal/)
  })
})

describe('every table', () => {
  it('is audited, or exempt for a reason', async () => {
    const { rows } = await sql<{ name: string; audited: number }>`
      select relname as name, count(tgname)::int as audited from pg_class
      left join pg_trigger on tgrelid = pg_class.oid and tgname like '%\\_audited\\_%'
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')
        and relname not like 'kysely%'
      group by relname order by relname`.execute(db)
    const bare = rows.filter(({ audited }) => audited === 0).map(({ name }) => name)
    expect(bare).toEqual(Object.keys(exempt).sort())
    const partly = rows.filter(({ audited }) => audited !== 0 && audited !== 4)
    expect(partly).toEqual([])
  })

  it('that is audited has a kind that the API knows', async () => {
    const { rows } = await sql<{ kind: string }>`
      select distinct split_part(encode(tgargs, 'escape'), '\\000', 1) as kind from pg_trigger
      where tgname like '%\_audited\_insert'`.execute(db)
    expect(rows.length).toBeGreaterThan(25)
    const unknown = rows.filter(({ kind }) => !(kind in auditKinds))
    expect(unknown).toEqual([])
  })
})
