/** Commission rules and their versions, as the database keeps them. */
import { sql } from 'kysely'
import type { Band, CommissionRule, RuleTerms } from '../../domain/commission-rules.ts'
import { DomainError } from '../../domain/errors.ts'
import { basisPoints, type Rate } from '../../domain/money.ts'
import { periodEnd, periodStart } from '../../domain/period.ts'
import { type Db, lockName, type Trx } from '../database.ts'

/** A version of a rule; the scope names links, partners and packages by their UUIDs. */
export interface StoredRule extends CommissionRule {
  id: string
  version: number
  /** From when it also holds for customers who began under an older version. */
  migratesAt: Date | null
}

/**
 * The rules that hold at an instant for a partner, as its agreement states them: those for
 * everybody and its own. Terms of others, and of links, are not for its agreement.
 */
export async function listAgreedRules(
  db: Db,
  agreed: { programmeId: string; partnerId: string; at: Date },
): Promise<StoredRule[]> {
  const rows = await ruleRows(db)
    .where('programmeId', '=', agreed.programmeId)
    .where('linkId', 'is', null)
    .where((eb) => eb.or([eb('partnerId', 'is', null), eb('partnerId', '=', agreed.partnerId)]))
    .where(sql<boolean>`valid @> ${agreed.at}::timestamptz`)
    .orderBy('depth')
    .orderBy('code')
    .execute()
  return withBands(db, rows)
}

/** The names of the packages that rules are for, by id. */
export async function listProductNames(db: Db, rules: StoredRule[]): Promise<Map<string, string>> {
  const ids = [...new Set(rules.flatMap(({ scope }) => scope.product ?? []))]
  if (ids.length === 0) return new Map()
  const rows = await db
    .selectFrom('featurePackages')
    .select(['id', 'name'])
    .where('id', 'in', ids)
    .execute()
  return new Map(rows.map(({ id, name }) => [id, name]))
}

function ruleRows(db: Db) {
  return db
    .selectFrom('commissionRules')
    .selectAll()
    .select([
      sql<Date | null>`lower(commission_rules.valid)`.as('validFrom'),
      sql<Date | null>`upper(commission_rules.valid)`.as('validTo'),
    ])
}

type RuleRow = Awaited<ReturnType<ReturnType<typeof ruleRows>['executeTakeFirstOrThrow']>>

/** The rules that hold at some time of a stretch for everybody or for these links and partners. */
export async function listRulesBetween(
  trx: Trx,
  stretch: {
    programmeId: string
    first: Date
    last: Date
    linkIds: string[]
    partnerIds: string[]
  },
): Promise<StoredRule[]> {
  const { programmeId, first, last, linkIds, partnerIds } = stretch
  const rows = await ruleRows(trx)
    .where('programmeId', '=', programmeId)
    .where(sql<boolean>`valid && tstzrange(${first}, ${last}, '[]')`)
    .where((eb) => eb.or([eb('linkId', 'is', null), sql<boolean>`link_id = any(${linkIds})`]))
    .where((eb) =>
      eb.or([eb('partnerId', 'is', null), sql<boolean>`partner_id = any(${partnerIds})`]),
    )
    .orderBy('depth')
    .execute()
  return withBands(trx, rows)
}

/** One version of a rule. @throws DomainError `forbidden` where it is another's own. */
export async function findRule(db: Db, id: string): Promise<StoredRule> {
  const rows = await ruleRows(db).where('id', '=', id).execute()
  const [rule] = await withBands(db, rows)
  if (!rule) {
    throw new DomainError(
      'forbidden',
      'the terms of this accrual are those of a partner that you do not see any more',
    )
  }
  return rule
}

