/** What somebody with all rights might do to the audit trail: every bit of it is found. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { auditActivities } from '../../activities/audit.ts'
import type { ActivityDeps } from '../../activities/deps.ts'
import { recordDailyHead } from '../../db/audit.ts'
import { verifyAuditTrail } from '../../db/audit-verification.ts'
import { type Db, inTransaction, type Trx } from '../../db/database.ts'
import {
  auditPublisher,
  auditSigner,
  auditVerifier,
  readPublishedHeads,
} from '../../integrations/audit-heads.ts'
import { createTestDatabase, rolledBack, type TestDatabase } from '../support/database.ts'
import { makeChain, makeOrder, makePartner, makeProgramme } from '../support/factories.ts'

const newKey = () =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

const key = newKey()
const signer = auditSigner(key)
const folder = mkdtempSync(join(tmpdir(), 'tributary-audit-'))
const file = join(folder, 'heads', 'audit-heads.jsonl')

let database: TestDatabase
let db: Db
beforeAll(async () => {
  database = await createTestDatabase()
  db = database.db
  await makeProgramme(db)
  const { master, reseller } = await makeChain(db)
  for (const partner of [master, reseller, await makePartner(db)]) {
    for (let n = 0; n < 4; n += 1) await makeOrder(db, partner)
    await sql`update customers set name_sealed = name_sealed || '!'
      where partner_id = ${partner}`.execute(db)
  }
  await sql`select record_refusal('GET /v1/x', 'forbidden')`.execute(db)
})
afterAll(async () => {
  await database.drop()
  rmSync(folder, { recursive: true })
})

const steps = () =>
  auditActivities({ db, audit: { signer, publisher: auditPublisher(file) } } as ActivityDeps)

const verify = async (of: Db, published: string[] | null = null) =>
  verifyAuditTrail(of, { isSigned: auditVerifier(key), published })

describe('the signature of a day', () => {
  it('is made once by five that are at it at the same moment', async () => {
    const sign = () => inTransaction(db, (trx) => recordDailyHead(trx, signer))
    const signed = await Promise.all(Array.from({ length: 5 }, sign))
    expect(signed.filter((head) => head !== undefined)).toHaveLength(1)
  })

  it('is published once', async () => {
    expect(await steps().signAuditHeads()).toEqual({ signed: null, published: 1 })
    expect(await steps().signAuditHeads()).toEqual({ signed: null, published: 0 })
    const lines = await readPublishedHeads(file)
    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ chains: 4, key: signer.keyId })
    expect(await verify(db, lines)).toMatchObject({ days: 1, broken: [] })
  })

  it('is published later where that failed', async () => {
    rmSync(file)
    expect(await steps().signAuditHeads()).toEqual({ signed: null, published: 1 })
    expect(await verify(db, await readPublishedHeads(file))).toMatchObject({ broken: [] })
  })

  it('of the next day covers what has come since, and follows on the one before', async () => {
    await tampered(async (trx) => {
      await sql`update audit_daily_heads set day = '2020-01-01'`.execute(trx)
      await sql`update audit_daily_chains set day = '2020-01-01'`.execute(trx)
      // The root of the first day says its day.
      expect((await verify(trx)).broken.map(({ what }) => what)).toEqual([
        'the head of 2020-01-01 is not that of its chains',
        'the head of 2020-01-01 is forged',
      ])
      const next = await recordDailyHead(trx, signer)
      expect(next).toMatchObject({ chains: 0, previousRoot: expect.stringMatching(/^\w{64}$/) })
    })
  })

  it('is only known with its key', async () => {
    const verified = await verifyAuditTrail(db, {
      isSigned: auditVerifier(newKey()),
      published: null,
    })
    expect(verified.broken).toEqual([
      { tenant: null, seq: null, what: expect.stringMatching(/is forged/) },
    ])
    const both = auditVerifier(`${newKey()}\n${key}`)
    const known = await verifyAuditTrail(db, { isSigned: both, published: null })
    expect(known.broken).toEqual([])
  })
})

/** Past every trigger, and taken back afterwards. */
const tampered = (work: (trx: Trx) => Promise<void>) =>
  rolledBack(db, async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    await work(trx)
  })

const one = `(select id from audit_events where kind = 'customer' order by id limit 1)`
const lastOf = `select tenant, max(seq) as seq from audit_events group by tenant`

