/** An installation that wrote names and addresses in clear, brought to the newest schema. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Kysely, sql } from 'kysely'
import { Migrator } from 'kysely/migration'
import { readKeyEncryption } from '../../config.ts'
import { listPlatformMembers } from '../../db/access.ts'
import { type Database, openDatabase } from '../../db/database.ts'
import { isMigrated, migrate } from '../../db/migrations.ts'
import { getApplication } from '../../db/onboarding/applications.ts'
import { getPartner } from '../../db/partners.ts'
import { findPerson, listMemberships } from '../../db/people/credentials.ts'
import { listWaitingMails } from '../../db/people/mails.ts'
import { findCustomer } from '../../db/subscriptions.ts'
import { createDatabase, databaseUrl, dropDatabase } from '../../scripts/launch/databases.ts'
import { openVault, vaultsOf } from '../../scripts/stack/vault.ts'
import { testKeks } from '../support/database.ts'
import { unique } from '../support/factories.ts'
import { suiteFacts } from '../support/suite.ts'

const keks = readKeyEncryption(testKeks)
const name = unique('clear')
let database: Database
let closeKeys: () => Promise<void>
beforeAll(async () => {
  const { postgresUrl } = suiteFacts()
  await createDatabase(postgresUrl, name)
  const url = databaseUrl(postgresUrl, name)
  const keys = openVault(url, keks)
  closeKeys = keys.close
  const pool = { url, poolSize: 2, applicationName: 'tributary-test', onError: () => {} }
  database = openDatabase({ ...pool, vault: keys.vault })
})
afterAll(async () => {
  await database.close()
  await closeKeys()
  await dropDatabase(suiteFacts().postgresUrl, name)
})

const folder = join(import.meta.dirname, '..', '..', 'db', 'migrations')

/** The schema as it was when the last of these migrations was the newest. */
async function migrateUpTo(last: string): Promise<void> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort()
  const migrations = files
    .filter((file) => file.slice(0, last.length) <= last)
    .map(async (file) => {
      const text = await readFile(join(folder, file), 'utf8')
      const up = async (db: Kysely<unknown>) => void (await sql.raw(text).execute(db))
      return [file.replace(/\.sql$/, ''), { up }] as const
    })
  const found = Object.fromEntries(await Promise.all(migrations))
  const db = database.db as unknown as Kysely<unknown>
  const provider = { getMigrations: async () => found }
  const { error } = await new Migrator({ db, provider }).migrateToLatest()
  if (error) throw error
}

const [partner, application] = [
  '0199a5b0-0000-7000-8000-000000000001',
  '0199a5b0-0000-7000-8000-000000000002',
]
const customersOf = (count: number) => `insert into customers (id, partner_id, name, email)
  select ('0199a5b0-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, '${partner}',
    'Buyer ' || n, 'buyer' || n || '@customer.example' from generate_series(1, ${count}) n`

const clear = `
  insert into programmes (code, name, currency, hold_days, minimum_payout_minor,
      platform_fee_minor, tier_window_months, deadlines)
    values ('default', 'Old', 'USD', 0, 500, 100, 12, '{}');
  insert into partners (id, programme_id, name, level, type, status, country, website,
      contact_name, contact_email)
    select '${partner}', id, 'Acme', 'reseller', 'franchise', 'active', 'US', '', 'Ada Contact',
      'ada@acme.example' from programmes;
  insert into applications (id, programme_id, type, level, company_name, company_normalized,
      country, website, contact_name, contact_email)
    select '${application}', id, 'franchise', 'reseller', 'Later', 'later', 'US', '',
      'Bea Applicant', 'bea@later.example' from programmes;
  insert into members (partner_id, name, email) values
    (null, 'Olga Owner', 'Olga@Platform.example'), ('${partner}', 'Mia', 'mia@acme.example');
  insert into people (email) values ('mia@acme.example');
  insert into notices (kind, subject_id, recipient)
    values ('welcome', '${partner}', 'ada@acme.example');
  insert into invitations (partner_id, name, email, token_hash, expires_at)
    values ('${partner}', 'Ada', 'ada@acme.example', '1', now());
  insert into member_invitations (partner_id, name, email, role, token_hash, invited_by, expires_at)
    select '${partner}', 'Nia', 'nia@acme.example', 'viewer', '2', id, now() from members limit 1;
  insert into access_mails (partner_id, kind, subject_id, recipient, name)
    values (null, 'password_reset', '${partner}', 'olga@platform.example', 'Olga');`

const keys = async () => (await sql`select from data_keys`.execute(database.db)).rows.length

test('names that were in clear are sealed on the way, and found again', async () => {
  const { db } = database
  await migrateUpTo('0028')
  await sql.raw(clear).execute(db)
  await sql.raw(customersOf(1_100)).execute(db)
  // Without a key nothing is sealed, and nothing is lost.
  await expect(migrate(db)).rejects.toThrow(/set KEKS or KEKS_FILE/)
  expect([await isMigrated(db), await keys()]).toEqual([false, 0])
  const { rows: kept } = await sql`select from customers where name is not null`.execute(db)
  expect(kept).toHaveLength(1_100)

  const applied = await migrate(db, vaultsOf(keks))
  expect(applied).toEqual(expect.arrayContaining(['0029-sealed-fields', '0030-no-clear-fields']))
  expect(await migrate(db)).toEqual([])
  expect(await getPartner(db, partner)).toMatchObject({
    contactName: 'Ada Contact',
    contactEmail: 'ada@acme.example',
  })
  expect(await getApplication(db, application)).toMatchObject({ contactName: 'Bea Applicant' })
  expect(await findCustomer(db, '0199a5b0-0000-7000-8000-000000001100')).toMatchObject({
    name: 'Buyer 1100',
    email: 'buyer1100@customer.example',
  })
  const owners = await listPlatformMembers(db)
  expect(owners).toMatchObject([{ name: 'Olga Owner', email: 'Olga@Platform.example' }])
  expect(await listMemberships(db, 'OLGA@platform.example')).toHaveLength(1)
  expect(await findPerson(db, 'Mia@acme.example')).toMatchObject({ email: 'mia@acme.example' })
  expect(await listWaitingMails(db, 9)).toMatchObject([{ recipient: 'olga@platform.example' }])
})
