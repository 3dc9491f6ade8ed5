import type { Work } from '../deps.ts'
import { newId } from '../ids.ts'
import type { Balance } from '../records.ts'
import type { Reader } from '../store.ts'
import { currencies } from './currencies.ts'
import { type Endpoint, endpoint, found, idIn } from './endpoint.ts'
import { emit } from './events.ts'
import { page, paging } from './lists.ts'
import { movementsOf } from './movements.ts'
import { range, text, within } from './params.ts'
import type { BalanceTransaction } from './wire.ts'

/** What the platform owns in every currency until a control says otherwise. */
export const openingBalance = 100_000_000

/** The fee of a paid charge: 2.9 %, rounded half up, and 30 of the smallest units. */
const feePerMille = 29
const fixedFee = 30

export function feeOf(amount: number): number {
  const share = Math.floor((amount * feePerMille + 500) / 1000)
  return Math.min(amount, share + fixedFee)
}

export function balanceOf(reader: Reader, owner: string, currency: string): number {
  const kept = reader.get('balances', `${owner}:${currency}`)
  return kept?.amount ?? (owner === 'platform' ? openingBalance : 0)
}

export function setBalance(work: Work, balance: Omit<Balance, 'id'>): Balance {
  const { owner, currency } = balance
  return work.tx.put('balances', { ...balance, id: `${owner}:${currency}` })
}

/** Somebody fills, or empties, an account from outside; the platform hears when there is more. */
export function fillBalance(work: Work, balance: Omit<Balance, 'id'>): Balance {
  const { owner, currency, amount } = balance
  const before = balanceOf(work.tx, owner, currency)
  const kept = setBalance(work, balance)
  if (owner === 'platform' && amount > before) {
    const available = [{ amount, currency, source_types: { card: amount } }]
    const pending = [{ amount: 0, currency, source_types: { card: 0 } }]
    emit(work, 'balance.available', { object: 'balance', available, pending, livemode: false })
  }
  return kept
}

export function addToBalance(work: Work, { owner, currency, amount }: Omit<Balance, 'id'>): void {
  setBalance(work, { owner, currency, amount: balanceOf(work.tx, owner, currency) + amount })
}

export interface Movement {
  type: BalanceTransaction['type']
  category: string
  amount: number
  fee?: number
  currency: string
  source: string
  description: string | null
}

/** Moves the platform's money and writes the line of its account; it is available at once. */
export function book(work: Work, movement: Movement): BalanceTransaction {
  const { type, category, amount, fee = 0, currency, source, description } = movement
  const net = amount - fee
  addToBalance(work, { owner: 'platform', currency, amount: net })
  return work.tx.put('balance_transactions', {
    id: newId('txn'),
    object: 'balance_transaction',
    amount,
    available_on: work.seconds,
    balance_type: 'payments',
    created: work.seconds,
    currency,
    description,
    exchange_rate: null,
    fee,
    fee_details:
      fee === 0
        ? []
        : [
            {
              amount: fee,
              application: null,
              currency,
              description: 'Stripe processing fees',
              type: 'stripe_fee',
            },
          ],
    net,
    reporting_category: category,
    source,
    status: 'available',
    type,
  })
}

export const balanceEndpoints: Endpoint[] = [
  endpoint({
    on: 'GET /v1/balance',
    params: {},
    run(work, { account }) {
      const owner = account ?? 'platform'
      const available = currencies
        .filter((currency) => {
          return account === null || work.tx.get('balances', `${owner}:${currency}`) !== undefined
        })
        .map((currency) => {
          const amount = balanceOf(work.tx, owner, currency)
          return { amount, currency, source_types: { card: amount } }
        })
      const pending = available.map(({ currency }) => ({
        amount: 0,
        currency,
        source_types: { card: 0 },
      }))
      return { object: 'balance', available, livemode: false, pending }
    },
  }),
  endpoint({
    on: 'GET /v1/balance_transactions',
    params: {
      ...{ ...paging, type: text(), created: range(), currency: text(), source: text() },
      payout: text(),
    },
    run(work, { params, account }) {
      if (account !== null) {
        const rows = movementsOf(work, account, params.payout ?? '')
        return page('/v1/balance_transactions', rows, params)
      }
      const { type, created, currency, source } = params
      const rows = work.tx.all('balance_transactions').filter((one) => {
        if (type !== undefined && one.type !== type) return false
        if (currency !== undefined && one.currency !== currency.toLowerCase()) return false
        return within(one.created, created) && (source === undefined || one.source === source)
      })
      return page('/v1/balance_transactions', rows, params)
    },
  }),
  endpoint({
    on: 'GET /v1/balance_transactions/:id',
    params: {},
    run(work, call) {
      const one = work.tx.get('balance_transactions', idIn(call))
      return found(one, 'balance transaction', call)
    },
  }),
]