/** What the owner of the database may try, and what is said of it. */
const tampering: Record<string, [string, RegExp]> = {
  'an event that says another actor': [
    `update audit_events set actor = 'member:other' where id = ${one}`,
    /not what was recorded/,
  ],
  'an event that is a microsecond older': [
    `update audit_events set at = at - interval '1 microsecond' where id = ${one}`,
    /not what was recorded/,
  ],
  'an event that is removed': [`delete from audit_events where id = ${one}`, /before this one/],
  'two events that change places': [
    `update audit_events set seq = 1000000 + seq where tenant = (select max(tenant::text)::uuid
       from audit_events) and seq in (2, 3);
     update audit_events set seq = 1000005 - seq where seq > 1000000`,
    /not what was recorded/,
  ],
  'the first events of a chain, removed': [
    `delete from audit_events where seq <= 2`,
    /before this one/,
  ],
  'a whole chain, removed': [
    `delete from audit_events where partner_id is not null`,
    /all events of the chain/,
  ],
  'a whole chain, removed with its end': [
    `delete from audit_heads where tenant::text <> '00000000-0000-0000-0000-000000000000';
     delete from audit_events where partner_id is not null`,
    /signed on/,
  ],
  'an end that is cut off': [
    `delete from audit_events using (${lastOf}) last
     where (audit_events.tenant, audit_events.seq) = (last.tenant, last.seq)`,
    /the end of the chain is missing/,
  ],
  'an end that is cut off, with the head set back': [
    `delete from audit_events using (${lastOf}) last
     where (audit_events.tenant, audit_events.seq) = (last.tenant, last.seq);
     update audit_heads head set seq = head.seq - 1, hash = coalesce((select hash from audit_events
       event where event.tenant = head.tenant and event.seq = head.seq - 1), '')`,
    /not the event that was signed/,
  ],
  'a head that is removed': [`delete from audit_heads`, /has no end/],
  'a head with another hash': [`update audit_heads set hash = sha256('')`, /another event/],
  'an event that was never chained': [
    `insert into audit_pending (leads, actor, kind, subject, verb)
     values (true, 'x', 'customer', 'x', 'created')`,
    /in no chain/,
  ],
  'an event behind the end': [
    `insert into audit_events (seq, id, at, actor, kind, subject, verb, after_hash, hash)
     select max(seq) + 1, uuidv7(), now(), 'x', 'customer', 'x', 'created', sha256(''), sha256('')
     from audit_events where partner_id is null`,
    /behind its end/,
  ],
  'a signed end that is removed': [
    `delete from audit_daily_chains where seq = (select max(seq) from audit_daily_chains)`,
    /is not that of its chains/,
  ],
  'a day that is removed, with its chains': [
    `delete from audit_daily_heads; delete from audit_daily_chains`,
    /a published head is not in the database/,
  ],
  'a day that is removed alone': [`delete from audit_daily_heads`, /not that of its chains/],
  'a day with another signature': [
    `update audit_daily_heads set signature = set_byte(signature, 0, 255 - get_byte(signature, 0))`,
    /is forged/,
  ],
  'a day with another root': [
    `update audit_daily_heads set root = sha256(root)`,
    /not that of its chains/,
  ],
}

