/**
 * Two masters, resellers, a reseller below a reseller and customers, with a row of everybody in
 * every table that belongs to somebody. Whose each row is, is said here again, by what the row is
 * about and never by what is stamped on it.
 */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import type { Db } from '../../db/database.ts'
import { type GuardKind, tableGuards } from '../../db/guards.ts'
import {
  fillWorld,
  issueStatements,
  makeWorld,
  type PlaceName,
  placeNames,
  sees,
  settledPeriod,
  type World,
} from '../api/world.ts'
import {
  makeApplication,
  makeKey,
  makeLink,
  makeOrder,
  makePayoutAccount,
} from '../support/factories.ts'

export const snake = (name: string) =>
  name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

export const tablesOf = (...kinds: GuardKind[]): string[] =>
  Object.entries(tableGuards)
    .filter(([, guard]) => kinds.includes(guard.kind))
    .map(([name]) => snake(name))
    .sort()

/** Of whom a row is, where the row itself does not name its partner. */
const byWhatItIsAbout: Record<string, string> = {
  partners: 'own.id',
  line_reversals: '(select partner_id from line_payments where id = own.line_payment_id)',
  disputes: '(select partner_id from payments where id = own.payment_id)',
  payout_attempts: `(select statements.partner_id from payouts
    join statements on statements.id = payouts.statement_id where payouts.id = own.payout_id)`,
  clawbacks: '(select partner_id from accruals where id = own.accrual_id)',
  payouts: '(select partner_id from statements where id = own.statement_id)',
  bank_payout_parts: '(select partner_id from payouts where id = own.payout_id)',
  payout_exceptions: '(select partner_id from payouts where id = own.payout_id)',
  closing_clawbacks: '(select partner_id from closing_accruals where id = own.closing_accrual_id)',
  commission_rules: `coalesce(own.partner_id,
    (select partner_id from partner_links where id = own.link_id))`,
  applications: 'own.parent_id',
  api_keys: '(select partner_id from members where id = own.member_id)',
  documents: '(select parent_id from applications where id = own.holder_id)',
}
for (const [name, guard] of Object.entries(tableGuards)) {
  if (guard.kind !== 'application') continue
  byWhatItIsAbout[snake(name)] ??=
    `(select parent_id from applications where id = own.${guard.application})`
}

/** Of which customer a row is, for the tables in which people of customers see rows. */
const customerOf: Record<string, string> = {
  customers: 'own.id',
  api_keys: '(select customer_id from members where id = own.member_id)',
}

/** Kinds of tables whose rows are nobody's in particular. */
const common = ['shared', 'inner']

export interface OwnedRow {
  place: string
  partner: string | null
  customer: string | null
}

/** Every row of a table, by where it lies, as the owner of the tables sees it. */
export async function rowsOf(db: Db, table: string): Promise<OwnedRow[]> {
  const guard = Object.entries(tableGuards).find(([name]) => snake(name) === table)?.[1]
  const partner =
    byWhatItIsAbout[table] ?? (common.includes(guard?.kind ?? '') ? 'null' : 'own.partner_id')
  const customer = customerOf[table] ?? (guard?.customer ? 'own.customer_id' : 'null::uuid')
  const { rows } = await sql<OwnedRow>`
    select own.ctid::text as place, ${sql.raw(partner)} as partner,
      ${sql.raw(customer)} as customer
    from ${sql.table(table)} own`.execute(db)
  return rows
}

export interface IsolationWorld extends World {
  /** A customer of each, with a member and a key of its own. */
  customers: Record<PlaceName, string>
}

export async function makeIsolationWorld(db: Db): Promise<IsolationWorld> {
  const world = await makeWorld(db)
  await makeKey(db, null)
  await fillWorld(db, world)
  await issueStatements(db)
  const customers = {} as Record<PlaceName, string>
  for (const name of placeNames) {
    const { id } = world[name]
    await makeLink(db, id)
    await makePayoutAccount(db, id)
    await makeApplication(db, { parentId: id })
    await makeOrder(db, id)
    customers[name] = await payingCustomer(db, id)
  }
  for (const name of placeNames) await makeTheRest(db, { id: world[name].id, name, customers })
  return { ...world, customers }
}

async function payingCustomer(db: Db, partnerId: string): Promise<string> {
  const { customerId } = await db
    .selectFrom('payments')
    .select('customerId')
    .where('partnerId', '=', partnerId)
    .executeTakeFirstOrThrow()
  if (!customerId) throw new Error('a customer paid')
  return customerId
}

interface Owner {
  id: string
  name: PlaceName
  customers: Record<PlaceName, string>
}

/** The master reseller above a partner, and the topmost reseller, by the picture of the world. */
export const topOf = (name: PlaceName): PlaceName => (sees.north.includes(name) ? 'north' : 'south')

