/** What is to be told of tax forms, and when. */
import { sql } from 'kysely'
import type { Db } from '../database.ts'
import { openedField } from '../personal-fields.ts'

export const taxFormNotice = 'tax_form'

export interface TaxFormNews {
  id: string
  what: 'requested' | 'expiring' | 'expired' | 'rejected'
  /** The newest mark that has come; in seconds, 0 of what has none. */
  mark: number
  expiresOn: string | null
  contactName: string
  contactEmail: string
}

/** In seconds, since the request and before the last day. */
export interface TaxFormMarks {
  sinceRequest: number[]
  beforeExpiry: number[]
}

/** How a notice of this news is kept apart from others of the same form. */
export const occurrenceOf = ({ what, mark }: Pick<TaxFormNews, 'what' | 'mark'>) =>
  `${what}:${mark}`

/** News that the partner was not told, the oldest form first. */
export async function listTaxFormNews(
  db: Db,
  { sinceRequest, beforeExpiry }: TaxFormMarks,
  limit: number,
): Promise<TaxFormNews[]> {
  const { rows } = await sql<TaxFormNews>`
    select form.id, news.what, news.mark, form.expires_on,
      ${openedField('partners', 'contactName', 'partner')} as contact_name,
      ${openedField('partners', 'contactEmail', 'partner')} as contact_email
    from tax_forms form
    join partners partner on partner.id = form.partner_id
    cross join lateral (
      select 'requested' as what, max(mark) as mark from unnest(${[0, ...sinceRequest]}::int[]) mark
      where form.state = 'requested'
        and clock_timestamp() >= form.requested_at + make_interval(secs => mark)
      union all
      select 'expiring', min(mark) from unnest(${beforeExpiry}::int[]) mark
      where form.state = 'valid' and clock_timestamp()
        >= (form.expires_on::date + 1)::timestamp at time zone 'UTC' - make_interval(secs => mark)
      union all
      select form.state, 0 where form.state in ('rejected', 'expired')
        and coalesce(form.ended_at, form.decided_at) > clock_timestamp() - interval '3 days'
    ) news
    where news.mark is not null and not exists (select from notices
      where kind = ${taxFormNotice} and subject_id = form.id
        and occurrence = news.what || ':' || news.mark
        and (sent_at is not null or refused_at is not null))
    order by form.id limit ${limit}`.execute(db)
  return rows
}
