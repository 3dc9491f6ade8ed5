/** Drafts of all partners for whom figures and the programme's minimum are all that counts. */
import { type RawBuilder, sql } from 'kysely'
import { windowStart } from '../../domain/period.ts'
import type { Trx } from '../database.ts'
import type { Programme } from '../programmes.ts'
import { figuresOf, type PartnerRange, type StatementFigures, within } from './figures.ts'
import type { RunRow } from './runs.ts'

/**
 * That more than the figures counts: another currency, a floor of the rails, a termination, a
 * hold of everything, a reserve or what may make one, an old balance, or tax. Rather too many than
 * too few: the rules themselves are asked of each of these.
 */
function isSpecial(
  { period }: RunRow,
  { currency, minimumPayoutMinor, onboarding }: Programme,
): RawBuilder<boolean> {
  const { agedBalanceDays, backupWithholding, riskReserve, reserveWindowMonths } = onboarding
  return sql<boolean>`(coalesce(partner.payout_currency <> ${currency}, false)
    or exists (select from payout_floors floor
      where floor.currency = figure.currency and floor.country in ('*', partner.country)
        and floor.minimum_minor > ${minimumPayoutMinor}::bigint)
    or exists (select from terminations ended where ended.partner_id = partner.id
      and ended.effected_at is not null and ended.reinstated_at is null)
    or exists (select from settlement_holds hold where hold.partner_id = partner.id
      and hold.accrual_id is null and hold.released_at is null)
    or exists (select from partner_reserves kept where kept.partner_id = partner.id)
    or ${riskReserve}::boolean and partner.id in (
      select earned.partner_id from disputes dispute
      join line_payments line on line.payment_id = dispute.payment_id
      join accruals earned on earned.line_payment_id = line.id
      where dispute.status <> 'won'
        and dispute.opened_at >= ${windowStart(period, reserveWindowMonths)})
    or ${agedBalanceDays !== null}::boolean and figure.opening > 0
      and closing - figure.held between 1 and ${minimumPayoutMinor}::bigint - 1
    or ${backupWithholding}::boolean and (
      partner.country = 'US' and not exists (select from tax_forms form
        where form.partner_id = partner.id and form.state = 'valid')
      or exists (select from tax_forms form where form.partner_id = partner.id
        and form.state = 'valid' and form.subject_to_withholding)))`
}

/**
 * Drafts by one statement what the rules of `statementTotals` say of figures alone.
 * @returns the figures of all others, of whom nothing is drafted yet, in the order of their ids.
 */
export async function recordPlainDrafts(
  trx: Trx,
  { run, range, programme }: { run: RunRow; range: PartnerRange; programme: Programme },
): Promise<StatementFigures[]> {
  const { id: runId, sincePeriod: since, period, name, cutoffAt } = run
  const minimum = sql`${programme.minimumPayoutMinor}::bigint`
  const { rows } = await sql<StatementFigures>`
    with figure as materialized (${figuresOf({ runId, since, period, cutoffAt, range })}
    ), judged as materialized (
      select figure.*, closing, stepped, partner.reseller_id, partner.master_id,
        ${isSpecial(run, programme)} as is_special
      from figure
      join (select id, country, payout_currency, reseller_id, master_id from partners
        where ${within(sql`id`, range)} offset 0) partner on partner.id = figure.partner_id
      join currencies currency on currency.code = figure.currency
      cross join lateral (
        select opening + earned - clawed_back + adjustments as closing) balance
      cross join lateral (
        select greatest(closing - held, 0) - greatest(closing - held, 0) % currency.payout_step
          as stepped) free
    ), plain as (
      select *, case when stepped > 0 and stepped >= ${minimum} then stepped else 0 end as payable
      from judged where not is_special
    ), drafted as (
      insert into statements (run_id, partner_id, period, period_name, since_period, currency,
        opening_minor, earned_minor, clawed_back_minor, adjustments_minor, closing_minor,
        held_minor, payable_minor, carried_minor, carry_reason, reseller_id, master_id)
      select ${runId}::uuid, partner_id, ${period}, nullif(${name}, ${period}), since, currency,
        opening, earned, clawed_back, adjustments, closing, held, payable, closing - payable,
        case when closing < 0 then 'negative_balance' when closing = payable then null
          when held > 0 then 'held' when payable = 0 then 'below_minimum'
          else 'payout_step' end,
        reseller_id, master_id
      from plain order by partner_id, currency
    )
    select partner_id, currency, opening, earned, clawed_back, adjustments, held, since
    from judged where is_special order by partner_id, currency`.execute(trx)
  return rows
}
