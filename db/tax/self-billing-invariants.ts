/** Invariants of self-billed documents: amounts, numbers, and what the books say of their tax. */
export const selfBillingInvariants = [
  {
    id: 'I32',
    says: 'self-billed documents, and what they leave out, are what their statement earned, net',
    query: `with told as (
        select statement_id, base_minor from self_billing_documents
        union all select statement_id, base_minor from self_billing_skips)
      select s.id from statements s join told on told.statement_id = s.id
      group by s.id
      having sum(told.base_minor) <> s.earned_minor - s.clawed_back_minor`,
  },
  {
    id: 'I33',
    says: 'a self-billed invoice has the tax of its rate, and credit notes give no more back',
    query: `select d.id from self_billing_documents d
      left join (
        select corrects_id, -sum(base_minor) as base, -sum(vat_minor) as vat
        from self_billing_documents where kind = 'credit_note' group by 1) back
        on back.corrects_id = d.id
      where d.kind = 'invoice' and (
        d.vat_minor <> round(d.base_minor::numeric * d.rate_bps / 10000)
        or back.base > d.base_minor or back.vat > d.vat_minor
        or (back.base = d.base_minor and back.vat <> d.vat_minor))
      union all
      select d.id from self_billing_documents d
      join self_billing_documents i on i.id = d.corrects_id
      where i.kind <> 'invoice'
        or (i.partner_id, i.currency, i.treatment, i.rate_bps)
          <> (d.partner_id, d.currency, d.treatment, d.rate_bps)`,
  },
  {
    id: 'I34',
    says: 'the numbers of the self-billed documents of a partner run without a gap',
    query: `select own.partner_id from self_billing_series own
      full join self_billing_documents d using (partner_id)
      group by own.partner_id, own.last_number
      having own.last_number is distinct from count(d.id)
        or count(d.id) <> coalesce(max(d.number), 0)`,
  },
  {
    id: 'I35',
    says: 'the books hold the tax of self-billed documents, and owe what no payout carried',
    query: `with due as (
        select null::uuid as partner_id, currency, vat_minor as amount from self_billing_documents
        union all select partner_id, currency, -vat_minor from self_billing_documents
        union all
        select p.partner_id, s.currency, p.vat_owed_minor
        from payouts p join statements s on s.id = p.statement_id
        where p.vat_owed_minor > 0 and p.status <> 'returned'
      ), booked as (
        select a.partner_id, a.currency,
          case when p.debit_account_id = a.id then p.amount_minor else -p.amount_minor end as amount
        from ledger_accounts a
        join ledger_postings p on a.id in (p.debit_account_id, p.credit_account_id)
        where a.purpose in ('input_tax', 'partner_vat')
      ), both_sides as (
        select partner_id, currency, amount from due
        union all select partner_id, currency, -amount from booked)
      select partner_id, currency from both_sides
      group by 1, 2 having sum(amount) <> 0`,
  },
]
