import type { Work } from '../deps.ts'
import { newId } from '../ids.ts'
import { addToBalance, balanceOf, book } from './balance.ts'
import { checkStep, readCurrency } from './currencies.ts'
import { type Endpoint, endpoint, found, idIn } from './endpoint.ts'
import { missing, refused, type StripeProblem } from './errors.ts'
import { emit, emitChange } from './events.ts'
import { transfersStatus } from './kyc.ts'
import { page, paging, whole } from './lists.ts'
import {
  clearable,
  integer,
  type MetadataPatch,
  mergeMetadata,
  metadata,
  range,
  required,
  text,
  within,
} from './params.ts'
import type { Transfer, TransferReversal } from './wire.ts'

const transferEndpointsV1: Endpoint[] = [
  endpoint({
    on: 'POST /v1/transfers',
    params: {
      amount: required(integer(1, 99_999_999_999)),
      currency: required(text()),
      destination: required(text()),
      transfer_group: text(),
      description: text(),
      metadata: metadata(),
    },
    run: (work, { params }) => transfer(work, params),
  }),
  endpoint({
    on: 'GET /v1/transfers',
    params: { ...paging, transfer_group: text(), destination: text(), created: range() },
    run(work, { params }) {
      const { transfer_group, destination, created } = params
      const rows = work.tx.all('transfers').filter((one) => {
        if (transfer_group !== undefined && one.transfer_group !== transfer_group) return false
        if (destination !== undefined && one.destination !== destination) return false
        return within(one.created, created)
      })
      return page('/v1/transfers', rows, params)
    },
  }),
  endpoint({
    on: 'GET /v1/transfers/:id',
    params: {},
    run: (work, call) => found(work.tx.get('transfers', idIn(call)), 'transfer', call),
  }),
  endpoint({
    on: 'POST /v1/transfers/:id',
    params: { description: clearable(text()), metadata: metadata() },
    run(work, call) {
      const old = found(work.tx.get('transfers', idIn(call)), 'transfer', call)
      const { description = old.description, metadata: patch } = call.params
      const merged = mergeMetadata(old.metadata, patch)
      const after = work.tx.put('transfers', { ...old, description, metadata: merged })
      emitChange(work, 'transfer.updated', { object: after, before: { metadata: old.metadata } })
      return after
    },
  }),
]

const reversalEndpoints: Endpoint[] = [
  endpoint({
    on: 'POST /v1/transfers/:id/reversals',
    params: { amount: integer(1), description: text(), metadata: metadata() },
    run(work, call) {
      const old = found(work.tx.get('transfers', idIn(call)), 'transfer', call)
      return reverse(work, old, call.params)
    },
  }),
  endpoint({
    on: 'GET /v1/transfers/:id/reversals',
    params: paging,
    run(work, call) {
      const { id } = found(work.tx.get('transfers', idIn(call)), 'transfer', call)
      const rows = work.tx.all('transfer_reversals').filter((one) => one.transfer === id)
      return page(`/v1/transfers/${id}/reversals`, rows, call.params)
    },
  }),
  endpoint({
    on: 'GET /v1/transfers/:id/reversals/:reversal',
    params: {},
    run(work, call) {
      const id = call.path.reversal ?? ''
      const reversal = work.tx.get('transfer_reversals', id)
      if (reversal?.transfer === idIn(call)) return reversal
      throw missing('transfer reversal', id)
    },
  }),
]

export const transferEndpoints = [...transferEndpointsV1, ...reversalEndpoints]

interface TransferOrder {
  amount: number
  currency: string
  destination: string
  transfer_group: string | undefined
  description: string | undefined
  metadata: MetadataPatch | undefined
}

function transfer(work: Work, order: TransferOrder): Transfer {
  const currency = readCurrency(order.currency)
  const { amount, destination } = order
  checkStep(amount, currency)
  const account = work.tx.get('accounts', destination)
  if (account === undefined) throw missing('destination', destination, 'destination')
  if (account.closed || transfersStatus(account) !== 'active') {
    throw refused(
      'Your destination account needs to have at least one of the following capabilities ' +
        'enabled: transfers, crypto_transfers, legacy_payments',
      { code: 'insufficient_capabilities_for_transfer' },
    )
  }
  if (balanceOf(work.tx, 'platform', currency) < amount) throw balanceInsufficient()
  const id = newId('tr')
  const money = book(work, {
    type: 'transfer',
    category: 'transfer',
    amount: -amount,
    currency,
    source: id,
    description: order.description ?? null,
  })
  addToBalance(work, { owner: destination, currency, amount })
  const made = work.tx.put('transfers', {
    id,
    object: 'transfer',
    amount,
    amount_reversed: 0,
    balance_transaction: money.id,
    created: work.seconds,
    currency,
    description: order.description ?? null,
    destination,
    destination_payment: newId('py'),
    livemode: false,
    metadata: mergeMetadata({}, order.metadata),
    reversals: whole(`/v1/transfers/${id}/reversals`, []),
    reversed: false,
    source_transaction: null,
    source_type: 'card',
    transfer_group: order.transfer_group ?? null,
  })
  emit(work, 'transfer.created', made)
  return made
}

function balanceInsufficient(): StripeProblem {
  return refused(
    'You have insufficient available funds in your Stripe account. Try adding funds directly to ' +
      'your available balance by creating Charges using the 4000000000000077 test card. See: ' +
      'https://stripe.com/docs/testing#available-balance',
    { code: 'balance_insufficient' },
  )
}

interface ReversalOrder {
  amount: number | undefined
  description: string | undefined
  metadata: MetadataPatch | undefined
}

function reverse(work: Work, old: Transfer, order: ReversalOrder): TransferReversal {
  const rest = old.amount - old.amount_reversed
  const amount = order.amount ?? rest
  if (rest === 0) throw refused(`Transfer ${old.id} has already been fully reversed.`)
  if (amount > rest) {
    throw refused(
      `Transfer reversal amount (${amount}) is greater than unreversed amount on the ` +
        `transfer (${rest})`,
      { param: 'amount' },
    )
  }
  checkStep(amount, old.currency)
  const owner = old.destination ?? ''
  if (balanceOf(work.tx, owner, old.currency) < amount) throw balanceInsufficient()
  addToBalance(work, { owner, currency: old.currency, amount: -amount })
  const id = newId('trr')
  const money = book(work, {
    type: 'transfer_refund',
    category: 'transfer_reversal',
    amount,
    currency: old.currency,
    source: id,
    description: order.description ?? null,
  })
  const reversal = work.tx.put('transfer_reversals', {
    id,
    object: 'transfer_reversal',
    amount,
    balance_transaction: money.id,
    created: work.seconds,
    currency: old.currency,
    destination_payment_refund: newId('pyr'),
    metadata: mergeMetadata({}, order.metadata),
    source_refund: null,
    transfer: old.id,
  })
  const amount_reversed = old.amount_reversed + amount
  const after = work.tx.put('transfers', {
    ...old,
    amount_reversed,
    reversed: amount_reversed === old.amount,
    reversals: { ...old.reversals, data: [reversal, ...old.reversals.data] },
  })
  emitChange(work, 'transfer.reversed', {
    object: after,
    before: {
      amount_reversed: old.amount_reversed,
      reversed: old.reversed,
    },
  })
  return reversal
}
