/** Payouts that banks send back or that nobody can deliver: never two transfers for one money. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { bookBankPayout, noteBankChange } from '../../activities/payout-exceptions/bank.ts'
import { recordDecision, recordProposal } from '../../db/approvals.ts'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { listHolds, releaseOldHolds } from '../../db/partner-holds.ts'
import { findOpenException, findWriteOff } from '../../db/payout-exceptions.ts'
import type { Proposal } from '../../domain/approvals.ts'
import type { PayoutDecisionKind } from '../../domain/payouts.ts'
import { VendorError } from '../../integrations/vendor-error.ts'
import { makePartner, makePayoutAccount, unique } from '../support/factories.ts'
import { type PayoutRuns, payoutRuns } from '../support/payout-runs.ts'
import { failureOf, type Steps, startSteps } from '../support/steps.ts'

let kit: Steps
let runs: PayoutRuns
beforeAll(async () => {
  kit = await startSteps()
  runs = payoutRuns(kit)
})
afterEach(async () => {
  await fetch(`${kit.sandbox.url}/_sandbox/faults`, { method: 'DELETE' })
  expect((await checkInvariants(kit.db)).violations).toEqual([])
})
afterAll(() => kit.stop())

interface Sent {
  runId: string
  partnerId: string
  payoutId: string
  account: string
}

const onlyPayout = async (runId: string) => {
  const { rows } = await sql<{ id: string; status: string; vendorAccountId: string }>`
    select id, status, vendor_account_id from payouts where run_id = ${runId}`.execute(kit.db)
  return rows[0] ?? { id: '', status: '', vendorAccountId: '' }
}
const statusOf = async (runId: string) => (await onlyPayout(runId)).status

/** A paid payout of 20.00 whose money the rail has paid on to the partner's bank. */
async function paidOut(): Promise<Sent & { bank: string }> {
  const { runId, partners } = await runs.payableRun()
  await kit.steps.payPage({ runId, after: null })
  const { id: payoutId, vendorAccountId: account } = await onlyPayout(runId)
  await kit.story.sandbox(`/accounts/${account}/bank`, {})
  await noteBankChange(kit.deps, account)
  const bank = await payOn(account)
  return { runId, partnerId: partners[0] ?? '', payoutId, account, bank }
}

async function payOn(account: string): Promise<string> {
  const { id } = await kit.story.sandbox<{ id: string }>(`/accounts/${account}/payouts`, {})
  await tell(account, id)
  return id
}

const tell = (account: string, payoutId: string) => bookBankPayout(kit.deps, { account, payoutId })

async function bankFails(sent: { account: string; bank: string }): Promise<void> {
  await kit.story.sandbox(`/payouts/${sent.bank}/fail`, { code: 'account_closed' })
  await tell(sent.account, sent.bank)
}

const member = () => runs.decider()
const decide = (payoutId: string, kind: PayoutDecisionKind) => runs.decide(payoutId, kind)

async function approved(terms: Omit<Proposal, 'id'>): Promise<void> {
  const [proposedBy, memberId] = [await member(), await member()]
  const proposal = { ...terms, id: randomUUIDv7(), proposedBy }
  const { id, payloadHash } = await inTransaction(kit.db, (trx) =>
    recordProposal(trx, proposal as Proposal & { proposedBy: string }),
  )
  await inTransaction(kit.db, (trx) =>
    recordDecision(trx, { id, memberId, verdict: 'approved', payloadHash }),
  )
}

async function changeBank({ account, partnerId }: Pick<Sent, 'account' | 'partnerId'>) {
  await kit.story.sandbox(`/accounts/${account}/bank`, {})
  await noteBankChange(kit.deps, account)
  expect(await listHolds(kit.db, partnerId)).toMatchObject([{ cause: 'bank_change' }])
}

const endWait = () => releaseOldHolds(kit.db, { cause: 'bank_change', seconds: 0 })

