/** The commands of package.json as a person runs them: each in a process of its own. */
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { sql } from 'kysely'
import { bookInvoice } from '../../activities/commission/payments.ts'
import { readToolEnvironment } from '../../config.ts'
import { outwardId } from '../../domain/ids.ts'
import { createDatabase, databaseUrl, dropDatabase } from '../../scripts/launch/databases.ts'
import { createTestDatabase, type TestDatabase, testKeks } from '../support/database.ts'
import {
  makeLink,
  makeOrder,
  makePartner,
  makeProgramme,
  paidInvoice,
} from '../support/factories.ts'
import { sealAllBut } from '../support/seals.ts'
import { compiled, suiteFacts } from '../support/suite.ts'

const root = join(import.meta.dirname, '..', '..')
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const commands = Object.entries<string>(scripts).flatMap(([name, line]) => {
  const [, script] = /run\.mjs (\S+)$/.exec(line) ?? []
  return script ? [{ name, script }] : []
})

interface Outcome {
  code: number
  stdout: string
  stderr: string
}

function run(args: string[], variables: Record<string, string> = {}): Promise<Outcome> {
  const { PATH = '', HOME = '' } = readToolEnvironment().all
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      args,
      { cwd: root, env: { PATH, HOME, ...compiled, ...variables } },
      (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr }),
    )
  })
}

const command = (name: string, args: string[] = [], variables?: Record<string, string>) =>
  run(['scripts/run.mjs', name, ...args], variables)

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  await makeProgramme(database.db)
})
afterAll(() => database.drop())

