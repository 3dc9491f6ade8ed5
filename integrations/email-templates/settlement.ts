/** Mails about settlement, payouts and tiers. */
import { formatMoney } from '../../domain/currencies.ts'
import type { ExceptionCause } from '../../domain/payouts.ts'
import { hello, type MailContent } from './layout.ts'

const oldCustomers = 'Customers that you have already keep the rates with which they began.'

const causeWords: Record<ExceptionCause, string> = {
  transfer_rejected: 'the transfer was refused',
  bank_failed: 'its bank sent the money back',
  held_too_long: 'what its partner has to do for it has not been done for long',
  transfer_reversed: 'the transfer was taken back at Stripe',
}

export const settlementMails = {
  payoutSent: (to: {
    contact: string
    amount: bigint
    currency: string
    period: string
    statement: string
    /** The newest seal of the ledger when the statement was issued. */
    seal: string | null
    remittanceUrl: string
  }): MailContent => ({
    subject: `Your payout for ${to.period}`,
    greeting: hello(to.contact),
    paragraphs: [
      `We have sent ${formatMoney(to.amount, to.currency)} to your account. Statement ` +
        `${to.statement} shows every line of it.`,
      ...(to.seal ? [`The seal of our ledger was ${to.seal} when it was issued.`] : []),
    ],
    action: { label: 'Read the remittance advice', url: to.remittanceUrl },
  }),

  payoutReturned: (to: { contact: string; amount: bigint; currency: string }): MailContent => ({
    subject: 'Your bank has sent a payout back',
    greeting: hello(to.contact),
    paragraphs: [
      `your bank has returned ${formatMoney(to.amount, to.currency)}. It is yours and lies ` +
        'in your balance at Stripe: correct your bank details there, and it is paid again.',
    ],
  }),

  bankChanged: (to: { contact: string }): MailContent => ({
    subject: 'Your bank details were changed',
    greeting: hello(to.contact),
    paragraphs: [
      'the bank account that your payouts go to was changed. We pay nothing for two days, or as ' +
        'long as your programme says. If it was not you, answer to this mail at once.',
    ],
  }),

  payoutException: (to: {
    member: string
    company: string
    amount: bigint
    currency: string
    cause: ExceptionCause
    isOld: boolean
  }): MailContent => ({
    subject: to.isOld ? 'A payout may have to be handed over' : 'A payout waits for a decision',
    greeting: hello(to.member),
    paragraphs: [
      `${formatMoney(to.amount, to.currency)} for ${to.company} could not be paid: ` +
        `${causeWords[to.cause]}.`,
      to.isOld
        ? 'It waits for a year: look at what the law of the partner asks for unclaimed money.'
        : 'Retry it, choose another account, give it back to the balance, or write it off.',
    ],
  }),

  reconciliationBreaks: (to: {
    member: string
    count: number
    withoutOwner: number
    since: string
  }): MailContent => ({
    subject: 'The books and Stripe differ',
    greeting: hello(to.member),
    paragraphs: [
      `${to.count} difference(s) between the books and Stripe are open, the oldest since ` +
        `${to.since}; ${to.withoutOwner} of them have nobody who looks after them.`,
    ],
  }),

  lowBalance: (to: {
    member: string
    period: string
    unpaid: { currency: string; amount: bigint }[]
  }): MailContent => ({
    subject: `The payouts of ${to.period} wait for money`,
    greeting: hello(to.member),
    paragraphs: [
      'The balance at Stripe is too low. Still to be paid: ' +
        to.unpaid.map(({ amount, currency }) => formatMoney(amount, currency)).join(', ') +
        '. Fill it up; the payouts then go on by themselves.',
    ],
  }),

  releaseReminder: (to: { member: string; period: string; missing: string }): MailContent => ({
    subject: `The settlement of ${to.period} waits for you`,
    greeting: hello(to.member),
    paragraphs: [`The settlement of ${to.period} still needs ${to.missing}.`],
  }),

  settlementOverdue: (to: { member: string; period: string; where: string }): MailContent => ({
    subject: `The settlement of ${to.period} is overdue`,
    greeting: hello(to.member),
    paragraphs: [
      `${to.period} should be settled by now: ${to.where}. Partners wait for their ` +
        'statements and their money.',
      'You are told once a day until it is closed.',
    ],
  }),

  disputeNews: (to: { contact: string; statement: string; news: string }): MailContent => ({
    subject: `A line of statement ${to.statement} is disputed: ${to.news}`,
    greeting: hello(to.contact),
    paragraphs: [
      `A line of statement ${to.statement} is disputed, and there is something new: the dispute ` +
        `was ${to.news}. Read it, with all that was said, where you read your statements.`,
    ],
  }),

  disputeReminder: (to: { contact: string; statement: string; due: string }): MailContent => ({
    subject: `A dispute about statement ${to.statement} waits for you`,
    greeting: hello(to.contact),
    paragraphs: [
      `The dispute about a line of statement ${to.statement} waits for your answer. It was asked ` +
        `for until ${to.due}.`,
    ],
  }),

  tierRaised: (to: { contact: string; tier: string; reason: string }): MailContent => ({
    subject: `You are ${to.tier} now`,
    greeting: hello(to.contact),
    paragraphs: [`Your tier has risen to ${to.tier}: ${to.reason}.`],
  }),

  tierSet: (to: { contact: string; tier: string }): MailContent => ({
    subject: `You are ${to.tier} now`,
    greeting: hello(to.contact),
    paragraphs: [`we have set your tier to ${to.tier}.`, oldCustomers],
  }),

  tierSetUntil: (to: { contact: string; tier: string; day: string }): MailContent => ({
    subject: `You are ${to.tier} now`,
    greeting: hello(to.contact),
    paragraphs: [`we have set your tier to ${to.tier} until ${to.day}.`, oldCustomers],
  }),

  tierOverrideEnded: (to: { contact: string; tier: string }): MailContent => ({
    subject: `You are ${to.tier} again`,
    greeting: hello(to.contact),
    paragraphs: [
      `the time for which we had set your tier is over: it is ${to.tier}.`,
      oldCustomers,
    ],
  }),

  tierFalls: (to: {
    contact: string
    tier: string
    lower: string
    day: string
    why: string
  }): MailContent => ({
    subject: `Your tier will fall on ${to.day}`,
    greeting: hello(to.contact),
    paragraphs: [
      `on ${to.day} your tier falls from ${to.tier} to ${to.lower}, unless your revenue rises ` +
        `until then: ${to.why}.`,
      oldCustomers,
    ],
  }),

  tierFell: (to: { contact: string; tier: string; lower: string; why: string }): MailContent => ({
    subject: `You are ${to.lower} now`,
    greeting: hello(to.contact),
    paragraphs: [`your tier has fallen from ${to.tier} to ${to.lower}: ${to.why}.`, oldCustomers],
  }),

  tierKept: (to: { contact: string; tier: string }): MailContent => ({
    subject: `You stay ${to.tier}`,
    greeting: hello(to.contact),
    paragraphs: [`we had warned you that your tier would fall. It does not: you stay ${to.tier}.`],
  }),
}