const bankPayoutsOf = async (account: string) => {
  const { data } = await kit.story.sandbox<{ data: { id: string; account: string }[] }>('/payouts')
  return data.filter((one) => one.account === account)
}

describe('a payout that the bank sends back', () => {
  it('is bank_failed, also after it was paid, and stays so whatever comes later', async () => {
    const sent = await paidOut()
    await kit.story.sandbox(`/payouts/${sent.bank}/pay`, {})
    await tell(sent.account, sent.bank)
    expect(await statusOf(sent.runId)).toBe('paid')
    await bankFails(sent)
    expect(await statusOf(sent.runId)).toBe('bank_failed')
    await tell(sent.account, sent.bank)
    expect(await findOpenException(kit.db, sent.payoutId)).toMatchObject({ cause: 'bank_failed' })
    const holds = await listHolds(kit.db, sent.partnerId)
    expect(holds).toMatchObject([{ cause: 'bank_failed', reason: 'account_closed' }])
  })

  it('is paid again from the balance of the partner at Stripe, and never by a transfer', async () => {
    const sent = await paidOut()
    await bankFails(sent)
    expect(await failureOf(decide(sent.payoutId, 'retry'))).toBe('not_ready')
    await changeBank(sent)
    expect(await failureOf(decide(sent.payoutId, 'retry'))).toBe('not_ready')
    await endWait()
    expect(await decide(sent.payoutId, 'retry')).toBe('open')
    expect(await statusOf(sent.runId)).toBe('bank_failed')
    const [, again] = await bankPayoutsOf(sent.account)
    await kit.story.sandbox(`/payouts/${again?.id}/pay`, {})
    await tell(sent.account, again?.id ?? '')
    expect(await statusOf(sent.runId)).toBe('paid')
    expect(await findOpenException(kit.db, sent.payoutId)).toBeUndefined()
    expect(await bankPayoutsOf(sent.account)).toHaveLength(2)
    expect(await runs.transfersTo([sent.partnerId])).toHaveLength(1)
  })

  it('is asked for once where the answer to the second try is lost', async () => {
    const sent = await paidOut()
    await bankFails(sent)
    await changeBank(sent)
    await endWait()
    const lost = { kind: 'timeout_after_commit', path: '/v1/payouts', count: 2 }
    await kit.fault({ vendor: 'stripe', ...lost })
    await expect(decide(sent.payoutId, 'retry')).rejects.toThrow()
    const open = await findOpenException(kit.db, sent.payoutId)
    await kit.steps.continuePayout({ exceptionId: open?.id ?? '' })
    expect(await bankPayoutsOf(sent.account)).toHaveLength(2)
  })

  it('goes with the next automatic payout where the rail was faster than anybody', async () => {
    const sent = await paidOut()
    await bankFails(sent)
    await changeBank(sent)
    const again = await payOn(sent.account)
    expect(await statusOf(sent.runId)).toBe('bank_failed')
    await kit.story.sandbox(`/payouts/${again}/pay`, {})
    await tell(sent.account, again)
    expect(await statusOf(sent.runId)).toBe('paid')
  })

  it('returns to the balance only after its transfer was taken back and booked', async () => {
    const sent = await paidOut()
    await bankFails(sent)
    expect(await decide(sent.payoutId, 'release')).toBe('closed')
    expect(await runs.payoutsOf(sent.runId)).toMatchObject([
      { status: 'returned', attempts: ['reversed'] },
    ])
    const [transfer] = await runs.transfersTo([sent.partnerId])
    expect(transfer).toMatchObject({ reversed: true })
  })

  it('reaches another account of the partner by a second transfer, after the first came back', async () => {
    const sent = await paidOut()
    await bankFails(sent)
    expect(await failureOf(decide(sent.payoutId, 'method'))).toBe('conflict')
    const other = await runs.verifiedAccount(randomUUIDv7())
    await sql`update payout_accounts set vendor_account_id = ${other}
      where partner_id = ${sent.partnerId}`.execute(kit.db)
    expect(await decide(sent.payoutId, 'method')).toBe('closed')
    expect(await runs.payoutsOf(sent.runId)).toMatchObject([
      { status: 'paid', attempts: ['reversed', 'succeeded'] },
    ])
    const transfers = await runs.transfersTo([sent.partnerId])
    expect(transfers.map((one) => [one.destination, one.reversed])).toEqual([
      [sent.account, true],
      [other, false],
    ])
  })

  it('is not taken back while the bank has the money', async () => {
    const sent = await paidOut()
    await bankFails(sent)
    await changeBank(sent)
    await endWait()
    await decide(sent.payoutId, 'retry')
    expect(await failureOf(decide(sent.payoutId, 'release'))).toBe('not_ready')
  })
})

