import { moveClock } from '../clock.ts'
import { change, type Deps, type Work } from '../deps.ts'
import { declineEnvelope, isOpen, signAll, voidEnvelope } from '../docusign/signing.ts'
import type { Envelope } from '../docusign/wire.ts'
import type { Fault } from '../fault-kinds.ts'
import { armFault, type FaultOrder } from '../faults.ts'
import { HttpProblem } from '../http.ts'
import { newId } from '../ids.ts'
import type { Balance, Name, Records } from '../records.ts'
import type { Reader } from '../store.ts'
import { fillBalance } from '../stripe/balance.ts'
import { type BankOutcome, changeBank, endPayout, payOutAll } from '../stripe/bank-payouts.ts'
import { readCurrency } from '../stripe/currencies.ts'
import { closeDispute, openDispute } from '../stripe/disputes.ts'
import { decideIdentity, finishRedaction, type IdentityOutcome } from '../stripe/identity.ts'
import { askAgain, decideKyc, type KycDecision, type NewRequirement } from '../stripe/kyc.ts'
import { collect, decline } from '../stripe/payments.ts'
import { failRefund, refund } from '../stripe/refunds.ts'
import { renew } from '../stripe/renewal.ts'
import type {
  BankAccount,
  BankPayout,
  Charge,
  Dispute,
  Invoice,
  Refund,
  SessionRecord,
} from '../stripe/wire.ts'

/** What people and scripts may do to the vendors' side, for the pages and the control plane. */
export interface Actions {
  signEnvelope(id: string): Envelope
  declineEnvelope(id: string, reason: string): Envelope
  expireEnvelope(id: string): Envelope
  decideKyc(id: string, decision: KycDecision): Records['accounts']
  askAgain(id: string, requirement: NewRequirement): Records['accounts']
  decideIdentity(id: string, outcome: IdentityOutcome): SessionRecord
  finishRedaction(id: string): SessionRecord
  payInvoice(id: string, amount?: number): Invoice
  failInvoice(id: string): Invoice
  refundCharge(id: string, order: RefundWish): Refund
  disputeCharge(id: string, amount?: number): Dispute
  closeDispute(id: string, outcome: 'won' | 'lost'): Dispute
  failRefund(id: string): Refund
  renewSubscription(id: string): Records['subscriptions']
  payOutAccount(id: string, currency: string): BankPayout
  endPayout(id: string, outcome: BankOutcome): BankPayout
  changeBank(id: string, currency?: string): BankAccount
  setBalance(wish: { owner: string; currency: string; amount: number }): Balance
  setClock(now: Date | null): void
  setConsent(granted: boolean): void
  arm(order: FaultOrder): Fault
  disarm(): void
}

export interface RefundWish {
  amount?: number | undefined
  /** It succeeds first and fails a moment later. */
  fail?: boolean | undefined
  fail_after_ms?: number | undefined
}

const failAfterMs = 500

export function createActions(deps: Deps): Actions {
  const on = <K extends Name, T>(
    [name, id]: [K, string],
    act: (work: Work, record: Records[K]) => T,
  ): T =>
    change(deps, `control: ${name} ${id}`, (work) => act(work, existing<K>(work.tx, name, id)))

  return {
    ...vendorActions(on),
    setBalance(wish) {
      const owner = wish.owner
      const currency = readCurrency(wish.currency)
      if (owner !== 'platform') existing(deps.store, 'accounts', owner)
      return change(deps, 'control: balance', (work) => fillBalance(work, { ...wish, currency }))
    },
    setClock: (now) => moveClock(deps.store, now),
    setConsent(granted) {
      deps.store.write('control: consent', (tx) =>
        tx.put('settings', { id: 'docusign_consent', granted }),
      )
    },
    arm: (order) => deps.store.write('control: fault', (tx) => armFault(tx, order)),
    disarm() {
      deps.store.write('control: no faults', (tx) => {
        for (const { id } of tx.all('faults')) tx.drop('faults', id)
      })
    },
  }
}

type On = <K extends Name, T>(key: [K, string], act: (work: Work, record: Records[K]) => T) => T

function vendorActions(on: On) {
  return {
    signEnvelope: (id: string) =>
      on(['envelopes', id], (work, envelope) => {
        if (isOpen(envelope)) return signAll(work, envelope)
        throw new HttpProblem(409, `the envelope is ${envelope.status}, expected sent or delivered`)
      }),
    declineEnvelope: (id: string, reason: string) =>
      on(['envelopes', id], (work, envelope) => {
        const waiting = envelope.signers.find(({ status }) => {
          return status === 'sent' || status === 'delivered'
        })
        if (!isOpen(envelope) || waiting === undefined) {
          throw new HttpProblem(
            409,
            `the envelope is ${envelope.status}, expected sent or delivered`,
          )
        }
        const { recipientId } = waiting
        return declineEnvelope(work, envelope, { recipientId, reason })
      }),
    expireEnvelope: (id: string) =>
      on(['envelopes', id], (work, envelope) =>
        voidEnvelope(work, envelope, 'Envelope has expired.'),
      ),
    decideKyc: (id: string, decision: KycDecision) =>
      on(['accounts', id], (work, account) => decideKyc(work, account, decision)),
    askAgain: (id: string, requirement: NewRequirement) =>
      on(['accounts', id], (work, account) => askAgain(work, account, requirement)),
    decideIdentity: (id: string, outcome: IdentityOutcome) =>
      on(['verification_sessions', id], (work, old) => decideIdentity(work, old, outcome)),
    finishRedaction: (id: string) =>
      on(['verification_sessions', id], (work, old) => finishRedaction(work, old)),
    payInvoice: (id: string, amount?: number) =>
      on(['invoices', id], (work, invoice) => collect(work, invoice, amount)),
    failInvoice: (id: string) =>
      on(['invoices', id], (work, invoice) => {
        decline(work, invoice)
        return existing(work.tx, 'invoices', id)
      }),
    refundCharge: (id: string, wish: RefundWish) =>
      on(['charges', id], (work, charge) => refundAndMaybeFail(work, charge, wish)),
    disputeCharge: (id: string, amount?: number) =>
      on(['charges', id], (work, charge) => openDispute(work, charge, amount)),
    closeDispute: (id: string, outcome: 'won' | 'lost') =>
      on(['disputes', id], (work, dispute) => closeDispute(work, dispute, outcome)),
    payOutAccount: (id: string, currency: string) =>
      on(['accounts', id], (work, account) => payOutAll(work, account.id, readCurrency(currency))),
    endPayout: (id: string, outcome: BankOutcome) =>
      on(['account_payouts', id], (work, kept) => endPayout(work, kept, outcome)),
    changeBank: (id: string, currency?: string) =>
      on(['accounts', id], (work, account) => changeBank(work, account.id, currency)),
    failRefund: (id: string) => on(['refunds', id], (work, made) => failRefund(work, made)),
    renewSubscription: (id: string) =>
      on(['subscriptions', id], (work, subscription) => renew(work, subscription)),
  }
}

function refundAndMaybeFail(work: Work, charge: Charge, wish: RefundWish): Refund {
  const made = refund(work, charge, { amount: wish.amount, reason: 'requested_by_customer' })
  if (wish.fail) {
    const due = Date.now() + (wish.fail_after_ms ?? failAfterMs)
    work.tx.put('timers', { id: newId('timer', 12), due, act: 'fail_refund', object: made.id })
  }
  return made
}

function existing<K extends Name>(reader: Reader, name: K, id: string): Records[K] {
  const record = reader.get(name, id)
  if (record !== undefined) return record
  throw new HttpProblem(404, `there is no ${id} among the ${name}`)
}
