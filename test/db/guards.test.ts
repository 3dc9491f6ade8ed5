/** What the database refuses whoever writes: the invariants of money in their smallest form. */
import { sql } from 'kysely'
import { openBooks } from '../support/books.ts'
import { createTestDatabase, rolledBack, type TestDatabase } from '../support/database.ts'
import { makeLink, makePartner, makePayoutAccount, makeProgramme } from '../support/factories.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  const { db } = database
  await makeProgramme(db)
  const partnerId = await makePartner(db)
  for (const owner of [partnerId, await makePartner(db)]) await makeLink(db, owner)
  await makePayoutAccount(db, partnerId)
  const books = openBooks(db)
  await books.sell(partnerId, { net: 10_000n, paidAt: '2026-08-02T00:00:00Z' })
  await books.settle('2026-08')
  await sql`insert into accounting_periods (period, starts_at, ends_at)
    values ('2026-09', '2026-09-01', '2026-10-01') on conflict do nothing`.execute(db)
  await sql`insert into line_reversals (line_payment_id, cause, vendor_source_id, gross_minor,
      base_minor, happened_at, period)
    select id, 'refund', 're_1', 10000, 10000, now(), '2026-09' from line_payments`.execute(db)
})
afterAll(() => database.drop())

/** The refusal of a statement, tried in a transaction that leaves nothing. */
async function refusal(statement: string): Promise<string> {
  let message = 'nothing was refused'
  await rolledBack(database.db, async (trx) => {
    await sql
      .raw(statement)
      .execute(trx)
      .catch((error: Error) => {
        message = error.message
      })
  })
  return message
}

const clawback = (amount: number) => `
  insert into clawbacks (accrual_id, line_reversal_id, partner_id, currency, amount_minor, period)
  select accruals.id, line_reversals.id, accruals.partner_id, currency, ${amount}, '2026-09'
  from accruals, line_reversals`

describe('the database', () => {
  it('refuses shares of a line above its base', async () => {
    const more = `insert into accruals (line_payment_id, partner_id, depth, rule_id, base_minor,
        rounding, currency, amount_minor, period, matures_at)
      select line_payment_id, partner_id, 7, rule_id, base_minor, rounding, currency,
        base_minor - amount_minor + 1, '2026-09', matures_at from accruals`
    expect(await refusal(more)).toMatch(/are more than its base/)
  })

  it('refuses to take back more of an accrual than it gave, or to give back what was not taken', async () => {
    expect(await refusal(clawback(2_001))).toMatch(/below nothing or above all of it/)
    expect(await refusal(clawback(-1))).toMatch(/below nothing or above all of it/)
    expect(await refusal(clawback(2_000))).toBe('nothing was refused')
  })

  it('refuses to take back more of a true-up than it gave', async () => {
    await sql`insert into closing_accruals (kind, rule_id, partner_id, period, currency,
        amount_minor, metric)
      select 'true_up', rule_id, partner_id, '2026-09', currency, -10, 100
      from accruals`.execute(database.db)
    const back = (amount: number) => `
      insert into closing_clawbacks (closing_accrual_id, line_reversal_id, partner_id, currency,
        amount_minor, period)
      select closing_accruals.id, line_reversals.id, closing_accruals.partner_id, currency,
        ${amount}, '2026-09'
      from closing_accruals, line_reversals`
    expect(await refusal(back(-11))).toMatch(/more is taken back of true-up/)
    expect(await refusal(back(-10))).toBe('nothing was refused')
  })

  it('refuses a payout that is not what its statement pays', async () => {
    expect(await refusal('update payouts set amount_minor = amount_minor + 1')).toMatch(
      /is not what its statement pays/,
    )
  })

  it('refuses to call a payout paid that no attempt has paid', async () => {
    const paid = `update payouts set status = 'paid', hold_reason = null, paid_at = now()`
    expect(await refusal(paid)).toMatch(/is paid by no attempt/)
  })
})

