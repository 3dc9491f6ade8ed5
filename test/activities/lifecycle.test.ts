/** What becomes of money when partners are suspended, terminated and reinstated. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { bookInvoice } from '../../activities/commission/payments.ts'
import { bookRefund } from '../../activities/commission/reversals.ts'
import type { ActivityDeps } from '../../activities/deps.ts'
import { effectDueTerminations } from '../../activities/lifecycle/terminations.ts'
import { recordDecision, recordProposal } from '../../db/approvals.ts'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { partnerBalance } from '../../db/ledger.ts'
import { findStandingTermination } from '../../db/lifecycle/terminations.ts'
import { listHolds } from '../../db/partner-holds.ts'
import { findCustomer } from '../../db/subscriptions.ts'
import type { Proposal } from '../../domain/approvals.ts'
import type { TerminationReason } from '../../domain/lifecycle.ts'
import type { PaidInvoice, StripeBilling } from '../../integrations/stripe-billing.ts'
import { type Books, openBooks } from '../support/books.ts'
import { backdate, createTestDatabase, type TestDatabase } from '../support/database.ts'
import {
  makeKey,
  makeLink,
  makeMember,
  makeOrder,
  makePartner,
  makePayoutAccount,
  makeProgramme,
  type Order,
  paidInvoice,
  unique,
} from '../support/factories.ts'

let database: TestDatabase
let books: Books
let first: string
let second: string
beforeAll(async () => {
  database = await createTestDatabase(10)
  await makeProgramme(database.db, { minimumPayoutMinor: 5_000n })
  books = openBooks(database.db)
  first = await books.person('first@platform.example')
  second = await books.person('second@platform.example')
})
afterEach(async () => {
  expect((await checkInvariants(database.db)).violations).toEqual([])
})
afterAll(() => database.drop())

/** The first person proposes and the second one approves. */
async function approved(terms: Omit<Proposal, 'id'>, id = randomUUIDv7()): Promise<string> {
  await inTransaction(database.db, (trx) =>
    recordProposal(trx, { ...terms, id, proposedBy: first } as Proposal & { proposedBy: string }),
  )
  await inTransaction(database.db, async (trx) => {
    const { payloadHash } = (await trx
      .selectFrom('approvals')
      .select('payloadHash')
      .where('id', '=', id)
      .executeTakeFirstOrThrow()) as { payloadHash: string }
    await recordDecision(trx, { id, memberId: second, verdict: 'approved', payloadHash })
  })
  return id
}

interface Ending {
  reasonCode?: TerminationReason
  successorId?: string | null
  effectiveAt?: Date | null
}

const terminate = (partnerId: string, ending: Ending = {}) =>
  approved({
    kind: 'termination',
    concernedId: partnerId,
    reason: 'as agreed',
    reasonCode: 'mutual',
    successorId: null,
    effectiveAt: null,
    ...ending,
  } as Omit<Proposal, 'id'>)

const reinstate = (partnerId: string) =>
  approved({ kind: 'reinstatement', concernedId: partnerId, reason: 'in error' })

const balance = (partnerId: string, purpose: 'partner_accrued' | 'partner_payable') =>
  partnerBalance(database.db, { purpose, partnerId, currency: 'USD' })

let month = 0
/** A month of the past that no other test settles. */
function newPeriod(): string {
  month += 1
  return `2024-${String(month).padStart(2, '0')}`
}

async function sale(partnerId: string, paidAt: string, net = 10_000n) {
  const order = await makeOrder(database.db, partnerId)
  const invoice = paidInvoice(order, { net, paidAt })
  await bookInvoice({ db: database.db }, invoice)
  return { order, invoice }
}

function refund(invoice: PaidInvoice, amount: bigint) {
  const refundId = unique('re')
  const chargeId = invoice.payments[0]?.chargeId ?? ''
  const createdAt = new Date()
  const billing = {
    readRefund: async () => ({
      refundId,
      chargeId,
      currency: 'USD',
      amount,
      createdAt,
      failed: false,
    }),
    findInvoicesOfCharge: async () => [invoice.invoiceId],
    readInvoice: async () => invoice,
  } as unknown as StripeBilling
  return bookRefund({ db: database.db, billing }, refundId)
}

