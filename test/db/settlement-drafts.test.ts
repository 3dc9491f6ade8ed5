/** Drafts that the database makes by itself, beside the rules of a statement. */
import { sql } from 'kysely'
import { draftRange } from '../../activities/settlement/calculation.ts'
import { inTransaction } from '../../db/database.ts'
import { getProgramme } from '../../db/programmes.ts'
import { recordPlainDrafts } from '../../db/settlement/drafts.ts'
import { insertRates } from '../../db/settlement/rates.ts'
import { getRun } from '../../db/settlement/runs.ts'
import { currencyOf } from '../../domain/currencies.ts'
import { statementTotals } from '../../domain/settlement.ts'
import { openBooks } from '../support/books.ts'
import { createTestDatabase, rolledBack, type TestDatabase } from '../support/database.ts'
import { makePartner, makeProgramme } from '../support/factories.ts'

const minimumPayoutMinor = 500n
const everybody = { after: null, last: null }

let database: TestDatabase
let runId: string
beforeAll(async () => {
  database = await createTestDatabase()
  await makeProgramme(database.db, { minimumPayoutMinor })
  const books = openBooks(database.db)
  await makePartner(database.db)
  runId = await books.newRun('2026-08')
})
afterAll(() => database.drop())

/**
 * Partners whose figures meet in every way: what was carried, earned, not matured, taken back and
 * adjusted, each nothing, little or much, in currencies with and without a payout step.
 */
async function makeMonth(): Promise<void> {
  await inTransaction(database.db, async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    await sql`
      create temporary table figure on commit drop as
      select uuidv7() as id, (array['USD', 'HUF', 'KWD'])[1 + no % 3] as currency,
        (array[0, -700, 499, 20000])[1 + no / 3 % 4] as opening,
        (array[0, 1, 498, 90210])[1 + no / 12 % 4] as earned,
        (array[0, 300, 501])[1 + no / 48 % 3] as unripe,
        (array[0, 2, -60, 70000])[1 + no / 144 % 4] as adjusted
      from generate_series(0, 575) no`.execute(trx)
    await sql`insert into partners (id, programme_id, name, level, type, status, country, website,
        contact_name_sealed, contact_email_sealed, reseller_id, master_id)
      select figure.id, programmes.id, 'Partner', 'reseller', 'white_label', 'active', 'US',
        'https://partner.example', 'sealed', 'sealed', figure.id, figure.id
      from programmes, figure`.execute(trx)
    await sql`insert into partner_places (partner_id, reseller_id, master_id)
      select id, id, id from figure`.execute(trx)
    await sql`insert into accounting_periods (period, starts_at, ends_at)
      values ('2026-07', '2026-07-01Z', '2026-08-01Z') on conflict do nothing`.execute(trx)
    await sql`insert into statements (run_id, partner_id, period, currency, opening_minor,
        earned_minor, clawed_back_minor, adjustments_minor, closing_minor, held_minor,
        payable_minor, carried_minor, document_number, issued_at, reseller_id, master_id)
      select uuidv7(), id, '2026-07', currency, opening, 0, 0, 0, opening, 0, 0, opening,
        id::text, '2026-08-04Z', id, id from figure`.execute(trx)
    await sql`insert into accruals (line_payment_id, partner_id, depth, rule_id, base_minor,
        rate_num, rate_den, rounding, currency, amount_minor, target_minor, period, matures_at,
        reseller_id, master_id)
      select uuidv7(), id, 0, uuidv7(), amount, 1, 1, 'cumulative_floor', currency, amount, amount,
        '2026-08', ripe, id, id
      from figure, lateral (values (earned, '2026-08-09Z'::timestamptz), (unripe, '2027-01-01Z'))
        part (amount, ripe) where amount > 0`.execute(trx)
    await sql`insert into adjustments (partner_id, reseller_id, master_id, currency, amount_minor,
        period, happened_at, reason)
      select id, id, id, currency, adjusted, '2026-08', '2026-08-10Z', 'goodwill' from figure
      where adjusted <> 0`.execute(trx)
  })
}