/**
 * Rows that take a long story to come about, written as they would end up: no trigger and no
 * reference is looked at, but the checks of the tables are.
 */
async function makeTheRest(db: Db, owner: Owner): Promise<void> {
  const { rows: places } = await sql<{ resellerId: string; masterId: string }>`
    select reseller_id, master_id from partners where id = ${owner.id}`.execute(db)
  const [place] = places
  if (!place) throw new Error('the partner is there')
  const stamps = sql`${owner.id}::uuid, ${place.resellerId}::uuid, ${place.masterId}::uuid`
  const stamped = sql`partner_id, reseller_id, master_id`
  const [period, key, customer] = [settledPeriod, randomUUIDv7(), owner.customers[owner.name]]
  const some = (table: string, column = 'id') =>
    sql`(select ${sql.ref(column)} from ${sql.table(table)} where partner_id = ${owner.id} limit 1)`
  const member = sql`(select id from members where partner_id = ${owner.id} limit 1)`
  const application = sql`(select id from applications where parent_id = ${owner.id} limit 1)`
  const rule = sql`(select id from commission_rules limit 1)`
  const reversal = sql`(select reversal.id from line_reversals reversal
    join line_payments line on line.id = reversal.line_payment_id
    where line.partner_id = ${owner.id} limit 1)`
  const [closing, customerMember, learning] = [randomUUIDv7(), randomUUIDv7(), randomUUIDv7()]
  const dispute = randomUUIDv7()
  const statements = [
    sql`insert into disputes (vendor_dispute_id, payment_id, amount_minor, status, opened_at,
      ${stamped}) values (${key}, ${some('payments')}, 1, 'open', now(), ${stamps})`,
    sql`insert into adjustments (currency, amount_minor, reason, happened_at, period, ${stamped})
      values ('USD', 1, 'test', now(), ${period}, ${stamps})`,
    sql`insert into closing_accruals (id, kind, rule_id, period, currency, amount_minor, metric,
      ${stamped}) values (${closing}, 'bonus', ${rule}, ${period}, 'USD', 100, 1, ${stamps})`,
    sql`insert into closing_clawbacks (closing_accrual_id, line_reversal_id, currency,
      amount_minor, period, ${stamped})
      values (${closing}, ${reversal}, 'USD', 1, ${period}, ${stamps})`,
    sql`insert into payout_attempts (payout_id, attempt_no, idempotency_key, request, ${stamped})
      values (${some('payouts')}, 77, ${key}, '{}', ${stamps})`,
    sql`insert into bank_payouts (id, vendor_account_id, vendor_payout_id, currency, amount_minor,
      status, ${stamped}) values (${key}, 'acct_1', ${key}, 'USD', 1, 'paid', ${stamps})`,
    sql`insert into bank_payout_parts (bank_payout_id, payout_id, ${stamped})
      values (${key}, ${some('payouts')}, ${stamps})`,
    sql`insert into payout_exceptions (payout_id, cause, ${stamped})
      values (${some('payouts')}, 'bank_failed', ${stamps})`,
    sql`insert into invitations (partner_id, name_sealed, email_sealed, token_hash, expires_at)
      values (${owner.id}, 'Guest', 'guest', sha256(${key}::bytea), now())`,
    sql`insert into member_invitations (partner_id, name_sealed, email_sealed, email_index, role,
      token_hash, invited_by, expires_at) values (${owner.id}, 'Guest', 'guest', ${key}::bytea,
      'viewer', sha256(${key}::bytea), ${member}, now())`,
    sql`insert into partner_status_changes (partner_id, status, reason, level, changed_by)
      values (${owner.id}, 'active', 'test', 'super_admin', 'test')`,
    sql`insert into enrolments (id, member_id, course_id, ${stamped})
      values (${learning}, ${member}, ${key}, ${stamps})`,
    sql`insert into module_completions (enrolment_id, ordinal, ${stamped})
      values (${learning}, 1, ${stamps})`,
    sql`insert into quiz_attempts (enrolment_id, answers, score, passed, ${stamped})
      values (${learning}, '{}', 0, false, ${stamps})`,
    sql`insert into certificates (number, member_id, course_id, enrolment_id, ${stamped})
      values (upper(regexp_replace(left(md5(${key}), 16), '(.{4})(.{4})(.{4})(.{4})',
        '\\1-\\2-\\3-\\4')), ${member}, ${key}, ${learning}, ${stamps})`,
    sql`insert into territory_assignments (programme_id, territory, mode, status, ${stamped})
      select programme_id, 'US', 'shared', 'assigned', ${stamps} from partners
      where id = ${owner.id}`,
    sql`insert into partner_verifications (status, ${stamped}) values ('verified', ${stamps})`,
    sql`insert into tenant_images (tenant_id, kind, partner_id, media_type, sha256, content)
      values (${some('tenants')}, 'logo', ${owner.id}, 'image/png', sha256('x'), 'x')`,
    sql`insert into tenant_packages (tenant_id, feature_package_id, partner_id, is_offered)
      select ${some('tenants')}, id, ${owner.id}, true from feature_packages limit 1`,
    sql`insert into partner_moves (partner_id, parent_id, effective_from)
      values (${owner.id}, ${owner.id}, now())`,
    sql`insert into commission_rules (programme_id, version, depth, rate_num, rate_den, valid,
      code, partner_id, owner_id) select programme_id, 1, 0, 1, 100, '(,)', ${key}, ${owner.id},
      ${owner.id} from commission_rules limit 1`,
    sql`insert into members (id, partner_id, customer_id, name_sealed, email_sealed, email_index,
      role) values (${customerMember}, ${owner.id}, ${customer}, 'Buyer', 'buyer', ${key}::bytea,
      'owner')`,
    sql`insert into api_keys (member_id, partner_id, customer_id, label, prefix, last_four,
      secret_hash, scopes, expires_at) values (${customerMember}, ${owner.id}, ${customer}, 'test',
      'trib_test_sk_', 'xxxx', sha256(${key}::bytea), '{}', now())`,
    sql`insert into application_invitations (partner_id, invited_by, name_sealed, email_sealed,
      email_index, message_sealed, level, token_hash, expires_at) values (${owner.id}, ${member},
      'Guest', 'guest', ${key}::bytea, '', 'reseller', sha256(${key}::bytea), now())`,
    sql`insert into accrual_cancellations (termination_id, cause, accrual_id, currency,
      amount_minor, period, ${stamped}) values (${key}, 'termination', ${some('accruals')}, 'USD',
      1, ${period}, ${stamps})`,
    sql`insert into payout_returns (termination_id, payout_id, currency, amount_minor, period,
      ${stamped}) values (${key}, ${some('payouts')}, 'USD', 1, ${period}, ${stamps})`,
    sql`insert into statement_entries (kind, entry_id, run_id, currency, period, figure,
      amount_minor, ${stamped}) select 'accrual', ${key}, run_id, 'USD', period, 'earned', 1,
      ${stamps} from statements limit 1`,
    sql`insert into statement_holds (statement_id, cause, amount_minor, ${stamped})
      values (${some('statements')}, 'by_person', 1, ${stamps})`,
    sql`insert into partner_reserves (id, statement_id, currency, amount_minor, window_from,
      paid_minor, disputed_minor, above_bps, keep_bps, kept_since, until, ${stamped})
      values (${dispute}, ${some('statements')}, 'USD', 1, '2026-01-01', 1, 1, 150, 2500,
        '2026-02-01', '2026-03-01', ${stamps})`,
    sql`insert into reserve_ends (statement_id, reserve_id, cause, amount_minor, ${stamped})
      values (${some('statements')}, ${dispute}, 'used', 1, ${stamps})`,
    sql`insert into reserve_releases (reserve_id, reason, ${stamped})
      values (${dispute}, 'test', ${stamps})`,
    sql`insert into line_disputes (id, statement_id, line_kind, line_id, currency, line_minor,
      most_minor, due_at, ${stamped}) values (${dispute}, ${some('statements')}, 'accrual', ${key},
      'USD', 1, 1, now(), ${stamps})`,
    sql`insert into line_dispute_events (dispute_id, kind, side, member_id, words, ${stamped})
      values (${dispute}, 'opened', 'partner', ${member}, 'test', ${stamps})`,
    sql`insert into tax_forms (partner_id, state, requested_at)
      values (${owner.id}, 'requested', now())`,
    ...selfBillingRows(owner.id, { statement: some('statements'), member, key, period }),
    sql`insert into terms_acceptances (terms_id, due_at, ${stamped})
      select id, now(), ${stamps} from agreement_terms limit 1`,
    sql`insert into mail_templates (partner_id, template, subject, paragraphs)
      values (${owner.id}, 'memberInvitation', 'Join us', '{Hello}')`,
    ...screeningRows(application, { master: place.masterId, member }),
    ...tierRows(stamps),
    ...[
      ...['agreements', 'decision_notes', 'application_events', 'identity_checks'],
      ...['application_answers', 'application_contacts', 'application_twins'],
      ...['information_requests', 'information_answers', 'payout_accounts'],
      ...['agreement_resends', 'documents'],
    ].map((table) =>
      partsOfApplication(table, { application, member, master: place.masterId, key }),
    ),
  ]
  await db.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx)
    for (const statement of statements) await statement.execute(trx)
  })
}

