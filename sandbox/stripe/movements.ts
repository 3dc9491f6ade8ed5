import type { Work } from '../deps.ts'
import { missing } from './errors.ts'
import type { BalanceTransaction } from './wire.ts'

/** The movements of a connected account that one of its automatic payouts consists of. */
export function movementsOf(work: Work, account: string, payoutId: string): BalanceTransaction[] {
  const kept = work.tx.get('account_payouts', payoutId)
  if (kept?.account !== account) throw missing('payout', payoutId, 'payout')
  return kept.carries.map(({ source, amount }) => ({
    id: `txn_${source}`,
    object: 'balance_transaction',
    amount,
    available_on: kept.payout.created,
    balance_type: 'payments',
    created: kept.payout.created,
    currency: kept.payout.currency,
    description: null,
    exchange_rate: null,
    fee: 0,
    fee_details: [],
    net: amount,
    reporting_category: source.startsWith('po_') ? 'payout_reversal' : 'charge',
    source,
    status: 'available',
    type: source.startsWith('po_') ? 'payout_failure' : 'payment',
  }))
}