describe('statements that the database drafts by itself', () => {
  beforeAll(makeMonth)

  it('say what the rules say of the same figures, whatever these are', async () => {
    await rolledBack(database.db, async (trx) => {
      await draftRange(trx, await getRun(trx, runId), everybody)
      const drafts = await trx
        .selectFrom('statements')
        .select(['openingMinor as opening', 'earnedMinor as earned', 'currency'])
        .select(['clawedBackMinor as clawedBack', 'adjustmentsMinor as adjustments'])
        .select(['heldMinor as held', 'closingMinor as closing', 'payableMinor as payable'])
        .select(['carriedMinor as carried', 'carryReason as reason'])
        .where('runId', '=', runId)
        .execute()
      const seen = new Set<string | null>()
      for (const { currency, ...totals } of drafts) {
        const { opening, earned, clawedBack, adjustments, held } = totals
        const figures = { opening, earned, clawedBack, adjustments, held }
        const { payoutStep } = currencyOf(currency)
        const terms = { minimumPayout: minimumPayoutMinor, payoutStep }
        expect(totals).toEqual(statementTotals({ ...figures, ...terms }))
        seen.add(totals.reason)
      }
      expect(drafts.length).toBeGreaterThan(500)
      const reasons = ['negative_balance', 'below_minimum', 'held', 'payout_step', null]
      expect([...seen].toSorted()).toEqual(reasons.toSorted())
    })
  })

  it('are not those for which more than figures counts', async () => {
    const left = (trx: Parameters<typeof recordPlainDrafts>[0]) =>
      getRun(trx, runId).then(async (run) => {
        const programme = await getProgramme(trx)
        const settings = { ...programme.onboarding, agedBalanceDays: null }
        const about = { run, range: everybody, programme: { ...programme, onboarding: settings } }
        return (await recordPlainDrafts(trx, about)).length
      })
    await rolledBack(database.db, async (trx) => {
      expect(await left(trx)).toBe(0)
    })
    await rolledBack(database.db, async (trx) => {
      await sql`insert into payout_floors (country, currency, minimum_minor)
        values ('*', 'HUF', 501)`.execute(trx)
      expect(await left(trx)).toBeGreaterThan(100)
    })
  })
})

describe('the database refuses a statement', () => {
  const nobody = '01890a5d-ac96-774b-bcce-b302099a8057'
  const draft = (change: Record<string, string> = {}) => {
    const value = (column: string, usual: string) => sql.raw(change[column] ?? usual)
    return sql`
      insert into statements (run_id, partner_id, period, since_period, currency, opening_minor,
        earned_minor, clawed_back_minor, adjustments_minor, closing_minor, held_minor,
        payable_minor, carried_minor, payout_currency, payout_minor, payout_rest_minor,
        fx_rate_id, reseller_id, master_id)
      select ${value('run', `'${runId}'`)}, ${value('partner', 'partner.id')}, '2026-08',
        ${value('since', 'null')}, ${value('currency', `'EUR'`)}, 0, 0, 0, 0, 0, 0, 0, 0,
        ${value('payout_currency', `'USD'`)}, 0, 0, ${value('rate', 'rate.id')},
        ${value('reseller', 'partner.reseller_id')}, partner.master_id
      from fx_rates rate, partners partner order by partner.id limit 1`
  }
  const rated = async (work: (trx: Parameters<typeof insertRates>[0]) => Promise<void>) =>
    rolledBack(database.db, async (trx) => {
      const asOf = new Date('2026-08-31Z')
      await insertRates(trx, [{ base: 'EUR', quote: 'USD', rate: '1.1', source: 'test', asOf }])
      await work(trx)
    })

  it('of nothing that there is not', async () => {
    await rated(async (trx) => {
      await draft().execute(trx)
    })
    const unknown = {
      run: `'${nobody}'::uuid`,
      partner: `'${nobody}'::uuid`,
      reseller: `'${nobody}'::uuid`,
      since: `'2020-01'`,
      currency: `'ZZZ'`,
      payout_currency: `'ZZZ'`,
      rate: `'${nobody}'::uuid`,
    }
    for (const [column, value] of Object.entries(unknown)) {
      await rated(async (trx) => {
        const refused = draft({ [column]: value }).execute(trx)
        await expect(refused).rejects.toMatchObject({ code: '23503' })
      })
    }
  })

  it('that is changed to refer to nothing', async () => {
    for (const change of [
      `seal_number = 999, seal_hash = 'x', issued_at = now(), document_number = 'none'`,
      `since_period = '2020-01'`,
      `run_id = '${nobody}'`,
    ]) {
      await rated(async (trx) => {
        await draft().execute(trx)
        const refused = sql`update statements set ${sql.raw(change)}
          where run_id = ${runId}`.execute(trx)
        await expect(refused).rejects.toMatchObject({ code: '23503' })
      })
    }
  })
})
