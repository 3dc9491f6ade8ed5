/** Invariants of what statements keep back of payouts. */

export const reserveInvariants = [
  {
    id: 'I28',
    says: 'what a statement holds as reserve is what was reserved and has not ended by then',
    query: `with moved as (
        select statement_id, amount_minor as amount from partner_reserves
        union all
        select statement_id, -amount_minor from reserve_ends
      ), concerned as (
        select distinct own.partner_id, own.currency from statements own
        join moved on moved.statement_id = own.id
        union
        select own.partner_id, own.currency from statement_holds hold
        join statements own on own.id = hold.statement_id where hold.cause = 'reserve'
      ), told as (
        select s.id, coalesce(hold.amount_minor, 0) as held,
          sum(coalesce(moves.amount, 0)) over (
            partition by s.partner_id, s.currency order by s.period, s.id) as kept
        from concerned
        join statements s using (partner_id, currency)
        left join statement_holds hold on hold.statement_id = s.id and hold.cause = 'reserve'
        left join (select statement_id, sum(amount) as amount from moved group by 1) moves
          on moves.statement_id = s.id
        where s.issued_at is not null)
      select id, held, kept from told where held <> kept`,
  },
  {
    id: 'I29',
    says: 'a reserve ends once, not before its time, and is of its partner and currency',
    query: `select reserve.id from partner_reserves reserve
      join statements taken on taken.id = reserve.statement_id and taken.issued_at is not null
      left join (select gone.reserve_id, sum(gone.amount_minor) as amount,
          bool_or(gone.cause = 'matured' and run.cutoff_at < own.until) as early,
          bool_or((told.partner_id, told.currency) <> (own.partner_id, own.currency)
            or (told.period, told.id) <= (kept_by.period, kept_by.id)) as misplaced
        from reserve_ends gone
        join partner_reserves own on own.id = gone.reserve_id
        join statements kept_by on kept_by.id = own.statement_id
        join statements told on told.id = gone.statement_id and told.issued_at is not null
        join settlement_runs run on run.id = told.run_id
        group by 1) ends on ends.reserve_id = reserve.id
      where ends.amount > reserve.amount_minor or ends.early or ends.misplaced
        or (taken.partner_id, taken.currency) <> (reserve.partner_id, reserve.currency)`,
  },
]