describe('a payout of a bank that carried several of ours', () => {
  it('is paid again without what was taken back in between', async () => {
    const first = await paidOut()
    const { partnerId, account } = first
    const runId = await runs.releasedRun([partnerId])
    await kit.steps.payPage({ runId, after: null })
    const { id: payoutId } = await onlyPayout(runId)
    await bankFails(first)
    await changeBank(first)
    const both = await payOn(account)
    await bankFails({ account, bank: both })
    expect([await statusOf(first.runId), await statusOf(runId)]).toEqual([
      'bank_failed',
      'bank_failed',
    ])
    expect(await decide(payoutId, 'release')).toBe('closed')
    await kit.story.sandbox(`/accounts/${account}/bank`, {})
    await noteBankChange(kit.deps, account)
    await endWait()
    await decide(first.payoutId, 'retry')
    const { data } = await kit.story.sandbox<{ data: { account: string; amount: number }[] }>(
      '/payouts',
    )
    const amounts = data.filter((one) => one.account === account).map(({ amount }) => amount)
    expect(amounts).toEqual([2_000, 4_000, 2_000])
    expect(await statusOf(runId)).toBe('returned')
  })
})

describe('another bank of a partner', () => {
  const mails = async (partnerId: string) => {
    const { rows } = await sql<{ sentAt: Date | null }>`
      select sent_at from notices where kind = 'bank_changed'
        and subject_id = ${partnerId}`.execute(kit.db)
    return rows.filter(({ sentAt }) => sentAt !== null).length
  }

  it('is done with although the mailbox of the partner refuses the mail for good', async () => {
    const sent = await paidOut()
    const refused = new VendorError({
      ...{ vendor: 'mail', failure: 'rejected', code: 'EENVELOPE', message: 'no such mailbox' },
    })
    const mailer = { ...kit.deps.mailer, send: () => Promise.reject(refused) }
    await kit.story.sandbox(`/accounts/${sent.account}/bank`, {})
    await noteBankChange({ ...kit.deps, mailer }, sent.account)
    expect(await listHolds(kit.db, sent.partnerId)).toMatchObject([{ cause: 'bank_change' }])
  })

  it('is told by mail although the first step ended after the hold was placed', async () => {
    const { account, partnerId } = await paidOut()
    await kit.story.sandbox(`/accounts/${account}/bank`, {})
    const mailer = { ...kit.deps.mailer, send: () => Promise.reject(new Error('no mail now')) }
    await expect(noteBankChange({ ...kit.deps, mailer }, account)).rejects.toThrow('no mail now')
    await noteBankChange(kit.deps, account)
    await noteBankChange(kit.deps, account)
    expect(await listHolds(kit.db, partnerId)).toHaveLength(1)
    expect(await mails(partnerId)).toBe(1)
  })

  it('holds again when it goes back to an earlier one', async () => {
    const { account, partnerId } = await paidOut()
    const marks = ['one', 'two', 'one', 'two']
    for (const [index, mark] of marks.entries()) {
      const bank = { ...kit.deps.bank, readBankMark: () => Promise.resolve(mark) }
      await noteBankChange({ ...kit.deps, bank }, account)
      expect(await listHolds(kit.db, partnerId)).toHaveLength(1)
      await endWait()
      expect(await mails(partnerId)).toBe(index + 1)
    }
  })
})