/** A copy of a table's row with some columns changed. */
const copyOf = (table: string, changes: Record<string, string>) => {
  const changed = Object.entries(changes).map(([column, value]) => `'${column}', ${value}`)
  return `insert into ${table} overriding system value
    select (jsonb_populate_record(null::${table},
      to_jsonb(old) || jsonb_build_object(${changed.join(', ')}))).*
    from (select * from ${table} limit 1) old`
}

const id = 'uuidv7()'
const ownLink = `(select id from partner_links where partner_id = old.partner_id)`
const nobody = `'01900000-0000-7000-8000-000000000000'::uuid`

describe('a row that refers to nothing is refused:', () => {
  const payment = { id, vendor_payment_id: `'p2'`, vendor_charge_id: `'c2'` }
  const line = { id, vendor_line_id: `'l2'` }
  const accrual = { id, depth: '9', amount_minor: '0' }
  const journal = { id: '4711', source_id: id, xid: 'pg_current_xact_id()' }
  it.each([
    ['payments', payment, 'partner_id', nobody],
    ['payments', payment, 'customer_id', nobody],
    ['payments', payment, 'subscription_id', nobody],
    ['payments', payment, 'currency', `'ZZZ'`],
    ['payments', payment, 'period', `'2031-01'`],
    ['line_payments', line, 'payment_id', nobody],
    ['line_payments', line, 'partner_id', nobody],
    ['line_payments', line, 'customer_id', nobody],
    ['line_payments', line, 'feature_package_id', nobody],
    ['line_payments', line, 'period', `'2031-01'`],
    ['accruals', accrual, 'line_payment_id', nobody],
    ['accruals', accrual, 'partner_id', nobody],
    ['accruals', accrual, 'rule_id', nobody],
    ['accruals', accrual, 'currency', `'ZZZ'`],
    ['accruals', accrual, 'period', `'2031-01'`],
    ['ledger_journals', { ...journal, period: `'2026-09'` }, 'period', `'2031-01'`],
  ])('%s, otherwise %j, with an unknown %s', async (table, right, column, wrong) => {
    expect(await refusal(copyOf(table, right))).toBe('nothing was refused')
    expect(await refusal(copyOf(table, { ...right, [column]: wrong }))).toMatch(
      new RegExp(`${column} of ${table} is .* and there is no such row in`),
    )
  })

  it('a posting of a journal or of an account that does not exist', async () => {
    const posting = (journal: string, debit: string) => `
      with journal as (${copyOf('ledger_journals', { ...journalNow(), id: '4711' })} returning id)
      insert into ledger_postings
        (journal_id, debit_account_id, credit_account_id, currency, amount_minor)
      select ${journal}, ${debit}, credit_account_id, currency, 1
      from journal, (select * from ledger_postings limit 1) posted`
    expect(await refusal(posting('journal.id', 'debit_account_id'))).toBe('nothing was refused')
    expect(await refusal(posting('4712', 'debit_account_id'))).toBe('there is no journal 4712')
    expect(await refusal(posting('journal.id', '999999'))).toMatch(/there is no account 999999/)
  })
})

const journalNow = () => ({
  source_id: id,
  xid: 'pg_current_xact_id()',
  period: `'2026-09'`,
})

