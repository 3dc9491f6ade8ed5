/** Where people are signed in. A token is looked up by its SHA-256, which is all that is kept. */
import { type SqlBool, sql } from 'kysely'
import { DomainError } from '../../domain/errors.ts'
import {
  type Factors,
  type MemberRole,
  pendingSeconds,
  type SessionNeed,
  sessionLife,
  stepUpSeconds,
} from '../../domain/members.ts'
import type { ActorLevel, PartnerStatus } from '../../domain/partners.ts'
import { limitOf, standing } from '../access.ts'
import type { Db, Trx } from '../database.ts'
import type { Quota } from '../limits.ts'
import { type Page, type PageRequest, pageOf } from '../paging.ts'
import { openedField } from '../personal-fields.ts'

export type EndReason =
  | 'signed_out'
  | 'revoked'
  | 'replaced'
  | 'password_changed'
  | 'factors_changed'

/** A live session with its member and its person. */
export interface Session extends Factors {
  id: string
  memberId: string
  memberName: string
  role: MemberRole
  level: ActorLevel
  partnerId: string | null
  customerId: string | null
  partnerName: string | null
  partnerStatus: PartnerStatus | null
  /** The organisation or one above it is suspended. */
  suspended: boolean
  /** Stands, or stood, below another reseller. */
  chained: boolean
  /** What the tenant of a partner may ask, where it has a quota. */
  tenantLimit: Quota | null
  personId: string
  email: string
  hasPassword: boolean
  needs: SessionNeed | null
  methods: string[]
  steppedUpAt: Date | null
  /** Whether the last proof is fresh enough for what takes a fresh one. */
  isSteppedUp: boolean
  /** Whether it has just begun: the proof of a sign-in is as good as any. */
  isNew: boolean
  createdAt: Date
  lastSeenAt: Date
  expiresAt: Date
}

const within = (column: string, seconds: number) =>
  sql<SqlBool>`${sql.ref(column)} > clock_timestamp() - make_interval(secs => ${seconds})`

const isLive = sql<SqlBool>`sessions.ended_at is null and sessions.expires_at > clock_timestamp()
  and sessions.last_seen_at > clock_timestamp() - make_interval(secs => sessions.idle_seconds)`

function liveSessions(db: Db) {
  return db
    .selectFrom('sessions')
    .innerJoin('members', 'members.id', 'sessions.memberId')
    .innerJoin('people', 'people.id', 'sessions.personId')
    .leftJoin('partners', 'partners.id', 'members.partnerId')
    .where(isLive)
    .where('members.status', '=', 'active')
    .where(sql<SqlBool>`partners.status is distinct from 'terminated'`)
}

/**
 * The live session with this hash; where it is used, its last use is noted, at most once a minute.
 */
export async function findSession(
  db: Db,
  tokenHash: Buffer,
  why: 'used' | 'looked_at' = 'used',
): Promise<Session | undefined> {
  const row = await liveSessions(db)
    .select([
      'sessions.id',
      'sessions.memberId',
      openedField('members', 'name').as('memberName'),
      'members.role',
      'members.partnerId',
      'members.customerId',
      standing.suspended.as('suspended'),
      standing.chained.as('chained'),
      standing.tenantPerMinute.as('tenantPerMinute'),
      'partners.name as partnerName',
      'partners.status as partnerStatus',
      'partners.level as partnerLevel',
      'sessions.personId',
      openedField('people', 'email').as('email'),
      sql<boolean>`people.password_hash is not null`.as('hasPassword'),
      sql<boolean>`people.totp_confirmed_at is not null`.as('hasTotp'),
      sql<number>`(select count(*)::int from passkeys where person_id = people.id)`.as('passkeys'),
      'sessions.needs',
      'sessions.methods',
      'sessions.steppedUpAt',
      sql<boolean>`coalesce(${within('sessions.steppedUpAt', stepUpSeconds)}, false)`.as(
        'isSteppedUp',
      ),
      sql<boolean>`${within('sessions.createdAt', stepUpSeconds)}`.as('isNew'),
      sql<boolean>`not (${within('sessions.lastSeenAt', 60)})`.as('isStale'),
      'sessions.createdAt',
      'sessions.lastSeenAt',
      'sessions.expiresAt',
    ])
    .where('sessions.tokenHash', '=', tokenHash)
    .executeTakeFirst()
  if (!row) return undefined
  const { isStale, partnerLevel, tenantPerMinute, ...session } = row
  if (isStale && why === 'used') await markSeen(db, session.id)
  const level = session.customerId ? 'customer' : (partnerLevel ?? 'super_admin')
  return { ...session, level, tenantLimit: limitOf(tenantPerMinute) }
}

