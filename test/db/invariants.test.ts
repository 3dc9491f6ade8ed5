import { sql } from 'kysely'
import { bookRefund } from '../../activities/commission/reversals.ts'
import { checkInvariants, invariants } from '../../db/invariants.ts'
import type { StripeBilling } from '../../integrations/stripe-billing.ts'
import { openBooks } from '../support/books.ts'
import { createTestDatabase, rolledBack, type TestDatabase } from '../support/database.ts'
import { makeChain, makePayoutAccount, makeProgramme } from '../support/factories.ts'
import { sealAllBut } from '../support/seals.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
  const { db } = database
  await makeProgramme(db)
  const { reseller, master } = await makeChain(db)
  await makePayoutAccount(db, reseller)
  await makePayoutAccount(db, master)
  const books = openBooks(db)
  await books.sell(reseller, { net: 9_999n, tax: 1_900n, paidAt: '2026-08-02T00:00:00Z' })
  await books.sell(reseller, { net: 20_001n, paidAt: '2026-08-03T00:00:00Z' })
  await refundHalf()
  await books.settle('2026-08')
  await books.sell(reseller, { paidAt: '2026-09-03T00:00:00Z' })
  await books.settle('2026-09')
  await sealAllBut(db)
})
afterAll(() => database.drop())

/** Half of the first payment goes back. */
async function refundHalf(): Promise<void> {
  const { db } = database
  const { vendorChargeId } = await db
    .selectFrom('payments')
    .select('vendorChargeId')
    .orderBy('paidAt')
    .limit(1)
    .executeTakeFirstOrThrow()
  const refund = {
    refundId: 're_1',
    chargeId: vendorChargeId,
    currency: 'USD',
    amount: 5_950n,
    createdAt: new Date('2026-08-20T00:00:00Z'),
    failed: false,
  }
  await bookRefund(
    { db, billing: { readRefund: async () => refund } as unknown as StripeBilling },
    're_1',
  )
}

