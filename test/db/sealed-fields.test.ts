/** Names and addresses: sealed where they lie, opened in their own place only. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { sendAccessMails } from '../../activities/access-mails.ts'
import { dataKeyStore } from '../../db/data-keys.ts'
import { type Db, inTransaction, openDatabase } from '../../db/database.ts'
import { findPerson, listMemberships, recordPerson } from '../../db/people/credentials.ts'
import { openedField, sealedFields } from '../../db/personal-fields.ts'
import { recordTenant } from '../../db/provisioning.ts'
import { withScratchSchema } from '../../db/scratch.ts'
import { findCustomer, listCustomers, recordCustomer } from '../../db/subscriptions.ts'
import { uuidOf } from '../../domain/ids.ts'
import { createVault } from '../../integrations/envelope.ts'
import { keyEncryptionOf } from '../../integrations/key-encryption.ts'
import { createKeyRing } from '../../integrations/key-ring.ts'
import { UnreadableError } from '../../integrations/sealed-bytes.ts'
import { type Call, clientOf, type Json } from '../api/kit.ts'
import {
  makeApplication,
  makeKey,
  makeMember,
  makePartner,
  makeProgramme,
  unique,
} from '../support/factories.ts'
import { type Steps, startSteps } from '../support/steps.ts'

let product: Steps
let db: Db
let call: Call
beforeAll(async () => {
  product = await startSteps()
  db = product.db
  call = clientOf(product.api)
})
afterAll(() => product.stop())

const markers: string[] = []
/** A name and an address that are found wherever they lie. */
function person() {
  const made = { name: unique('Markername'), email: `${unique('marker')}@planted.example` }
  markers.push(...Object.values(made))
  return made
}

async function several<T>(count: number, work: () => Promise<T>): Promise<T[]> {
  const done: T[] = []
  for (let n = 0; n < count; n += 1) done.push(await work())
  return done
}

/** Everything that the tables hold, as their owner reads it; bytes as hexadecimal digits. */
async function dump(): Promise<string> {
  const { rows: tables } = await sql<{ name: string }>`
    select format('%I.%I', nspname, relname) as name
    from pg_class join pg_namespace on pg_namespace.oid = relnamespace
    where relkind = 'r' and nspname not in ('pg_catalog', 'information_schema')`.execute(db)
  const texts = tables.map(async ({ name }) => {
    const { rows } = await sql<{ text: string }>`
      select kept::text as text from ${sql.raw(name)} kept`.execute(db)
    return rows.map(({ text }) => text).join('\n')
  })
  return (await Promise.all(texts)).join('\n').toLowerCase()
}

/** @returns the id of what the request made. */
async function send(path: string, body: Json, key: string | null = null): Promise<string> {
  const answer = await call(path, { method: 'POST', body, key })
  expect([answer.status < 300, answer.body.code]).toEqual([true, undefined])
  return String(answer.body.id)
}

describe('five hundred names and addresses', () => {
  let partnerId: string
  let key: string
  const found = (texts: string[], kept: string) =>
    texts.filter((text) => {
      const lower = text.toLowerCase()
      return kept.includes(lower) || kept.includes(Buffer.from(text).toString('hex'))
    })

  const contact = () => {
    const { name, email } = person()
    return { contactName: name, contactEmail: email }
  }

  async function newTenant(): Promise<void> {
    const tenant = { partnerId: await makePartner(db, contact()), name: 'A company' }
    const tenantId = await inTransaction(db, (trx) => recordTenant(trx, tenant))
    await product.steps.inviteAdministrator({ tenantId, attempt: 1, tries: 1 })
  }

  it('are nowhere in the database, however they came in', async () => {
    partnerId = await makePartner(db, contact())
    key = await makeKey(db, partnerId)
    const customers = await several(90, () => send('/v1/customers', person(), key))
    const company = { name: 'A company', country: 'PT', website: 'https://company.example' }
    const form = { company, type: 'franchise', level: 'reseller' }
    const applications = await several(40, () =>
      send('/v1/applications', { ...form, contact: person() }),
    )
    for (const id of applications) {
      const applicationId = uuidOf('application', id) ?? ''
      await product.steps.mailApplicant({ applicationId, kind: 'application_received' })
    }
    for (const id of customers.slice(0, 40))
      await send(`/v1/customers/${id}/members`, person(), key)
    await several(40, () => send('/v1/member-invitations', { ...person(), role: 'viewer' }, key))
    await several(20, newTenant)
    const people = await several(19, async () => {
      const { name, email } = person()
      await makeMember(db, { partnerId, name, email })
      await recordPerson(db, email)
      return email
    })
    for (const email of people.slice(0, 4)) await send('/v1/password-resets', { email })
    await sendAccessMails(product.deps)
    expect(markers.length).toBeGreaterThanOrEqual(500)
    const kept = await dump()
    // What is looked for would be found: this name is no person's.
    expect(found(['a company'], kept)).toEqual(['a company'])
    expect(found(markers, kept)).toEqual([])
  })
})

/** A ring of its own that counts what it asks the database, as a process that has just started. */
async function freshProcess() {
  const calls = { find: 0, reserve: 0, record: 0 }
  const keys = openDatabase({ ...pool, url: product.databaseUrl })
  const inDatabase = dataKeyStore(keys.db)
  const store: typeof inDatabase = {
    find: (ids) => counted('find', inDatabase.find(ids)),
    reserve: (wanted) => counted('reserve', inDatabase.reserve(wanted)),
    record: (key) => counted('record', inDatabase.record(key)),
  }
  function counted<T>(name: keyof typeof calls, answer: T): T {
    calls[name] += 1
    return answer
  }
  const keyEncryption = keyEncryptionOf(product.config.keyEncryption)
  const vault = createVault(createKeyRing({ keyEncryption, store }))
  const own = openDatabase({ ...pool, url: product.databaseUrl, vault })
  const close = async () => {
    await own.close()
    await keys.close()
  }
  return { db: own.db, calls, close }
}