async function markSeen(db: Db, id: string): Promise<void> {
  await db
    .updateTable('sessions')
    .set({ lastSeenAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .execute()
}

const inSeconds = (seconds: number) =>
  sql<Date>`clock_timestamp() + make_interval(secs => ${seconds})`

export interface NewSession {
  id: string
  memberId: string
  personId: string
  level: ActorLevel
  tokenHash: Buffer
  needs: SessionNeed | null
  methods: string[]
  /** When the person proved itself, where the sign-in is as good as a step-up; null otherwise. */
  steppedUpAt: Date | 'now' | null
  ip: string
  userAgent: string
}

const instant = (at: Date | 'now' | null) => (at === 'now' ? sql<Date>`clock_timestamp()` : at)

/** Inserts a session; one that is not whole lives for minutes only. */
export async function recordSession(trx: Trx, session: NewSession): Promise<void> {
  const { level, steppedUpAt, ...kept } = session
  const { idle, absolute } = sessionLife(level)
  const { partnerId } = await trx
    .selectFrom('members')
    .select('partnerId')
    .where('id', '=', session.memberId)
    .executeTakeFirstOrThrow()
  await trx
    .insertInto('sessions')
    .values({
      ...kept,
      partnerId,
      idleSeconds: idle,
      expiresAt: inSeconds(session.needs === null ? absolute : pendingSeconds),
      steppedUpAt: instant(steppedUpAt),
    })
    .execute()
}

/**
 * The person has proved itself in this session, which gets another token with it.
 * @throws DomainError `not_authenticated` where somebody else was quicker with the old token.
 */
export async function markProved(
  trx: Trx,
  session: Pick<Session, 'id' | 'level' | 'needs' | 'methods'>,
  proof: { method: string; stepsUp: boolean; oldHash: Buffer; newHash: Buffer },
): Promise<void> {
  const methods = [...new Set([...session.methods, proof.method])]
  const changed = await trx
    .updateTable('sessions')
    .set({
      tokenHash: proof.newHash,
      methods,
      needs: null,
      lastSeenAt: sql<Date>`clock_timestamp()`,
      ...(proof.stepsUp ? { steppedUpAt: sql<Date>`clock_timestamp()` } : {}),
      ...(session.needs === null
        ? {}
        : { expiresAt: inSeconds(sessionLife(session.level).absolute) }),
    })
    .where('id', '=', session.id)
    .where('tokenHash', '=', proof.oldHash)
    .where('endedAt', 'is', null)
    .returning('id')
    .executeTakeFirst()
  if (!changed) throw new DomainError('not_authenticated', 'this session has another token by now')
}

const ended = (because: EndReason) => ({
  endedAt: sql<Date>`clock_timestamp()`,
  endedBecause: because,
})

/** @returns how many sessions ended: one, or none. */
export async function endSession(db: Db, tokenHash: Buffer, because: EndReason): Promise<number> {
  const { numUpdatedRows } = await db
    .updateTable('sessions')
    .set(ended(because))
    .where('tokenHash', '=', tokenHash)
    .where('endedAt', 'is', null)
    .executeTakeFirst()
  return Number(numUpdatedRows)
}

/** Ends sessions of a person, in whatever organisation; one may be left out, or be the only one. */
export async function endSessionsOf(
  db: Db,
  which: { personId: string; except?: string | null; only?: string; because: EndReason },
): Promise<number> {
  let query = db
    .updateTable('sessions')
    .set(ended(which.because))
    .where('personId', '=', which.personId)
    .where(isLive)
  if (which.except) query = query.where('id', '<>', which.except)
  if (which.only) query = query.where('id', '=', which.only)
  const { numUpdatedRows } = await query.executeTakeFirst()
  return Number(numUpdatedRows)
}

export type SessionRow = Awaited<ReturnType<typeof listSessions>>['rows'][number]

/** The live sessions of a person in all its organisations, newest first. */
export async function listSessions(db: Db, personId: string, page: PageRequest) {
  let query = liveSessions(db)
    .select([
      'sessions.id',
      'sessions.partnerId',
      'partners.name as partnerName',
      'sessions.methods',
      'sessions.createdAt',
      'sessions.lastSeenAt',
      'sessions.expiresAt',
      'sessions.ip',
      'sessions.userAgent',
    ])
    .where('sessions.personId', '=', personId)
    .orderBy('sessions.id', 'desc')
    .limit(page.limit + 1)
  if (page.after) query = query.where('sessions.id', '<', page.after)
  const rows = await query.execute()
  return pageOf(rows, page.limit) satisfies Page<(typeof rows)[number]>
}
