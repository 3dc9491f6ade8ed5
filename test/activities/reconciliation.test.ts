/** What was sent beside Stripe's own ledger: each way to differ, planted and found. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import type { Trx } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import {
  findBreak,
  listBreaks,
  markBreakAssigned,
  markBreakResolved,
} from '../../db/recon-breaks.ts'
import {
  listDaysToReconcile,
  reconcileStanding,
  reconcileTransfers,
  summarizeReconciliation,
} from '../../db/reconciliation.ts'
import { outwardId } from '../../domain/ids.ts'
import { dayOf, periodOf } from '../../domain/period.ts'
import { createStripe } from '../../integrations/stripe-client.ts'
import { openBooks } from '../support/books.ts'
import { age } from '../support/clearing.ts'
import { rolledBack } from '../support/database.ts'
import { makePartner, makePayoutAccount, unique } from '../support/factories.ts'
import { type Steps, startSteps } from '../support/steps.ts'

const day = 86_400_000
const range = { from: new Date(Date.now() - 2 * day), until: new Date(Date.now() + 2 * day) }

let kit: Steps
/** Two payouts of a month that is closed, paid and mirrored. */
let payouts: { id: string; transferId: string }[]

/** A recipient at the sandbox that may be paid. */
async function openAccount(partnerId: string): Promise<void> {
  const metadata = { application: outwardId('application', partnerId) }
  const owner = { name: 'P', email: 'p@p.example', country: 'US', metadata }
  const account = await kit.deps.connect.openPayoutAccount(owner, unique('key'))
  await kit.story.sandbox(`/accounts/${account}/kyc`, { result: 'pass' })
  await makePayoutAccount(kit.db, partnerId, account)
}

async function payablePartner(): Promise<string> {
  const partnerId = await makePartner(kit.db, { level: 'master_reseller' })
  await openAccount(partnerId)
  return partnerId
}

let month = 0
async function settledRun(partners: string[]): Promise<string> {
  month += 1
  const period = periodOf(new Date(Date.UTC(2024, month)))
  const books = openBooks(kit.db)
  for (const partnerId of partners) {
    await books.sell(partnerId, { paidAt: `${period}-10T00:00:00Z` })
  }
  return books.settle(period)
}

async function mirror(): Promise<void> {
  await kit.steps.mirrorBalance()
  await kit.steps.bookBalance()
}

beforeAll(async () => {
  kit = await startSteps()
  const runId = await settledRun([await payablePartner(), await payablePartner()])
  await kit.steps.payPage({ runId, after: null })
  await mirror()
  const { rows } = await sql<{ id: string; transferId: string }>`
    select payout_id as id, vendor_transfer_id as transfer_id from payout_attempts
    order by payout_id`.execute(kit.db)
  payouts = rows
})
afterAll(async () => {
  expect((await checkInvariants(kit.db)).violations).toEqual([])
  await kit.stop()
})

/** A day after Stripe's ledger was last read, with what was changed past every guard. */
const later = (work: (trx: Trx) => Promise<void>, changes: string[] = []) =>
  rolledBack(kit.db, async (trx) => {
    await sql`update stripe_mirror set walked_at = now() + interval '2 days'`.execute(trx)
    await sql`set local session_replication_role = replica`.execute(trx)
    for (const change of changes) await sql.raw(change).execute(trx)
    await sql`set local session_replication_role = origin`.execute(trx)
    await work(trx)
  })

async function openBreaks(trx: Trx) {
  const { rows } = await listBreaks(trx, { open: true, limit: 100, after: undefined })
  return rows
}

describe('transfers and Stripe’s ledger', () => {
  it('agree where each was sent as it stands there, however often that is asked', async () => {
    const summary = await summarizeReconciliation(kit.db, range)
    expect(summary).toMatchObject({
      matched: [{ currency: 'USD', count: 2, amount: 4_000n }],
      pending: 0,
      outside: [],
    })
    expect(summary.mirroredAt).toBeInstanceOf(Date)
    await later(async (trx) => {
      const none = { added: 0, gone: 0 }
      expect(await reconcileTransfers(trx, range)).toEqual(none)
      expect(await reconcileTransfers(trx, range)).toEqual(none)
      expect(await openBreaks(trx)).toEqual([])
    })
  })

  it('are compared day by day, and a payout that is paid after its run closed like any other', async () => {
    const partnerId = await makePartner(kit.db, { level: 'master_reseller' })
    const runId = await settledRun([partnerId])
    await sql`update settlement_runs set stage = 'closed' where id = ${runId}`.execute(kit.db)
    await openAccount(partnerId)
    await kit.steps.releaseHeldPayouts({ runId })
    await kit.steps.payPage({ runId, after: null })
    expect(await summarizeReconciliation(kit.db, range)).toMatchObject({ pending: 1 })
    await mirror()
    expect(await summarizeReconciliation(kit.db, range)).toMatchObject({
      matched: [{ count: 3, amount: 6_000n }],
      pending: 0,
    })
    const first = await kit.steps.reconcileDays({ after: null })
    expect(first).toEqual({ last: expect.stringMatching(/^\d{4}-\d\d-\d\d$/), added: 0, gone: 0 })
    const days = await listDaysToReconcile(kit.db, { after: null, limit: 100 })
    expect(days).toHaveLength(35)
    expect(days.at(-1)).toBe(dayOf(new Date()))
    const last = await kit.steps.reconcileDays({ after: days.at(-2) ?? null })
    expect(last.last).toBeNull()
  })
})

