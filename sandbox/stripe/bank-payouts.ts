import type { Work } from '../deps.ts'
import { newId, randomText } from '../ids.ts'
import type { AccountPayout } from '../records.ts'
import { addToBalance, balanceOf } from './balance.ts'
import { checkStep, readCurrency } from './currencies.ts'
import { type Endpoint, endpoint, found, idIn } from './endpoint.ts'
import { invalid, missing, refused } from './errors.ts'
import { emitFor } from './events.ts'
import { page, paging, whole } from './lists.ts'
import { integer, type MetadataPatch, mergeMetadata, metadata, required, text } from './params.ts'
import type { BankAccount, BankPayout } from './wire.ts'

/** Payouts of connected accounts to their banks; every call speaks for such an account. */
export const bankPayoutEndpoints: Endpoint[] = [
  endpoint({
    on: 'POST /v1/payouts',
    params: {
      amount: required(integer(1)),
      currency: required(text()),
      description: text(),
      metadata: metadata(),
    },
    run: (work, { params, account }) =>
      payOut(work, { ...params, account: accountOf(account), automatic: false }),
  }),
  endpoint({
    on: 'GET /v1/payouts',
    params: { ...paging, status: text() },
    run(work, { params, account }) {
      const rows = work.tx
        .all('account_payouts')
        .filter((one) => one.account === account)
        .map(({ payout }) => payout)
        .filter(({ status }) => params.status === undefined || status === params.status)
      return page('/v1/payouts', rows, params)
    },
  }),
  endpoint({
    on: 'GET /v1/payouts/:id',
    params: {},
    run(work, call) {
      const kept = work.tx.get('account_payouts', idIn(call))
      return found(kept?.account === call.account ? kept?.payout : undefined, 'payout', call)
    },
  }),
  endpoint({
    on: 'GET /v1/accounts/:id/external_accounts',
    params: { ...paging, object: text() },
    run(work, call) {
      const id = idIn(call)
      const kept = work.tx.get('bank_accounts', id)
      return whole(`/v1/accounts/${id}/external_accounts`, kept ? [kept.bank] : [])
    },
  }),
]

function accountOf(account: string | null): string {
  if (account !== null) return account
  throw invalid('This sandbox pays out for connected accounts only: send Stripe-Context.')
}

interface PayoutOrder {
  account: string
  amount: number
  currency: string
  automatic: boolean
  description?: string | undefined
  metadata?: MetadataPatch | undefined
}

/** What an automatic payout carries: everything that came in since the last one. */
function carriedBy(work: Work, account: string, currency: string): AccountPayout['carries'] {
  const earlier = work.tx.all('account_payouts').filter((one) => one.account === account)
  const before = new Set(earlier.flatMap(({ carries }) => carries.map(({ source }) => source)))
  const payments = work.tx
    .all('transfers')
    .filter((one) => one.destination === account && one.currency === currency && !one.reversed)
    .map((one) => ({ source: String(one.destination_payment), amount: one.amount }))
  const returned = earlier
    .filter(({ payout }) => payout.status === 'failed' && payout.currency === currency)
    .map(({ payout }) => ({ source: payout.id, amount: payout.amount }))
  return [...payments, ...returned].filter(({ source }) => !before.has(source))
}

export function payOut(work: Work, order: PayoutOrder): BankPayout {
  const { account, amount, automatic } = order
  const currency = readCurrency(order.currency)
  checkStep(amount, currency)
  const bank = work.tx.get('bank_accounts', account)?.bank
  if (bank?.status === 'errored') {
    throw refused('Cannot create payouts: the bank account on file is not usable.', {
      code: 'payouts_not_allowed',
    })
  }
  if (balanceOf(work.tx, account, currency) < amount) {
    throw refused('You have insufficient funds in your Stripe account for this transfer.', {
      code: 'balance_insufficient',
    })
  }
  addToBalance(work, { owner: account, currency, amount: -amount })
  const id = newId('po')
  const payout: BankPayout = {
    id,
    object: 'payout',
    amount,
    application_fee: null,
    application_fee_amount: null,
    arrival_date: work.seconds + 2 * 86_400,
    automatic,
    balance_transaction: newId('txn'),
    created: work.seconds,
    currency,
    description: order.description ?? null,
    destination: bank?.id ?? null,
    failure_balance_transaction: null,
    failure_code: null,
    failure_message: null,
    livemode: false,
    metadata: mergeMetadata({}, order.metadata),
    method: 'standard',
    original_payout: null,
    payout_method: null,
    reconciliation_status: automatic ? 'completed' : 'not_applicable',
    reversed_by: null,
    source_type: 'card',
    statement_descriptor: null,
    status: 'pending',
    trace_id: null,
    type: 'bank_account',
  }
  const carries = automatic ? carriedBy(work, account, currency) : []
  work.tx.put('account_payouts', { id, account, payout, carries })
  emitFor(work, account, { type: 'payout.created', object: payout })
  return payout
}

/** The rail pays the whole balance of an account by itself. */
export function payOutAll(work: Work, account: string, currency: string): BankPayout {
  const amount = balanceOf(work.tx, account, currency)
  if (amount === 0) throw refused(`The balance of ${account} is empty.`)
  return payOut(work, { account, amount, currency, automatic: true })
}

/** It may fail also after it was paid; once failed it stays so. */
export function endPayout(work: Work, kept: AccountPayout, outcome: BankOutcome): BankPayout {
  const { account, payout: old } = kept
  const failed = outcome.status === 'failed'
  if (old.status === 'failed' || old.status === outcome.status) {
    throw refused(`The payout ${old.id} is ${old.status}.`)
  }
  const payout: BankPayout = {
    ...old,
    status: outcome.status,
    failure_code: failed ? (outcome.code ?? 'account_closed') : null,
    failure_message: failed ? 'The bank has sent the money back.' : null,
    failure_balance_transaction: failed ? newId('txn') : null,
  }
  work.tx.put('account_payouts', { ...kept, payout })
  if (failed) {
    addToBalance(work, { owner: account, currency: old.currency, amount: old.amount })
    const bank = work.tx.get('bank_accounts', account)?.bank
    const errored = { ...(bank ?? newBank(account, old.currency)), status: 'errored' }
    work.tx.put('bank_accounts', { id: account, bank: errored })
  }
  emitFor(work, account, {
    type: failed ? 'payout.failed' : 'payout.paid',
    object: payout,
    before: { status: old.status },
  })
  return payout
}

export interface BankOutcome {
  status: 'paid' | 'failed'
  code?: string | undefined
}

function newBank(account: string, currency: string): BankAccount {
  return {
    id: newId('ba'),
    object: 'bank_account',
    account,
    account_holder_name: null,
    account_holder_type: 'company',
    account_type: null,
    bank_name: 'STRIPE TEST BANK',
    country: 'US',
    currency,
    default_for_currency: true,
    fingerprint: randomText(16),
    last4: '6789',
    metadata: {},
    routing_number: '110000000',
    status: 'new',
  }
}

/** The partner names another bank account, which can be paid again. */
export function changeBank(work: Work, account: string, currency = 'usd'): BankAccount {
  if (work.tx.get('accounts', account) === undefined) throw missing('account', account)
  const old = work.tx.get('bank_accounts', account)
  const bank = newBank(account, readCurrency(currency))
  work.tx.put('bank_accounts', { id: account, bank })
  const type = old ? 'account.external_account.updated' : 'account.external_account.created'
  emitFor(work, account, { type, object: bank, ...(old ? { before: {} } : {}) })
  return bank
}