async function cancelledOf(partnerId: string) {
  const rows = await database.db
    .selectFrom('accrualCancellations')
    .select(['cause', 'amountMinor'])
    .where('partnerId', '=', partnerId)
    .orderBy('id')
    .execute()
  return rows.map(({ cause, amountMinor }) => [cause, amountMinor])
}

const payoutsOf = (partnerId: string) =>
  database.db
    .selectFrom('payouts')
    .select(['status', 'amountMinor', 'holdReason'])
    .where('partnerId', '=', partnerId)
    .orderBy('id')
    .execute()

const statusOf = (partnerId: string) =>
  database.db
    .selectFrom('partners')
    .select('status')
    .where('id', '=', partnerId)
    .executeTakeFirstOrThrow()

const subscriptionOwner = async (order: Order) => {
  const row = await database.db
    .selectFrom('subscriptions')
    .select(['partnerId', 'masterId'])
    .where('id', '=', order.subscriptionId)
    .executeTakeFirstOrThrow()
  return row
}

const liveCustomersGone = (order: Order) =>
  sql`update subscriptions set status = 'canceled', canceled_at = now()
    where id = ${order.subscriptionId}`.execute(database.db)

/** A partner without customers to leave behind, that is owed 20.00 of a settled month. */
async function owed(net = 10_000n) {
  const partnerId = await makePartner(database.db, { level: 'master_reseller' })
  const made = await sale(partnerId, '2023-06-10T00:00:00Z', net)
  await liveCustomersGone(made.order)
  return { partnerId, ...made }
}

describe('a termination for fraud', () => {
  it('cancels exactly what is not paid, and its reinstatement gives exactly that again', async () => {
    const partnerId = await makePartner(database.db, { level: 'master_reseller' })
    await makePayoutAccount(database.db, partnerId)
    const period = newPeriod()
    const paid = await sale(partnerId, `${period}-10T00:00:00Z`, 50_000n)
    await books.settle(period)
    await sql`update payouts set status = 'in_flight' where partner_id = ${partnerId}`.execute(
      database.db,
    )
    const open = await sale(partnerId, `2026-09-10T00:00:00Z`)
    for (const { order } of [paid, open]) await liveCustomersGone(order)
    const before = await balance(partnerId, 'partner_accrued')
    await terminate(partnerId, { reasonCode: 'fraud' })
    expect(await statusOf(partnerId)).toEqual({ status: 'terminated' })
    expect(await cancelledOf(partnerId)).toEqual([['termination', 2_000n]])
    expect(await balance(partnerId, 'partner_accrued')).toBe(before - 2_000n)
    expect(await payoutsOf(partnerId)).toMatchObject([{ status: 'in_flight' }])
    await reinstate(partnerId)
    expect(await statusOf(partnerId)).toEqual({ status: 'active' })
    expect(await cancelledOf(partnerId)).toEqual([
      ['termination', 2_000n],
      ['reinstatement', -2_000n],
    ])
    expect(await balance(partnerId, 'partner_accrued')).toBe(before)
    expect(await listHolds(database.db, partnerId)).toEqual([])
    await sql`update payouts set status = 'approved' where partner_id = ${partnerId}`.execute(
      database.db,
    )
  })

  it('takes payouts back that were made and not sent, with what they were made of', async () => {
    const partnerId = await makePartner(database.db, { level: 'master_reseller' })
    const period = newPeriod()
    const { order } = await sale(partnerId, `${period}-10T00:00:00Z`, 50_000n)
    await books.settle(period)
    await liveCustomersGone(order)
    expect(await payoutsOf(partnerId)).toMatchObject([{ status: 'held', amountMinor: 10_000n }])
    await terminate(partnerId, { reasonCode: 'fraud' })
    expect(await payoutsOf(partnerId)).toMatchObject([{ status: 'returned', holdReason: null }])
    expect(await cancelledOf(partnerId)).toEqual([['termination', 10_000n]])
    expect(await balance(partnerId, 'partner_accrued')).toBe(0n)
    expect(await balance(partnerId, 'partner_payable')).toBe(0n)
  })

  it('takes nothing twice when a cancelled sale is refunded, and gives back only the rest', async () => {
    const { partnerId, invoice } = await owed()
    await terminate(partnerId, { reasonCode: 'fraud' })
    await refund(invoice, 2_500n)
    expect(await cancelledOf(partnerId)).toEqual([
      ['termination', 2_000n],
      ['reversal', -500n],
    ])
    expect(await balance(partnerId, 'partner_accrued')).toBe(0n)
    await reinstate(partnerId)
    expect(await balance(partnerId, 'partner_accrued')).toBe(1_500n)
  })

  it('cancels what is told late before the month is drafted, and pays nothing of it', async () => {
    const { partnerId } = await owed()
    await terminate(partnerId, { reasonCode: 'fraud' })
    const period = newPeriod()
    const late = await sale(partnerId, `${period}-20T00:00:00Z`, 50_000n)
    await liveCustomersGone(late.order)
    await books.settle(period)
    expect(await payoutsOf(partnerId)).toEqual([])
    const { rows } = await sql<{ payable: bigint; reason: string }>`
      select payable_minor as payable, carry_reason as reason from statements
      where partner_id = ${partnerId} and period = ${period} and issued_at is not null
    `.execute(database.db)
    expect(rows).toEqual([{ payable: 0n, reason: 'held' }])
    expect((await cancelledOf(partnerId)).at(-1)).toEqual(['termination', 10_000n])
    const accrued = await balance(partnerId, 'partner_accrued')
    expect(accrued + (await balance(partnerId, 'partner_payable'))).toBe(0n)
  })
})

