/** News of banks: money of partners that came back, and details of theirs that were changed. */
import {
  findBankPayout,
  listPartsBehind,
  markBankPayout,
  markPayoutByBank,
  recordBankPayout,
} from '../../db/bank-payouts.ts'
import { inTransaction, type Trx } from '../../db/database.ts'
import { findPayoutAccountByVendorId, markBankMark } from '../../db/onboarding/payout-accounts.ts'
import { listHolds, placeHold, releaseHold } from '../../db/partner-holds.ts'
import { getPartner } from '../../db/partners.ts'
import { closeException, openException } from '../../db/payout-exceptions.ts'
import { lockPayout } from '../../db/payouts.ts'
import { uuidOf } from '../../domain/ids.ts'
import { hasComeBack } from '../../domain/payouts.ts'
import { mails } from '../../integrations/email-templates/index.ts'
import type { BankPayout } from '../../integrations/stripe-bank.ts'
import type { ActivityDeps } from '../deps.ts'
import { notifyOrPass } from '../notices.ts'
import { tellException } from './tell.ts'

interface Owner {
  partnerId: string
  vendorAccountId: string
}

/** A payout of a connected account has news: it is read, and what it carries follows. */
export async function bookBankPayout(
  deps: ActivityDeps,
  event: { account: string; payoutId: string },
): Promise<void> {
  const { account: vendorAccountId, payoutId } = event
  const account = await findPayoutAccountByVendorId(deps.db, vendorAccountId)
  if (!account?.partnerId) return
  const told = await deps.bank.readBankPayout(vendorAccountId, payoutId)
  await bookTold(deps, { partnerId: account.partnerId, vendorAccountId }, told)
}

/** The same for what an answer told. */
export async function bookTold(deps: ActivityDeps, owner: Owner, told: BankPayout): Promise<void> {
  const known = await knownRow(deps, told)
  const parts = known ? [] : await partsOf(deps, owner, told)
  if (!known && (parts.length === 0 || told.amount === 0n)) return
  const cases = await inTransaction(deps.db, async (trx) => {
    const id = known ?? (await recordBankPayout(trx, owner, { told, parts }))
    const payoutIds = await markBankPayout(trx, id, told)
    if (hasComeBack(told.status)) {
      const source = told.vendorPayoutId
      const hold = { partnerId: owner.partnerId, cause: 'bank_failed' as const, source }
      await placeHold(trx, { ...hold, reason: told.failureCode ?? 'could_not_process' })
    }
    const changed: string[] = []
    for (const payoutId of payoutIds) changed.push(...(await followBank(trx, payoutId)))
    return changed
  })
  for (const exceptionId of cases) await tellException(deps, exceptionId)
}

/** @returns the case that this opened or closed. */
async function followBank(trx: Trx, payoutId: string): Promise<string[]> {
  const { partnerId } = await lockPayout(trx, payoutId)
  const changed = await markPayoutByBank(trx, payoutId)
  if (changed === 'bank_failed') {
    return [await openException(trx, { payoutId, partnerId, cause: 'bank_failed' })]
  }
  const closed = changed === 'paid' ? await closeException(trx, payoutId, 'paid') : null
  return closed ? [closed] : []
}

async function knownRow({ db }: ActivityDeps, told: BankPayout): Promise<string | null> {
  const { vendorPayoutId, ours } = told
  const row = await findBankPayout(db, { vendorPayoutId })
  if (row) return row.id
  const id = ours === null ? undefined : uuidOf('bankPayout', ours)
  return (id && (await findBankPayout(db, { id }))?.id) ?? null
}

async function partsOf(deps: ActivityDeps, owner: Owner, told: BankPayout): Promise<string[]> {
  // What somebody asked for by hand tells no parts.
  if (!told.automatic) return []
  const sources = await deps.bank.listSources(owner.vendorAccountId, told.vendorPayoutId)
  return listPartsBehind(deps.db, sources)
}

/**
 * The bank of a partner is another one: what waited for that goes on, and nothing is paid for a
 * while, in which the address that we knew before is told.
 */
export async function noteBankChange(deps: ActivityDeps, vendorAccountId: string): Promise<void> {
  const { db, bank } = deps
  const account = await findPayoutAccountByVendorId(db, vendorAccountId)
  if (!account?.partnerId || account.closedAt) return
  const { partnerId, bankMark: before } = account
  const mark = await bank.readBankMark(vendorAccountId)
  if (mark === null) return
  const known = { partnerId, cause: 'bank_change' as const, mark: `${account.id}:${mark}` }
  if (mark !== before) {
    await inTransaction(db, async (trx) => {
      if (!(await markBankMark(trx, { id: account.id, before, mark }))) return
      await releaseHold(trx, { partnerId, cause: 'bank_failed' })
      // The first bank of a partner is no change.
      if (before !== null) await holdForChange(trx, known)
    })
  }
  // Also where a step that ended early has placed the hold: the mail goes once.
  const holds = await listHolds(db, partnerId)
  const hold = holds.find(({ source }) => source.startsWith(`${known.mark}:`))
  if (!hold) return
  const partner = await getPartner(db, partnerId)
  await notifyOrPass(
    deps,
    {
      kind: 'bank_changed',
      subjectId: partnerId,
      occurrence: hold.source,
      recipient: partner.contactEmail,
    },
    mails.bankChanged({ contact: partner.contactName }),
  )
}

/** Going back to an earlier bank is a change, too. */
async function holdForChange(
  trx: Trx,
  { mark, ...hold }: { partnerId: string; cause: 'bank_change'; mark: string },
): Promise<void> {
  const all = await listHolds(trx, hold.partnerId, 'all')
  const number = all.filter(({ cause }) => cause === hold.cause).length + 1
  await placeHold(trx, { ...hold, source: `${mark}:${number}`, reason: 'bank_changed' })
}