/** One fault for each invariant, made past every guard of the database. */
const faults: Record<string, string> = {
  I01: 'delete from ledger_postings where journal_id = (select min(id) from ledger_journals)',
  I02: `update ledger_postings set debit_account_id = 999999
      where id = (select min(id) from ledger_postings)`,
  I03: 'update ledger_balances set credits_minor = credits_minor + 1',
  I04: `update ledger_postings
      set debit_account_id = credit_account_id, credit_account_id = debit_account_id
      where credit_account_id in
        (select id from ledger_accounts where purpose = 'platform_revenue')`,
  I05: 'delete from accruals where depth = 1',
  I06: 'update accruals set amount_minor = amount_minor + 1 where depth = 0',
  I07: `update accruals
      set partner_id = (select partner_id from accruals where depth = 0 limit 1)
      where depth = 1`,
  I08: 'update clawbacks set amount_minor = amount_minor * 3',
  I09: `update statements set earned_minor = earned_minor + 1,
      closing_minor = closing_minor + 1, carried_minor = carried_minor + 1`,
  I10: `delete from ledger_postings where journal_id in
    (select id from ledger_journals where kind = 'settlement')`,
  I11: `update statements set opening_minor = 7, closing_minor = closing_minor + 7,
    carried_minor = carried_minor + 7 where period = '2026-09'`,
  I12: 'update payouts set amount_minor = amount_minor + 1',
  I13: `delete from ledger_postings where journal_id in
    (select id from ledger_journals where kind = 'payout_reserve')`,
  I14: `update payouts set status = 'paid', hold_reason = null, paid_at = now()`,
  I15: `update ledger_journals set posted_at = now() + interval '1 hour'
    where period = '2026-08'`,
  I16: `update commission_rules set valid = '[2030-01-01,)' where depth = 0`,
  I17: `update ledger_postings set currency = 'EUR'`,
  I18: `with told as (
      insert into stripe_txns (vendor_txn_id, type, vendor_source_id, vendor_charge_id, currency,
        amount_minor, fee_minor, net_minor, settles_currency, settles_minor, created_at,
        available_at, recorded_at)
      select 'txn_1', 'charge', vendor_charge_id, vendor_charge_id, currency, amount_minor, 0,
        amount_minor, currency, amount_minor, paid_at, paid_at, now() - interval '2 days'
      from payments limit 1)
    update payments set recorded_at = recorded_at - interval '2 days'`,
  I19: `update ledger_postings set amount_minor = amount_minor + 1
    where id = (select min(id) from ledger_postings)`,
  I20: `update ledger_journals set posted_at = posted_at - interval '11 days';
    update line_reversals set recorded_at = recorded_at - interval '11 days'`,
  I21: 'update statements set held_minor = closing_minor where payable_minor > 0',
  I22: 'update accruals set target_minor = target_minor + 1 where depth = 0',
  I24: `with whole as (
      insert into closing_accruals (kind, rule_id, partner_id, reseller_id, master_id, period,
        currency, amount_minor, metric)
      select 'true_up', rule_id, partner_id, reseller_id, master_id, period, currency, 10, 100
      from accruals limit 1
      returning *)
    insert into closing_clawbacks (closing_accrual_id, line_reversal_id, partner_id, reseller_id,
      master_id, currency, amount_minor, period)
    select whole.id, (select id from line_reversals limit 1), partner_id, reseller_id, master_id,
      currency, 11, period
    from whole`,
  I23: `delete from ledger_journals where kind = 'accrual';
    delete from ledger_postings where journal_id not in (select id from ledger_journals)`,
  I25: `insert into accrual_cancellations (termination_id, cause, accrual_id, partner_id,
      reseller_id, master_id, currency, amount_minor, period)
    select uuidv7(), 'termination', id, partner_id, reseller_id, master_id, currency,
      amount_minor + 1, period from accruals where amount_minor > 0 limit 1`,
  I26: `insert into statement_holds
      (statement_id, cause, partner_id, reseller_id, master_id, amount_minor)
    select id, 'disputed', partner_id, reseller_id, master_id, 1 from statements limit 1`,
  I28: `insert into partner_reserves (statement_id, partner_id, reseller_id, master_id, currency,
      amount_minor, window_from, paid_minor, disputed_minor, above_bps, keep_bps, kept_since, until)
    select id, partner_id, reseller_id, master_id, currency, 1, '2026-05-01', 1, 1, 150, 2500,
      '2026-09-01', '2026-12-01' from statements where issued_at is not null limit 1`,
  I29: `with reserve as (
      insert into partner_reserves (statement_id, partner_id, reseller_id, master_id, currency,
        amount_minor, window_from, paid_minor, disputed_minor, above_bps, keep_bps, kept_since,
        until)
      select id, partner_id, reseller_id, master_id, currency, 1, '2026-05-01', 1, 1, 150, 2500,
        '2026-09-01', '2026-12-01' from statements where issued_at is not null
      order by period limit 1
      returning *)
    insert into reserve_ends (statement_id, reserve_id, partner_id, reseller_id, master_id, cause,
      amount_minor)
    select s.id, reserve.id, s.partner_id, s.reseller_id, s.master_id, 'used', 2
    from reserve join statements s on s.partner_id = reserve.partner_id
      and s.period = '2026-09' and s.issued_at is not null`,
  I27: `update statements set withheld_minor = 1, withheld_bps = 2400
    where payable_minor > 1 and issued_at is not null`,
  I32: `insert into self_billing_skips (statement_id, partner_id, reason, base_minor)
    select id, partner_id, 'no_consent', 1 from statements limit 1`,
  I33: selfBilled({ number: 1, vat: 18 }),
  I34: selfBilled({ number: 2, vat: 19 }),
  I35: selfBilled({ number: 1, vat: 19 }),
  I36: `insert into statement_entries (kind, entry_id, run_id, partner_id, reseller_id, master_id,
      currency, period, figure, amount_minor)
    select 'accrual', a.id, s.run_id, a.partner_id, a.reseller_id, a.master_id, a.currency,
      a.period, 'earned', a.amount_minor
    from accruals a join statements s using (partner_id, currency, period)
    where s.issued_at is not null limit 1`,
}

/** A document of 1.00 at 19 % that nobody booked. */
function selfBilled({ number, vat }: { number: number; vat: number }): string {
  return `insert into self_billing_documents (kind, document_number, number, statement_id,
      partner_id, period, profile_id, agreement_id, issuer, treatment, rate_bps, currency,
      base_minor, vat_minor, total_minor, issued_at, hash)
    select 'invoice', 'SB-1', ${number}, id, partner_id, period, id, id, '{}', 'standard', 1900,
      currency, 100, ${vat}, ${100 + vat}, now(), sha256('x') from statements limit 1`
}

describe('the books of two settled months', () => {
  it('break no invariant', async () => {
    const { checked, violations } = await checkInvariants(database.db)
    expect(violations).toEqual([])
    expect(checked).toBe(invariants.length)
  })

  it('have an injected fault for every invariant', () => {
    expect(Object.keys(faults).sort()).toEqual(invariants.map(({ id }) => id))
  })

  it.each(Object.entries(faults))('are found out by %s', async (id, fault) => {
    const invariant = invariants.find((candidate) => candidate.id === id)
    await rolledBack(database.db, async (trx) => {
      await sql`set local session_replication_role = replica`.execute(trx)
      await sql.raw(fault).execute(trx)
      const { rows } = await sql.raw(invariant?.query ?? '').execute(trx)
      expect(rows.length).toBeGreaterThan(0)
    })
  })
})