describe('a termination for another reason', () => {
  it('pays what was earned with the next settlement, also below the usual minimum', async () => {
    const partnerId = await makePartner(database.db, { level: 'master_reseller' })
    const small = await makePartner(database.db, { level: 'master_reseller' })
    const stays = await makePartner(database.db, { level: 'master_reseller' })
    const period = newPeriod()
    for (const [id, net] of [
      [partnerId, 1_000n],
      [small, 495n],
      [stays, 1_000n],
    ] as const) {
      const { order } = await sale(id, `${period}-10T00:00:00Z`, net)
      await liveCustomersGone(order)
    }
    await terminate(partnerId)
    await terminate(small, { reasonCode: 'inactive' })
    await books.settle(period)
    expect(await payoutsOf(partnerId)).toMatchObject([{ amountMinor: 200n }])
    expect(await payoutsOf(small)).toEqual([])
    expect(await payoutsOf(stays)).toEqual([])
    expect(await cancelledOf(partnerId)).toEqual([])
  })

  it('leaves what is owed by a refund that comes afterwards', async () => {
    const partnerId = await makePartner(database.db, { level: 'master_reseller' })
    const period = newPeriod()
    const { order, invoice } = await sale(partnerId, `${period}-10T00:00:00Z`, 50_000n)
    await liveCustomersGone(order)
    await terminate(partnerId)
    await books.settle(period)
    await refund(invoice, 50_000n)
    expect(await balance(partnerId, 'partner_accrued')).toBe(-10_000n)
  })

  it('hands over customers that pay: later payments earn for the successor, earlier ones stay', async () => {
    const { db } = database
    const parent = await makePartner(db, { level: 'master_reseller' })
    const partnerId = await makePartner(db, { parentId: parent })
    const successorId = await makePartner(db, { level: 'reseller', parentId: parent })
    const linkId = await makeLink(db, partnerId)
    const order = await makeOrder(db, partnerId, linkId)
    const left = await makeOrder(db, partnerId)
    await liveCustomersGone(left)
    const person = { customerId: order.customerId, name: 'Buyer', email: 'buyer@c.example' }
    const memberId = await makeMember(db, { partnerId, ...person })
    await bookInvoice({ db }, paidInvoice(order, { net: 10_000n, paidAt: '2026-09-01T00:00:00Z' }))
    await terminate(partnerId, { successorId })
    expect(await subscriptionOwner(order)).toEqual({ partnerId: successorId, masterId: parent })
    const moved = await findCustomer(db, order.customerId)
    expect(moved).toMatchObject({ partnerId: successorId, name: 'Customer', linkId })
    expect(await findCustomer(db, left.customerId)).toMatchObject({ partnerId })
    const member = await db
      .selectFrom('members')
      .select('partnerId')
      .where('id', '=', memberId)
      .executeTakeFirst()
    expect(member).toEqual({ partnerId: successorId })
    await bookInvoice({ db }, paidInvoice(order, { net: 10_000n, paidAt: '2026-10-01T00:00:00Z' }))
    expect(await balance(partnerId, 'partner_accrued')).toBe(2_000n)
    expect(await balance(successorId, 'partner_accrued')).toBe(2_000n)
  })

  it('moves the partners below to the successor with everyone below them', async () => {
    const { db } = database
    const partnerId = await makePartner(db, { level: 'master_reseller' })
    const successorId = await makePartner(db, { level: 'master_reseller' })
    const below = await makePartner(db, { parentId: partnerId })
    await expect(terminate(partnerId)).rejects.toMatchObject({ code: 'conflict' })
    await terminate(partnerId, { successorId })
    const { parentId, masterId } = await db
      .selectFrom('partners')
      .select(['parentId', 'masterId'])
      .where('id', '=', below)
      .executeTakeFirstOrThrow()
    expect([parentId, masterId]).toEqual([successorId, successorId])
  })

  it('refuses a successor that stands below, or that takes in nobody', async () => {
    const { db } = database
    const partnerId = await makePartner(db, { level: 'master_reseller' })
    const below = await makePartner(db, { parentId: partnerId })
    await expect(terminate(partnerId, { successorId: below })).rejects.toMatchObject({
      code: 'conflict',
    })
    const away = await makePartner(db, { level: 'master_reseller' })
    await sql`update partners set status = 'suspended' where id = ${away}`.execute(db)
    await expect(terminate(partnerId, { successorId: away })).rejects.toMatchObject({
      code: 'parent_not_active',
    })
    expect(await statusOf(partnerId)).toEqual({ status: 'active' })
  })

  it('closes the ways in: keys and invitations are revoked, links archived', async () => {
    const { db } = database
    const partnerId = await makePartner(db, { level: 'master_reseller' })
    await makeKey(db, partnerId)
    await makeLink(db, partnerId)
    await terminate(partnerId)
    const { rows } = await sql<{ keys: number; links: number }>`
      select (select count(*)::int from api_keys
          where partner_id = ${partnerId} and revoked_at is null) as keys,
        (select count(*)::int from partner_links
          where partner_id = ${partnerId} and archived_at is null) as links`.execute(db)
    expect(rows).toEqual([{ keys: 0, links: 0 }])
  })
})