describe('the trail gives away', () => {
  let published: string[]
  beforeAll(async () => {
    await steps().signAuditHeads()
    published = await readPublishedHeads(file)
    expect(await verify(db, published)).toMatchObject({ broken: [] })
  })

  it.each(Object.entries(tampering))('%s', async (_what, [change, said]) => {
    await tampered(async (trx) => {
      await sql.raw(change).execute(trx)
      const { broken } = await verify(trx, published)
      expect(broken.map(({ what }) => what).join('\n')).toMatch(said)
    })
  })

  it('where it was changed: the organisation and the number', async () => {
    const event = await db
      .selectFrom('auditEvents')
      .select(['tenant', 'seq'])
      .where('kind', '=', 'customer')
      .orderBy('id')
      .limit(1)
      .executeTakeFirstOrThrow()
    await tampered(async (trx) => {
      await sql`update audit_events set request_id = 'x'
        where tenant = ${event.tenant} and seq = ${event.seq}`.execute(trx)
      const { broken } = await verify(trx)
      expect(broken).toEqual([
        {
          tenant: event.tenant,
          seq: Number(event.seq),
          what: 'the event is not what was recorded',
        },
      ])
    })
  })

  it('a chain that was made anew from its first event on, head and all', async () => {
    await tampered(async (trx) => {
      await sql`update audit_events set action = 'forged' where seq = 1`.execute(trx)
      await sql`
        with recursive anew as (
          select tenant, seq, audit_digest_of(event) as digest,
            sha256(''::bytea || audit_digest_of(event)) as hash
          from audit_events event where seq = 1
          union all
          select event.tenant, event.seq, audit_digest_of(event),
            sha256(anew.hash || audit_digest_of(event))
          from anew join audit_events event
            on event.tenant = anew.tenant and event.seq = anew.seq + 1
        )
        update audit_events event set hash = anew.hash from anew
          where (event.tenant, event.seq) = (anew.tenant, anew.seq)`.execute(await withDigest(trx))
      await sql`update audit_heads head set hash = event.hash from audit_events event
        where (event.tenant, event.seq) = (head.tenant, head.seq)`.execute(trx)
      const { broken } = await verify(trx)
      expect(broken.length).toBeGreaterThan(0)
      for (const { what } of broken) expect(what).toMatch(/not the event that was signed/)
    })
  })

  it('every one of 200 changes at random', async () => {
    const { rows } = await sql<{ id: string }>`select id from audit_events`.execute(db)
    const pick = <T>(from: T[]) => from[Math.floor(Math.random() * from.length)] as T
    const other = "|| '!'"
    const edits = [
      `actor = actor ${other}`,
      `on_behalf_of = coalesce(on_behalf_of, '') ${other}`,
      `request_id = coalesce(request_id, '') ${other}`,
      `action = coalesce(action, '') ${other}`,
      `kind = kind ${other}`,
      `subject = subject ${other}`,
      `at = at + interval '1 second'`,
      `id = uuidv7()`,
      `reseller_id = uuidv7()`,
      `master_id = uuidv7()`,
      `partner_id = uuidv7()`,
      `seq = seq + 100000`,
      `seq = seq + 1000000`,
      `hash = sha256(hash)`,
    ]
    const missed: string[] = []
    const trx = await db.startTransaction().execute()
    await sql`set local session_replication_role = replica`.execute(trx)
    for (let n = 0; n < 200; n += 1) {
      const where = ` where id = '${pick(rows).id}'`
      const change =
        n % 5 === 0
          ? `delete from audit_events${where}`
          : `update audit_events set ${pick(edits)}${where}`
      const tried = await trx.savepoint('tried').execute()
      await sql.raw(change).execute(tried)
      if ((await verify(tried, published)).broken.length === 0) missed.push(change)
      await tried.rollbackToSavepoint('tried').execute()
    }
    await trx.rollback().execute()
    expect(missed).toEqual([])
  })
})

describe('verification', () => {
  it('is the same for every setting of a session', async () => {
    await rolledBack(db, async (trx) => {
      await sql`select set_config('timezone', 'Asia/Kathmandu', true),
        set_config('bytea_output', 'escape', true)`.execute(trx)
      expect((await verify(trx)).broken).toEqual([])
    })
  })

  it('counts what it checked', async () => {
    const { rows } = await sql<{ events: number }>`
      select count(*)::int as events from audit_events`.execute(db)
    expect((await verify(db)).checked).toBe(rows[0]?.events)
  })

  it('takes a hash of a row that was written under other settings for the same', async () => {
    const hashes = await Promise.all(
      ['UTC', 'Asia/Kathmandu'].map((zone) =>
        inTransaction(db, async (trx) => {
          await sql`select set_config('timezone', ${zone}, true)`.execute(trx)
          await sql`set constraints all immediate`.execute(trx)
          await sql`update programmes set name = name || '!'`.execute(trx)
          await sql`update programmes set name = left(name, -1)`.execute(trx)
          const { rows } = await sql<{ hash: string }>`
            select encode(after_hash, 'hex') as hash from audit_events
            where kind = 'programme' order by id desc limit 1`.execute(trx)
          return rows[0]?.hash
        }),
      ),
    )
    expect(new Set(hashes).size).toBe(1)
    expect((await verify(db)).broken).toEqual([])
  })
})

/** A transaction in which the digest of an event can be asked for by name. */
async function withDigest(trx: Trx): Promise<Trx> {
  await sql`
    create function audit_digest_of(event audit_events) returns bytea language sql stable as $$
      select sha256(convert_to(json_build_array(event.tenant, event.seq, event.id,
        event.reseller_id, event.master_id, event.at at time zone 'UTC', event.actor,
        event.on_behalf_of, event.request_id, event.action, event.kind, event.subject, event.verb,
        event.code, event.changed, encode(event.before_hash, 'hex'),
        encode(event.after_hash, 'hex'))::text, 'UTF8')) $$`.execute(trx)
  return trx
}