const pool = { poolSize: 2, applicationName: 'tributary-test', onError: () => {} }

async function makeCustomer(partnerId: string, name = 'Ada', email = 'ada@customer.example') {
  const customer = { id: randomUUIDv7(), partnerId, name, email }
  return inTransaction(db, (trx) => recordCustomer(trx, customer))
}

describe('a page', () => {
  it('of a hundred rows of many organisations is opened with one look-up of keys', async () => {
    const partners = await several(10, () => makePartner(db))
    for (const partnerId of partners) {
      await several(10, () => makeCustomer(partnerId, unique('Name')))
    }
    const { calls, close, ...fresh } = await freshProcess()
    const { rows } = await listCustomers(fresh.db, { limit: 100, after: undefined })
    expect([rows.length, new Set(rows.map(({ name }) => name)).size]).toEqual([100, 100])
    expect(rows.every(({ name }) => name.startsWith('Name'))).toBe(true)
    expect(calls).toEqual({ find: 1, reserve: 0, record: 0 })
    await listCustomers(fresh.db, { limit: 100, after: undefined })
    expect(calls.find).toBe(1)
    await close()
  })
})

describe('what is sealed for one place', () => {
  const swap = (set: string, one: string, other: string) =>
    sql`update customers own set ${sql.raw(set)} from customers other
      where own.id = ${one} and other.id = ${other}`.execute(db)

  it.each([
    ['of another row', 'name_sealed = other.name_sealed', 'same'],
    ['of another organisation', 'name_sealed = other.name_sealed', 'other'],
    ['of another column', 'name_sealed = own.email_sealed', 'same'],
    [
      'that lacks a byte',
      'name_sealed = substr(own.name_sealed, 1, octet_length(own.name_sealed) - 1)',
      'same',
    ],
    [
      'of a whole other organisation',
      'partner_id = other.partner_id, reseller_id = other.reseller_id,' +
        ' master_id = other.master_id',
      'other',
    ],
  ])('does not open %s', async (_what, set, whose) => {
    const partnerId = await makePartner(db)
    const { id } = await makeCustomer(partnerId)
    const { id: other } = await makeCustomer(whose === 'same' ? partnerId : await makePartner(db))
    await swap(set, id, other)
    await expect(findCustomer(db, id)).rejects.toBeInstanceOf(UnreadableError)
    expect((await findCustomer(db, other))?.name).toBe('Ada')
  })

  it('does not open in another table', async () => {
    const partnerId = await makePartner(db)
    const { id } = await makeCustomer(partnerId)
    const memberId = await makeMember(db, { partnerId, id })
    expect(memberId).toBe(id)
    await sql`update members set name_sealed = customer.name_sealed
      from customers customer where customer.id = ${id} and members.id = ${id}`.execute(db)
    const opening = db
      .selectFrom('members')
      .select(openedField('members', 'name').as('name'))
      .where('id', '=', id)
      .execute()
    await expect(opening).rejects.toBeInstanceOf(UnreadableError)
  })

  it('is refused where the sealer and the row differ about whose it is', async () => {
    const [partnerId, organisation] = [await makePartner(db), await makePartner(db)]
    const { id } = await makeCustomer(partnerId)
    const fields = sealedFields('customers', { id, organisation }, { name: 'x', email: 'y' })
    await sql`update customers set name_sealed = ${fields.nameSealed} where id = ${id}`.execute(db)
    await expect(findCustomer(db, id)).rejects.toBeInstanceOf(UnreadableError)
  })
})

describe('a mailbox', () => {
  it('is one member and one person, in letters of any case', async () => {
    const partnerId = await makePartner(db)
    const email = `${unique('Zoë')}@People.Example`
    const id = await makeMember(db, { partnerId, email })
    expect(await makeMember(db, { partnerId, email: email.toUpperCase() })).toBe(id)
    const personId = await recordPerson(db, email)
    for (const written of [email.toLowerCase(), email.toUpperCase(), email]) {
      expect(await findPerson(db, written)).toMatchObject({
        id: personId,
        email: email.toLowerCase(),
      })
      expect(await listMemberships(db, written)).toMatchObject([{ memberId: id, name: 'Member' }])
    }
    expect(await findPerson(db, `x${email}`)).toBeUndefined()
    const elsewhere = await makePartner(db)
    expect(await makeMember(db, { partnerId: elsewhere, email })).not.toBe(id)
  })
})

describe('a simulation', () => {
  it('makes no keys for organisations that never were', async () => {
    const keys = () => db.selectFrom('dataKeys').select('id').execute()
    const before = await keys()
    const read = await withScratchSchema(db, async (trx) => {
      await makeProgramme(trx)
      const applicationId = await makeApplication(trx, { contactName: 'Eve' })
      const { name } = await trx
        .selectFrom('applications')
        .select(openedField('applications', 'contactName').as('name'))
        .where('id', '=', applicationId)
        .executeTakeFirstOrThrow()
      return name
    })
    expect([read, await keys()]).toEqual(['Eve', before])
  })
})