/** What a partner is for tax, and a document about it. */
function selfBillingRows(
  partner: unknown,
  { statement, member, key, period }: Record<'statement' | 'member' | 'key' | 'period', unknown>,
) {
  return [
    sql`insert into self_billing_profiles (partner_id, legal_name_sealed, address_sealed,
      vat_id_sealed, has_vat_id, country, registered) values (${partner}, 'x', 'x', '', false, 'US',
      false)`,
    sql`insert into self_billing_agreements (partner_id, profile_id, version, accepted_by,
      valid_until) values (${partner}, ${key}, '1', ${member}, '2099-01-01')`,
    sql`insert into self_billing_documents (kind, document_number, number, statement_id,
      partner_id, period, profile_id, agreement_id, issuer, treatment, rate_bps, currency,
      base_minor, vat_minor, total_minor, issued_at, hash) values ('invoice', ${key}, 1,
      ${statement}, ${partner}, ${period}, ${key}, ${key}, '{}', 'outside_scope', 0, 'USD', 1, 0, 1,
      now(), sha256('x'))`,
    sql`insert into self_billing_skips (statement_id, partner_id, reason, base_minor)
      values (${statement}, ${partner}, 'no_consent', 1)`,
  ]
}

function tierRows(stamps: unknown) {
  return [
    sql`insert into tier_graces (period, from_tier, to_tier, metric_minor, least_minor, currency,
      falls_at, partner_id, reseller_id, master_id) values ('2026-09', 'silver', 'bronze', 1, 2,
      'USD', 'infinity', ${stamps})`,
  ]
}