describe('every command', () => {
  it.each(commands)('npm run $name explains itself, and starts nothing', async (entry) => {
    const { code, stdout, stderr } = await command(entry.script, ['--help'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(`npm run ${entry.name}`)
    expect(stdout).toContain('--json')
  })

  it('refuses a flag that it does not know, and says which there are', async () => {
    const { code, stdout, stderr } = await command('status', ['--jason'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain("'--jason'")
    expect(stderr).toContain('--help')
    expect(stderr).not.toMatch(/\n\s+at /)
  })
})

describe('npm run ledger:check', () => {
  it('says that every invariant holds, as one JSON document', async () => {
    const { code, stdout } = await command('ledger-check', ['--json'], {
      DATABASE_URL: database.url,
    })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ violations: [] })
  })

  it('names the invariant that is broken, and exits with 1', async () => {
    const { db } = database
    const order = await makeOrder(db, await makePartner(db))
    await bookInvoice({ db }, paidInvoice(order))
    await sql`update ledger_balances set credits_minor = credits_minor + 1`.execute(db)
    const { code, stdout } = await command('ledger-check', [], { DATABASE_URL: database.url })
    await sql`update ledger_balances set credits_minor = credits_minor - 1`.execute(db)
    expect(code).toBe(1)
    expect(stdout).toMatch(/^I03 is broken \(.+\): 1 row\(s\)$/m)
  })

  it('tells the newest seal, and whether one that was kept elsewhere is still there', async () => {
    const { db } = database
    await bookInvoice({ db }, paidInvoice(await makeOrder(db, await makePartner(db))))
    await sealAllBut(db)
    const check = async (...flags: string[]) => {
      const variables = { DATABASE_URL: database.url }
      const { code, stdout } = await command('ledger-check', ['--json', ...flags], variables)
      return { code, document: JSON.parse(stdout || '{}') }
    }
    const { seal } = (await check()).document
    expect(seal.hash).toMatch(/^[0-9a-f]{64}$/)
    const kept = await check('--seal', `${seal.number}:${seal.hash}`)
    expect([kept.code, kept.document.keptSeal]).toEqual([0, 'found'])
    const other = await check('--seal', `${seal.number}:${'0'.repeat(64)}`)
    expect([other.code, other.document.keptSeal]).toEqual([1, 'missing'])
    expect((await check('--seal', 'yesterday')).code).toBe(2)
  })
})

describe('npm run reconcile', () => {
  const reconcile = async (...flags: string[]) => {
    const { code, stdout } = await command('reconcile', flags, { DATABASE_URL: database.url })
    return { code, stdout }
  }

  it('says what agrees with Stripe in a month, and fails while something differs', async () => {
    const { db } = database
    const agreed = await reconcile('--period', '2026-10', '--json')
    expect(agreed.code).toBe(0)
    expect(JSON.parse(agreed.stdout)).toMatchObject({ period: '2026-10', matched: 0, breaks: [] })
    await sql`insert into stripe_mirror (complete_to, walked_at) values (now(), now())
      on conflict (only_row) do update set walked_at = now()`.execute(db)
    await sql`
      insert into stripe_txns (vendor_txn_id, type, vendor_source_id, vendor_transfer_id, payout_id,
        currency, amount_minor, fee_minor, net_minor, created_at, available_at)
      values ('txn_twice', 'transfer', 'tr_twice', 'tr_twice', uuidv7(), 'USD', -700, 0, -700,
        '2026-10-09', '2026-10-09')`.execute(db)
    const differing = await reconcile('--period', '2026-10', '--json')
    expect(differing.code).toBe(1)
    const [found, ...more] = JSON.parse(differing.stdout).breaks
    expect(more).toEqual([])
    const known = { kind: 'unknown_at_stripe', reference: 'tr_twice', owner: null, age_days: 0 }
    expect(found).toMatchObject({ ...known, found: -700 })
    const told = await reconcile('--period', '2026-10')
    expect(told.stdout).toMatch(/0 matched, 0 pending, 1 break\(s\)/)
    expect(told.stdout).toMatch(/unknown_at_stripe tr_twice: nobody, for 0 day\(s\)/)
    expect((await reconcile('--period', '2026-09', '--json')).code).toBe(0)
  })

  it('refuses what is no month', async () => {
    for (const flags of [[], ['--period', '2026-13'], ['--period', 'October']]) {
      expect((await reconcile(...flags)).code).toBe(2)
    }
  })
})

describe('setting up a database of one’s own', () => {
  const name = `setup_${process.pid}`
  const { postgresUrl } = suiteFacts()
  const variables = { ...testKeks, DATABASE_URL: databaseUrl(postgresUrl, name) }
  beforeAll(() => createDatabase(postgresUrl, name))
  afterAll(() => dropDatabase(postgresUrl, name))

  it('takes the commands of the README, in their order', async () => {
    const migrated = await command('migrate', ['--json'], variables)
    expect(migrated.code).toBe(0)
    expect(JSON.parse(migrated.stdout).applied.length).toBeGreaterThan(0)
    const again = await command('migrate', ['--json'], variables)
    expect(JSON.parse(again.stdout)).toEqual({ applied: [] })

    const programme = await command('programme', ['docs/examples/programme.json'], variables)
    expect(programme).toMatchObject({ code: 0, stderr: '' })
    const twice = await command('programme', ['docs/examples/programme.json'], variables)
    expect(twice).toMatchObject({ code: 1, stdout: '' })
    expect(twice.stderr).toContain('set up already')

    const rules = await command('rules', ['docs/examples/rules.json', '--json'], variables)
    expect(rules.code).toBe(0)
    expect(JSON.parse(rules.stdout)).toMatchObject({
      versions: { standard: 1, gold: 1, growth: 1 },
    })

    const person = ['--name', 'First Person', '--email', 'first@example.com', '--live', '--json']
    const admin = await command('admin', person, variables)
    expect(JSON.parse(admin.stdout)).toMatchObject({ key: expect.stringContaining('_live_') })
  })

  it('publishes no rules that leave somebody without one or change terms without notice', async () => {
    const file = join(suiteFacts().claims, `rules-${process.pid}.json`)
    const gold = { id: 'gold', depth: 0, kind: 'percentage', rate_bps: 2_500, tier: 'gold' }
    writeFileSync(file, JSON.stringify({ rules: [gold] }))
    const gap = await command('rules', [file], variables)
    expect(gap).toMatchObject({ code: 2, stdout: '' })
    expect(gap.stderr).toContain('no rule of depth 0 is for everybody')
    const hasty = ['docs/examples/rules.json', '--migrate-after', '7']
    const notice = await command('rules', hasty, variables)
    expect(notice.code).toBe(2)
    expect(notice.stderr).toContain('at least 30')
  })

  it('names every problem of a programme file and keeps nothing of it', async () => {
    const file = join(suiteFacts().claims, `programme-${process.pid}.json`)
    writeFileSync(file, JSON.stringify({ code: 'x', minimum_payout: 1.5, surprise: true }))
    const { code, stderr } = await command('programme', [file], variables)
    expect(code).toBe(2)
    expect(stderr).toContain('minimum_payout')
    expect(stderr).toContain('surprise')
    expect(stderr).toContain('deadlines')
  })
})

describe('npm run simulate', () => {
  const sample = 'docs/examples/simulations/volume.json'

  it('prints one document on standard output, in a database of anybody', async () => {
    const { code, stdout } = await command('simulate', [sample, '--json'], {
      DATABASE_URL: database.url,
    })
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ true_ups: [{ amount: 6_000 }] })
  })

  it('exits with 2 and names every field that is wrong', async () => {
    const file = join(suiteFacts().claims, `scenario-${process.pid}.json`)
    const wrong = { currency: 'USD', partners: [], rules: [], events: [{ type: 'tip' }], more: 1 }
    writeFileSync(file, JSON.stringify(wrong))
    const { code, stdout, stderr } = await command('simulate', [file, '--json'])
    expect(code).toBe(2)
    const paths = JSON.parse(stdout).problems.map(({ path }: { path: string }) => path)
    expect(paths).toEqual(expect.arrayContaining(['more', 'events[0].type']))
    expect(stderr).not.toMatch(/\n\s+at /)
  })
})