/** The version of each rule under which each customer's first accrual was made. */
export async function listPinnedRules(
  trx: Trx,
  customerIds: string[],
): Promise<Map<string, StoredRule[]>> {
  if (customerIds.length === 0) return new Map()
  const { rows: pins } = await sql<{ customerId: string; ruleId: string }>`
    select distinct on (customer.id, rule.code) customer.id as customer_id, accrual.rule_id
    from unnest(${customerIds}::uuid[]) customer (id)
    cross join lateral (
      select id, paid_at from line_payments where customer_id = customer.id offset 0) line
    cross join lateral (
      select id, rule_id from accruals where line_payment_id = line.id offset 0) accrual
    join commission_rules rule on rule.id = accrual.rule_id
    order by customer.id, rule.code, line.paid_at, accrual.id`.execute(trx)
  const ids = [...new Set(pins.map(({ ruleId }) => ruleId))]
  const rows = await ruleRows(trx).where(sql<boolean>`id = any(${ids})`).execute()
  const rules = new Map((await withBands(trx, rows)).map((rule) => [rule.id, rule]))
  const pinned = new Map<string, StoredRule[]>()
  for (const { customerId, ruleId } of pins) {
    const rule = rules.get(ruleId)
    if (rule) pinned.set(customerId, [...(pinned.get(customerId) ?? []), rule])
  }
  return pinned
}

/**
 * The rules that are judged when a period closes: bonuses that hold in it, and cliffs by which its
 * lines earned, also those that held only when the lines were paid or their customers came.
 */
export async function listClosingRules(
  trx: Trx,
  { programmeId, period }: { programmeId: string; period: string },
): Promise<StoredRule[]> {
  const rows = await ruleRows(trx)
    .where('programmeId', '=', programmeId)
    .where((eb) =>
      eb.or([
        eb.and([
          eb('kind', '=', 'performance'),
          sql<boolean>`valid && tstzrange(${periodStart(period)}, ${periodEnd(period)})`,
        ]),
        eb.and([
          eb('kind', '=', 'tiered_cliff'),
          sql<boolean>`exists (select from accruals
            where rule_id = commission_rules.id and period = ${period}
              and volume_minor is not null)`,
        ]),
      ]),
    )
    .orderBy('depth')
    .orderBy('code')
    .execute()
  return withBands(trx, rows)
}

async function withBands(db: Db, rows: RuleRow[]): Promise<StoredRule[]> {
  const tiered = rows.filter(({ kind }) => kind === 'tiered_marginal' || kind === 'tiered_cliff')
  const bands =
    tiered.length === 0
      ? []
      : await listBands(
          db,
          tiered.map(({ id }) => id),
        )
  return rows.map((row) =>
    storedRule(
      row,
      bands.filter(({ ruleId }) => ruleId === row.id),
    ),
  )
}

async function listBands(db: Db, ruleIds: string[]) {
  return db
    .selectFrom('commissionBands')
    .selectAll()
    .where('ruleId', 'in', ruleIds)
    .orderBy('ruleId')
    .orderBy('fromMinor')
    .execute()
}

type BandRow = Awaited<ReturnType<typeof listBands>>[number]

const rateOf = (num: bigint | null, den: bigint | null): Rate => ({
  num: num ?? 0n,
  den: den ?? 1n,
})

const bandOf = ({ fromMinor, toMinor, rateNum, rateDen }: BandRow): Band => ({
  from: fromMinor,
  to: toMinor,
  rate: rateOf(rateNum, rateDen),
})

function termsOf(row: RuleRow, bands: BandRow[]): RuleTerms {
  const rate = rateOf(row.rateNum, row.rateDen)
  const amountPerUnit = row.amountPerUnitMinor ?? 0n
  switch (row.kind) {
    case 'percentage':
      return { kind: row.kind, rate }
    case 'flat':
      return { kind: row.kind, amountPerUnit }
    case 'hybrid':
      return { kind: row.kind, rate, amountPerUnit }
    case 'tiered_marginal':
    case 'tiered_cliff':
      return { kind: row.kind, bands: bands.map(bandOf) }
    case 'performance':
      return {
        kind: row.kind,
        metric: row.metric ?? 'collected',
        target: row.target ?? 0n,
        bonus: row.bonusMinor ?? 0n,
      }
  }
}

function storedRule(row: RuleRow, bands: BandRow[]): StoredRule {
  return {
    id: row.id,
    code: row.code,
    version: row.version,
    migratesAt: row.migratesAt,
    depth: row.depth,
    terms: termsOf(row, bands),
    scope: {
      link: row.linkId,
      partner: row.partnerId,
      tier: row.tier,
      product: row.featurePackageId,
    },
    validFrom: row.validFrom,
    validTo: row.validTo,
    cap:
      row.capMinor === null || row.capPer === null
        ? null
        : { amount: row.capMinor, per: row.capPer },
    floor: row.floorMinor,
    windowMonths: row.windowMonths,
    setupFee: row.setupFee,
  }
}

