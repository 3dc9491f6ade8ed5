/**
 * What a partner leaves behind beside its sealed fields: words that people wrote about it, and what
 * it showed to the world. Words in rows that are only added to, or that somebody has signed, stay:
 * they are the evidence of decisions (docs/lifecycle.md).
 */
import { sql } from 'kysely'
import type { Trx } from '../database.ts'

interface FreeWords {
  table: string
  /** The column that names the partner, or the application that became it. */
  owner: string
  column: string
}

/** Reasons and notes in clear, where a row may be changed. */
export const freeWords: readonly FreeWords[] = [
  { table: 'certificates', owner: 'partner_id', column: 'revoke_reason' },
  { table: 'decision_notes', owner: 'application_id', column: 'reason' },
  { table: 'offboardings', owner: 'partner_id', column: 'reason' },
  { table: 'territory_assignments', owner: 'holder_id', column: 'release_reason' },
  { table: 'territory_assignments', owner: 'holder_id', column: 'ruling_reason' },
  { table: 'verification_extensions', owner: 'partner_id', column: 'reason' },
]

/** @returns in how many rows there were any. */
export async function eraseWords(trx: Trx, partnerId: string): Promise<number> {
  let erased = 0
  for (const { table, owner, column } of freeWords) {
    const { numAffectedRows } = await sql`
      update ${sql.table(table)} set ${sql.ref(column)} = 'erased'
      where ${sql.ref(owner)} = ${partnerId} and ${sql.ref(column)} <> 'erased'`.execute(trx)
    erased += Number(numAffectedRows ?? 0n)
  }
  await sql`delete from mail_templates where partner_id = ${partnerId}`.execute(trx)
  return erased
}

/** Its domains are anybody's again: the edge gets no further certificate for them. */
export async function releaseDomains(trx: Trx, partnerId: string): Promise<number> {
  const { numAffectedRows } = await sql`
    update tenant_domains set
      domain = id::text || '.erased.invalid', token = repeat('0', 43), problem = null,
      state = case when ended_at is null then 'removed' else state end,
      ended_at = coalesce(ended_at, clock_timestamp()), certificate_ends_at = null
    where partner_id = ${partnerId} and domain <> id::text || '.erased.invalid'`.execute(trx)
  return Number(numAffectedRows ?? 0n)
}

/** How its environment looked, its images, and to whom its customers wrote. */
export async function eraseLooks(trx: Trx, partnerId: string): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from tenant_images where partner_id = ${partnerId}`.execute(trx)
  await sql`
    update tenant_branding set display_name = 'erased', email_sender_name = 'erased', css = '',
      header_text = '', footer_text = '', login_text = '', support_address = null
    where partner_id = ${partnerId}`.execute(trx)
  return Number(numAffectedRows ?? 0n)
}