describe('a break', () => {
  it('is a transfer that Stripe does not show, once it had a day to appear', async () => {
    const [payout] = payouts
    const gone = [`delete from stripe_txns where vendor_source_id = '${payout?.transferId}'`]
    await rolledBack(kit.db, async (trx) => {
      await sql`set local session_replication_role = replica`.execute(trx)
      await sql.raw(gone[0] ?? '').execute(trx)
      expect(await reconcileTransfers(trx, range)).toEqual({ added: 0, gone: 0 })
      expect(await summarizeReconciliation(trx, range)).toMatchObject({ pending: 1 })
    })
    await later(async (trx) => {
      expect(await reconcileTransfers(trx, range)).toEqual({ added: 1, gone: 0 })
      expect(await openBreaks(trx)).toMatchObject([
        {
          kind: 'missing_at_stripe',
          payoutId: payout?.id,
          vendorId: payout?.transferId,
          currency: 'USD',
          expectedMinor: -2_000n,
          foundMinor: null,
        },
      ])
    }, gone)
  })

  const planted = [
    { kind: 'amount', set: 'amount_minor = -1999, net_minor = -1999', foundMinor: -1_999n },
    { kind: 'currency', set: `currency = 'EUR'`, foundCurrency: 'EUR' },
    { kind: 'destination', set: `vendor_account_id = 'acct_other'`, foundMinor: -2_000n },
  ]
  it.each(planted)('is a transfer of another $kind', async ({ kind, set, ...found }) => {
    const [payout] = payouts
    const change = `update stripe_txns set ${set}
      where vendor_source_id = '${payout?.transferId}'`
    await later(
      async (trx) => {
        await reconcileTransfers(trx, range)
        expect(await openBreaks(trx)).toMatchObject([
          { kind, payoutId: payout?.id, expectedMinor: -2_000n, ...found },
        ])
      },
      [change],
    )
  })

  it('is what lies in clearing or on its way for too long, or is booked otherwise', async () => {
    const partnerId = await payablePartner()
    const runId = await settledRun([partnerId])
    await rolledBack(kit.db, async (trx) => {
      expect(await reconcileStanding(trx)).toEqual({ added: 0, gone: 0 })
      await age(trx, 11)
      await reconcileStanding(trx)
      const found = await openBreaks(trx)
      expect(new Set(found.map(({ kind }) => kind))).toEqual(new Set(['clearing_age']))
      const { rows } = await sql<{ id: string }>`
        select id from payouts where run_id = ${runId}`.execute(trx)
      expect(found.filter(({ payoutId }) => payoutId === rows[0]?.id)).toHaveLength(1)
      expect(found.filter(({ vendorId }) => vendorId !== null).length).toBeGreaterThan(0)
    })
    await kit.steps.payPage({ runId, after: null })
    await mirror()
  })
})