describe('npm run explain', () => {
  it('says in a sentence why an accrual is what it is', async () => {
    const { db } = database
    const order = await makeOrder(db, await makePartner(db))
    await bookInvoice({ db }, paidInvoice(order))
    const [accrual] = await db.selectFrom('accruals').select('id').orderBy('id', 'desc').execute()
    const id = outwardId('accrual', accrual?.id ?? '')
    const variables = { ...testKeks, DATABASE_URL: database.url }
    const { code, stdout } = await command('explain', [id], variables)
    expect(code).toBe(0)
    expect(stdout).toMatch(/earned 20\.00 USD as the seller: 20 % of 99\.99 USD/)
    expect(await command('explain', ['nonsense'], variables)).toMatchObject({ code: 2 })
    const unknown = outwardId('accrual', '01999999-0000-7000-8000-000000000000')
    expect(await command('explain', [unknown], variables)).toMatchObject({ code: 1, stdout: '' })
  })
})

describe('npm run rules', () => {
  const variables = () => ({ ...testKeks, DATABASE_URL: database.url })
  const file = join(suiteFacts().claims, `link-rules-${process.pid}.json`)
  const publish = (link: string, changes: object = {}) => {
    const rate = { depth: 0, kind: 'percentage', rate_bps: 2_000 }
    const rules = [
      { ...rate, id: 'standard' },
      { ...rate, id: 'fair', rate_bps: 3_000, link, ...changes },
    ]
    writeFileSync(file, JSON.stringify({ rules }))
    return command('rules', [file, '--json'], variables())
  }

  it('publishes rules of a link, and explain says that one was used', async () => {
    const { db } = database
    const partnerId = await makePartner(db)
    const linkId = await makeLink(db, partnerId, 'spring-fair')
    const link = outwardId('link', linkId)
    expect(await publish(link)).toMatchObject({ code: 0, stderr: '' })
    const paidAt = new Date().toISOString()
    await bookInvoice({ db }, paidInvoice(await makeOrder(db, partnerId, linkId), { paidAt }))
    const { id } = await db
      .selectFrom('accruals')
      .select('id')
      .where('partnerId', '=', partnerId)
      .executeTakeFirstOrThrow()
    const told = await command('explain', [outwardId('accrual', id), '--json'], variables())
    expect(JSON.parse(told.stdout)).toMatchObject({
      sentence: expect.stringContaining('30 % through the link spring-fair of 99.99 USD'),
      data: { link, rule: { code: 'fair', version: 1 } },
    })
  })

  it('publishes no rule of what is no link, of a link that is not there or of another seller', async () => {
    const malformed = await publish('spring-fair')
    expect(malformed).toMatchObject({ code: 2, stdout: '' })
    expect(malformed.stderr).toContain('rules[1].link: spring-fair is no id of a link')
    const unknown = await publish(outwardId('link', '01999999-0000-7000-8000-000000000000'))
    expect(unknown).toMatchObject({ code: 2, stdout: '' })
    expect(unknown.stderr).toContain('rules[1]: there is no such link')
    const [owner, other] = [await makePartner(database.db), await makePartner(database.db)]
    const link = outwardId('link', await makeLink(database.db, owner))
    const astray = await publish(link, { partner: outwardId('partner', other) })
    expect(astray).toMatchObject({ code: 2, stdout: '' })
    expect(astray.stderr).toContain('rules[1]: it never applies')
  })
})