describe('a transfer that is refused for good', () => {
  async function refused(): Promise<Sent> {
    const partnerId = await makePartner(kit.db, { level: 'master_reseller' })
    await makePayoutAccount(kit.db, partnerId, unique('acct'))
    const runId = await runs.releasedRun([partnerId])
    await kit.steps.payPage({ runId, after: null })
    const { id: payoutId } = await onlyPayout(runId)
    return { runId, partnerId, payoutId, account: 'acct_gone' }
  }

  it('opens one case, and each retry is one more attempt', async () => {
    const { payoutId, runId } = await refused()
    expect(await findOpenException(kit.db, payoutId)).toMatchObject({ cause: 'transfer_rejected' })
    expect(await decide(payoutId, 'retry')).toBe('open')
    expect(await runs.payoutsOf(runId)).toMatchObject([
      { status: 'held', attempts: ['rejected', 'rejected'] },
    ])
  })

  it('is paid to the account that the partner has now', async () => {
    const { payoutId, runId, partnerId } = await refused()
    const account = await runs.verifiedAccount(partnerId)
    await sql`update payout_accounts set vendor_account_id = ${account}
      where partner_id = ${partnerId}`.execute(kit.db)
    expect(await decide(payoutId, 'method')).toBe('closed')
    expect(await statusOf(runId)).toBe('paid')
    expect(await runs.transfersTo([partnerId])).toHaveLength(1)
  })

  it('waits for nobody once its partner is terminated for fraud', async () => {
    const { payoutId, partnerId, runId } = await refused()
    const exceptionId = (await findOpenException(kit.db, payoutId))?.id ?? ''
    const successorId = await makePartner(kit.db, { level: 'master_reseller' })
    await approved({
      ...{ kind: 'termination', concernedId: partnerId, reason: 'fraud', reasonCode: 'fraud' },
      ...{ successorId, effectiveAt: null },
    } as Omit<Proposal, 'id'>)
    expect(await statusOf(runId)).toBe('returned')
    expect(await findOpenException(kit.db, payoutId)).toBeUndefined()
    expect(await kit.steps.continuePayout({ exceptionId })).toBe('closed')
  })

  it('is given up by two persons, with both entries in one month', async () => {
    const { payoutId, partnerId, runId } = await refused()
    const [one, two] = [await member(), await member()]
    const happenedAt = new Date()
    const proposal = await inTransaction(kit.db, async (trx) =>
      recordProposal(trx, {
        kind: 'payout_write_off',
        ...{ id: randomUUIDv7(), concernedId: partnerId, payoutId },
        ...{ happenedAt, reason: 'the company is gone', proposedBy: one },
        ...(await findWriteOff(trx, payoutId)),
      }),
    )
    const { id, payloadHash } = proposal
    const approve = (memberId: string) =>
      inTransaction(kit.db, (trx) =>
        recordDecision(trx, { id, memberId, verdict: 'approved', payloadHash }),
      )
    await expect(approve(one)).rejects.toMatchObject({ code: 'second_person_required' })
    await approve(two)
    expect(await statusOf(runId)).toBe('returned')
    const { rows } = await sql`
      select amount_minor, period from payout_returns where payout_id = ${payoutId}
      union all select amount_minor, period from adjustments where id = ${id}`.execute(kit.db)
    const [returned, lost] = rows as { amountMinor: bigint; period: string }[]
    expect((returned?.amountMinor ?? 0n) + (lost?.amountMinor ?? 0n)).toBe(0n)
    expect(returned?.period).toBe(lost?.period)
    const { rows: against } = await sql<{ purpose: string }>`
      select account.purpose from ledger_journals journal
      join ledger_postings leg on leg.journal_id = journal.id
      join ledger_accounts account on account.id = leg.credit_account_id
      where journal.kind = 'adjustment' and journal.source_id = ${id}`.execute(kit.db)
    expect(against).toEqual([{ purpose: 'write_offs' }])
  })
})