describe('a break that was found', () => {
  const missing = () => [
    `delete from stripe_txns where vendor_source_id = '${payouts[0]?.transferId}'`,
  ]

  it('keeps its age and its owner until it is not found any more', async () => {
    await later(async (trx) => {
      await reconcileTransfers(trx, range)
      const [first] = await openBreaks(trx)
      const memberId = await openBooks(kit.db).person('finance@platform.example')
      await markBreakAssigned(trx, first?.id ?? '', memberId)
      expect(await reconcileTransfers(trx, range)).toEqual({ added: 0, gone: 0 })
      expect(await openBreaks(trx)).toMatchObject([
        { id: first?.id, firstSeenAt: first?.firstSeenAt, ownerId: memberId },
      ])
      await sql`
        insert into stripe_txns (vendor_txn_id, type, vendor_source_id, vendor_transfer_id,
          currency, amount_minor, fee_minor, net_minor, created_at, available_at)
        values (${unique('txn')}, 'transfer', ${payouts[0]?.transferId},
          ${payouts[0]?.transferId}, 'USD', -1999, 0, -1999, now(), now())`.execute(trx)
      // It has come, with another amount: one break is gone, and another is there.
      expect(await reconcileTransfers(trx, range)).toEqual({ added: 1, gone: 1 })
      expect(await findBreak(trx, first?.id ?? '')).toMatchObject({ resolution: 'gone' })
      expect(await openBreaks(trx)).toMatchObject([{ kind: 'amount', foundMinor: -1_999n }])
    }, missing())
  })

  it('that a person has explained comes back only with other figures', async () => {
    await later(
      async (trx) => {
        await reconcileTransfers(trx, range)
        const [first] = await openBreaks(trx)
        const by = { memberId: await openBooks(kit.db).person('f@platform.example'), note: 'known' }
        await markBreakResolved(trx, first?.id ?? '', by)
        await expect(markBreakResolved(trx, first?.id ?? '', by)).rejects.toMatchObject({
          code: 'conflict',
        })
        expect(await reconcileTransfers(trx, range)).toEqual({ added: 0, gone: 0 })
        await sql`set local session_replication_role = replica`.execute(trx)
        await sql`update stripe_txns set amount_minor = -7, net_minor = -7
          where vendor_source_id = ${payouts[0]?.transferId}`.execute(trx)
        expect(await reconcileTransfers(trx, range)).toEqual({ added: 1, gone: 0 })
        expect(await openBreaks(trx)).toMatchObject([{ foundMinor: -7n }])
      },
      [
        `update stripe_txns set amount_minor = -1999, net_minor = -1999
          where vendor_source_id = '${payouts[0]?.transferId}'`,
      ],
    )
  })

  it('never changes what it is about, whoever writes', async () => {
    for (const change of [`subject = 'x'`, `first_seen_at = now()`, `kind = 'amount'`]) {
      await later(async (trx) => {
        await reconcileTransfers(trx, range)
        const changed = sql.raw(`update recon_breaks set ${change}`).execute(trx)
        await expect(changed).rejects.toThrow(/keeps what it is about/)
      }, missing())
    }
  })
})

// Last in this file: what it makes at the stand-in stays there.
describe('what is not of the books', () => {
  it('is a break where Stripe shows it in the name of a payout of ours', async () => {
    const [payout] = payouts
    const stripe = createStripe(kit.config.stripe)
    const { transferId } = payout ?? { transferId: '' }
    const request = await stripe.transfers.retrieve(transferId)
    const destination = `${request.destination}`
    const order = { amount: 700, currency: 'usd', destination }
    const payoutName = outwardId('payout', payout?.id ?? '')
    const twice = await stripe.transfers.create({ ...order, metadata: { payout: payoutName } })
    const grouped = await stripe.transfers.create({ ...order, transfer_group: `po_${payoutName}` })
    const strange = await stripe.transfers.create({ ...order, amount: 300 })
    await stripe.transfers.createReversal(transferId, { amount: 500 })
    await mirror()
    await later(async (trx) => {
      await reconcileTransfers(trx, range)
      const found = await openBreaks(trx)
      expect(found.map(({ kind }) => kind)).toEqual(Array(3).fill('unknown_at_stripe'))
      expect(found.map(({ payoutId }) => payoutId)).toEqual(Array(3).fill(payout?.id))
      expect(found.map(({ vendorId, foundMinor }) => [vendorId, foundMinor]).sort()).toEqual(
        [
          [twice.id, -700n],
          [grouped.id, -700n],
          [transferId, 500n],
        ].sort(),
      )
      expect((await summarizeReconciliation(trx, range)).outside).toEqual([
        { type: 'transfer', currency: 'USD', count: 1, amount: -300n },
      ])
    })
    expect(strange.amount).toBe(300)
  })
})

describe('a new break', () => {
  it('is told to the people of the platform once, and again when there is a new one', async () => {
    const told = async () => {
      const { data } = await kit.story.sandbox<{ data: { kind: string }[] }>('/mails')
      return data.filter(({ kind }) => kind === 'reconciliation_breaks').length
    }
    await kit.steps.mailBreaks({})
    expect(await told()).toBe(0)
    const plant = () =>
      sql`insert into recon_breaks (kind, subject, happened_at)
        values ('clearing_age', ${randomUUIDv7()}, now())`.execute(kit.db)
    await plant()
    await kit.steps.mailBreaks({})
    const once = await told()
    expect(once).toBeGreaterThan(0)
    await kit.steps.mailBreaks({})
    expect(await told()).toBe(once)
    await plant()
    await kit.steps.mailBreaks({})
    expect(await told()).toBe(2 * once)
  })
})