describe('npm run chaos', () => {
  it('says what it disturbs, and that a seed is a number, before it starts anything', async () => {
    const unknown = await command('chaos', ['weather'])
    expect(unknown).toMatchObject({ code: 2, stdout: '' })
    expect(unknown.stderr).toContain('there is onboarding, settlement')
    const odd = await command('chaos', ['onboarding', '--seed', '0'])
    expect(odd).toMatchObject({ code: 2, stdout: '' })
    expect(odd.stderr).toContain('--seed is a whole number')
    const few = await command('chaos', ['settlement', '--partners', '3'])
    expect(few).toMatchObject({ code: 2, stdout: '' })
    expect(few.stderr).toContain('--partners is a whole number from 10')
  })
})

describe('npm run demo:verify', () => {
  it('finds an amount that is not the expected one', async () => {
    const file = join(root, 'docs', 'examples', 'demo-report.json')
    const report = JSON.parse(readFileSync(file, 'utf8'))
    const statements = report.statements.map((statement: object) => ({
      ...statement,
      pdf: file,
      csv: file,
    }))
    const right = join(suiteFacts().claims, `right-${process.pid}.json`)
    writeFileSync(right, JSON.stringify({ ...report, statements }))
    expect(await command('demo-verify', [right])).toMatchObject({ code: 0 })
    const [first, ...others] = report.accruals
    const wrong = join(suiteFacts().claims, `wrong-${process.pid}.json`)
    const accruals = [{ ...first, amount: first.amount + 1 }, ...others]
    writeFileSync(wrong, JSON.stringify({ ...report, statements, accruals }))
    const { code, stdout } = await command('demo-verify', [wrong])
    expect(code).toBe(1)
    expect(stdout).toMatch(/^accruals: expected/)
  })
})

describe('the processes of the product', () => {
  it.each(['api/server.ts', 'worker/main.ts'])(
    '%s lists all problems of its settings and exits with 2',
    async (file) => {
      const { code, stdout, stderr } = await run([file], {
        DATABASE_URL: 'mysql://x',
        SANDBOX: '1',
        STRIPE_SECRET_KEY: 'sk_live_abc',
      })
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain('DATABASE_URL: expected postgres://')
      expect(stderr).toContain('TEMPORAL_ADDRESS: is not set')
      expect(stderr).toContain('STRIPE_SECRET_KEY: is a live key')
    },
  )
})