function screeningRows(application: unknown, by: { master: string; member: unknown }) {
  const [id, approval] = [randomUUIDv7(), randomUUIDv7()]
  const whose = sql`${application}, ${by.master}::uuid`
  return [
    sql`insert into screenings (id, application_id, master_id, kind, role, name_hash, provider,
      list, list_version, threshold, outcome) values (${id}, ${whose}, 'company', 'company',
      sha256('name'), 'file', 'test', '1', 85, 'review')`,
    sql`insert into screening_hits (screening_id, application_id, master_id, list, entry_id,
      entry_name, programs, score) values (${id}, ${whose}, 'test', '1', 'Entry', '{}', 90)`,
    sql`insert into screening_decisions (screening_id, application_id, master_id, decision, reason,
      decided_by, approval_id) values (${id}, ${whose}, 'overridden', 'test', ${by.member},
      ${approval})`,
  ]
}

function partsOfApplication(
  table: string,
  parts: { application: unknown; member: unknown; master: string; key: string },
) {
  const { application, member, master, key } = parts
  const whose = sql`${application}, ${master}::uuid`
  switch (table) {
    case 'agreements':
      return sql`insert into agreements (application_id, master_id, attempt, terms_version,
        terms_id) select ${whose}, 1, version, id from agreement_terms limit 1`
    case 'decision_notes':
      return sql`insert into decision_notes (application_id, master_id, member_id, decision, reason,
        effective_from) values (${whose}, ${member}, 'approve', 'test', now())`
    case 'information_requests':
      return sql`insert into information_requests (application_id, master_id, member_id,
        questions_sealed, question_count) values (${whose}, ${member}, 'test', 1)`
    case 'information_answers':
      return sql`insert into information_answers (application_id, master_id, request_id,
        answers_sealed) values (${whose}, ${key}::uuid, 'test')`
    case 'application_events':
      return sql`insert into application_events (application_id, master_id, entry_key, stage, actor,
        what) values (${whose}, ${key}, 'screening', 'test', 'test')`
    case 'identity_checks':
      return sql`insert into identity_checks (application_id, master_id, attempt)
        values (${whose}, 1)`
    case 'application_answers':
      return sql`insert into application_answers (application_id, master_id, message_sealed,
        custom_sealed) values (${whose}, 'Hello', '')`
    case 'application_contacts':
      return sql`insert into application_contacts (application_id, master_id, role, name_sealed,
        email_sealed) values (${whose}, 'owner', 'Ana', 'ana')`
    case 'application_twins':
      return sql`insert into application_twins (application_id, master_id, other_id, reason)
        values (${whose}, ${key}, 'name_and_domain')`
    case 'agreement_resends':
      return sql`insert into agreement_resends (id, application_id, master_id, member_id)
        values (${key}, ${whose}, ${member})`
    case 'documents':
      return sql`insert into documents (holder_id, master_id, kind, media_type, sha256,
        content_sealed) values (${whose}, 'test', 'text/plain', sha256('x'), 'x')`
    default:
      return sql`insert into payout_accounts (application_id, master_id) values (${whose})`
  }
}