describe('a transaction that writes journals', () => {
  const commits = (statements: string) =>
    database.db
      .transaction()
      .execute((trx) => sql.raw(statements).execute(trx))
      .then(
        () => 'committed',
        (error: Error) => error.message,
      )

  it('does not commit one without postings', async () => {
    const empty = copyOf('ledger_journals', { ...journalNow(), id: '4711' })
    expect(await commits(empty)).toBe('journal 4711 has no postings')
  })

  it('does not leave an account on the wrong side that may not lie there', async () => {
    const post = (id: number, { debit, credit }: { debit: string; credit: string }) => `
      with journal as (
        ${copyOf('ledger_journals', { ...journalNow(), id: String(id), kind: `'payout_paid'` })}
        returning id)
      insert into ledger_postings
        (journal_id, debit_account_id, credit_account_id, currency, amount_minor)
      select journal.id, debit.id, credit.id, 'USD', 999999
      from journal
      join ledger_accounts debit on debit.purpose = '${debit}' and debit.currency = 'USD'
      join ledger_accounts credit on credit.purpose = '${credit}' and credit.currency = 'USD'`
    const wrongSide = /may not lie on the wrong side/
    const clearing = 'stripe_clearing'
    expect(await refusal(post(9001, { debit: clearing, credit: 'platform_revenue' }))).toBe(
      'nothing was refused',
    )
    for (const debit of ['platform_revenue', 'payout_in_transit']) {
      expect(await refusal(post(9002, { debit, credit: clearing }))).toMatch(wrongSide)
    }
  })
})

describe('what the books refer to', () => {
  it.each([
    ['partners', 'id'],
    ['customers', 'id'],
    ['subscriptions', 'id'],
    ['feature_packages', 'id'],
    ['commission_rules', 'id'],
    ['partner_links', 'id'],
    ['currencies', 'code'],
    ['accounting_periods', 'period'],
    ['ledger_accounts', 'id'],
  ])('%s are never removed and keep their %s', async (table, key) => {
    const stays = /they are never removed and keep their key/
    expect(await refusal(`delete from ${table}`)).toMatch(stays)
    expect(await refusal(`truncate ${table} cascade`)).toMatch(/never (removed|changed)/)
    const other = { id: id, code: `'ZZZ'`, period: `'2031-01'` }[key] ?? id
    const changed = table === 'ledger_accounts' ? 'set currency = $$ZZZ$$' : `set ${key} = ${other}`
    expect(await refusal(`update ${table} ${changed}`)).toMatch(stays)
  })

  it.each([
    ['partner_id', `(select id from partners where id <> partner_links.partner_id limit 1)`],
    ['code', `'another'`],
  ])('links keep their %s', async (column, other) => {
    expect(await refusal(`update partner_links set ${column} = ${other}`)).toMatch(/never removed/)
    const renamed = `update partner_links set name = 'Fair', archived_at = now()`
    expect(await refusal(renamed)).toBe('nothing was refused')
  })

  it('customers keep the link that they came through, or none', async () => {
    const keeps = /keeps the link that it came through, or none/
    const given = `update customers set link_id = (select id from partner_links
      where partner_id = customers.partner_id)`
    expect(await refusal(given)).toMatch(keeps)
    const came = copyOf('customers', { id, vendor_customer_id: 'null', link_id: ownLink })
    await rolledBack(database.db, async (trx) => {
      await sql.raw(came).execute(trx)
      const lost = sql.raw('update customers set link_id = null').execute(trx)
      await expect(lost).rejects.toThrow(keeps)
    })
  })

  it('customers come through no link of another partner', async () => {
    const came = (link: string) =>
      copyOf('customers', { id, vendor_customer_id: 'null', link_id: link })
    expect(await refusal(came(ownLink))).toBe('nothing was refused')
    const stranger = `(select id from partner_links where partner_id <> old.partner_id)`
    expect(await refusal(came(stranger))).toMatch(/cannot have come through another partner/)
  })

  it.each(['a', 'with space', 'a/b/c', 'ümlaut', 'x'.repeat(65)])(
    'links have no code like %j, which an address could not hold as it is',
    async (code) => {
      const link = copyOf('partner_links', { id, code: `'${code}'` })
      expect(await refusal(link)).toMatch(/partner_links_code_check/)
    },
  )

  it('payments stay as they were told', async () => {
    expect(await refusal('update payments set amount_minor = amount_minor + 1')).toMatch(
      /never changed or removed/,
    )
    expect(await refusal('delete from payments')).toMatch(/never changed or removed/)
  })
})