describe('a termination with a time to come', () => {
  const soon = () => new Date(Date.now() + 3_600_000)
  const passed = () =>
    backdate(database.db, (trx) =>
      sql`update terminations set effective_at = effective_at - interval '1 hour'
        where effected_at is null`.execute(trx),
    )
  const sweep = () => effectDueTerminations({ db: database.db } as ActivityDeps)

  it('waits for it, and then takes effect once', async () => {
    const partnerId = await makePartner(database.db, { level: 'master_reseller' })
    await terminate(partnerId, { effectiveAt: soon() })
    await sweep()
    expect(await statusOf(partnerId)).toEqual({ status: 'active' })
    await passed()
    for (let i = 0; i < 2; i++) await sweep()
    expect(await statusOf(partnerId)).toEqual({ status: 'terminated' })
    const { rows } = await sql`select from partner_status_changes
      where partner_id = ${partnerId}`.execute(database.db)
    expect(rows).toHaveLength(1)
  })

  it('is called off by a reinstatement before', async () => {
    const partnerId = await makePartner(database.db, { level: 'master_reseller' })
    await terminate(partnerId, { effectiveAt: soon() })
    await reinstate(partnerId)
    await passed()
    await sweep()
    expect(await statusOf(partnerId)).toEqual({ status: 'active' })
  })

  it('that cannot take effect says why, and stops no other', async () => {
    const { db } = database
    const partnerId = await makePartner(db, { level: 'master_reseller' })
    const other = await makePartner(db, { level: 'master_reseller' })
    await terminate(partnerId, { effectiveAt: soon() })
    await terminate(other, { effectiveAt: soon() })
    await makeOrder(db, partnerId)
    await passed()
    await sweep()
    expect(await findStandingTermination(db, partnerId)).toMatchObject({ problem: 'conflict' })
    expect(await statusOf(other)).toEqual({ status: 'terminated' })
  })
})