/**
 * Publishes a set of rules that holds from an instant on; what held until then ends there.
 * Customers stay under the version they began with until `migratesAt`, or for good without one.
 * @returns the versions, by the rules' names.
 * @throws DomainError `conflict` where another set was published for later.
 */
export async function publishRules(
  trx: Trx,
  set: { programmeId: string; rules: CommissionRule[]; from: Date; migratesAt: Date | null },
): Promise<Map<string, number>> {
  const { programmeId, from, migratesAt } = set
  await lockName(trx, `commission_rules:${programmeId}`)
  const { rows: later } = await sql`
    select id from commission_rules
    where programme_id = ${programmeId} and lower(valid) >= ${from}`.execute(trx)
  if (later.length > 0) {
    throw new DomainError('conflict', 'a set of rules was published for that time or later')
  }
  await sql`
    update commission_rules set valid = tstzrange(lower(valid), ${from})
    where programme_id = ${programmeId} and valid @> ${from}::timestamptz`.execute(trx)
  const { rows } = await sql<{ code: string; version: number }>`
    select code, max(version) as version from commission_rules
    where programme_id = ${programmeId} group by 1`.execute(trx)
  const before = new Map(rows.map(({ code, version }) => [code, version]))
  const rules = set.rules.map((rule) => ({
    ...rule,
    programmeId,
    version: (before.get(rule.code) ?? 0) + 1,
    validFrom: from,
    validTo: null,
    migratesAt,
  }))
  await insertRules(trx, rules)
  return new Map(rules.map(({ code, version }) => [code, version]))
}

export interface NewRule extends CommissionRule {
  programmeId: string
  version: number
  migratesAt: Date | null
}

/** Publishes versions of rules. Two line rules of one depth and scope at one time are refused. */
export async function insertRules(trx: Trx, rules: NewRule[]): Promise<void> {
  for (const rule of rules) {
    const { id } = await trx
      .insertInto('commissionRules')
      .values({
        programmeId: rule.programmeId,
        code: rule.code,
        version: rule.version,
        migratesAt: rule.migratesAt,
        depth: rule.depth,
        kind: rule.terms.kind,
        linkId: rule.scope.link,
        partnerId: rule.scope.partner,
        tier: rule.scope.tier,
        featurePackageId: rule.scope.product,
        valid: `[${instant(rule.validFrom)},${instant(rule.validTo)})`,
        capMinor: rule.cap?.amount ?? null,
        capPer: rule.cap?.per ?? null,
        floorMinor: rule.floor,
        windowMonths: rule.windowMonths,
        setupFee: rule.setupFee,
        ...termColumns(rule.terms),
      })
      .returning('id')
      .executeTakeFirstOrThrow()
    await insertBands(trx, id, 'bands' in rule.terms ? rule.terms.bands : [])
  }
}

const instant = (at: Date | null) => at?.toISOString() ?? ''

function termColumns(terms: RuleTerms) {
  const { num, den } = 'rate' in terms ? terms.rate : basisPoints(0)
  const hasRate = 'rate' in terms
  const performance = terms.kind === 'performance' ? terms : null
  return {
    rateNum: hasRate ? num : null,
    rateDen: hasRate ? den : null,
    amountPerUnitMinor: 'amountPerUnit' in terms ? terms.amountPerUnit : null,
    metric: performance?.metric ?? null,
    target: performance?.target ?? null,
    bonusMinor: performance?.bonus ?? null,
  }
}

async function insertBands(trx: Trx, ruleId: string, bands: Band[]): Promise<void> {
  if (bands.length === 0) return
  await trx
    .insertInto('commissionBands')
    .values(
      bands.map(({ from, to, rate }) => ({
        ruleId,
        fromMinor: from,
        toMinor: to,
        rateNum: rate.num,
        rateDen: rate.den,
      })),
    )
    .execute()
}
