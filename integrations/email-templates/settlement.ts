/** Mails about settlement, payouts and tiers. */
import { formatMoney } from '../../domain/currencies.ts'
import { hello, type MailContent } from './layout.ts'

export const settlementMails = {
  payoutSent: (to: {
    contact: string
    amount: bigint
    currency: string
    period: string
    statement: string
    /** The newest seal of the ledger when the statement was issued. */
    seal: string | null
  }): MailContent => ({
    subject: `Your payout for ${to.period}`,
    greeting: hello(to.contact),
    paragraphs: [
      `we have sent ${formatMoney(to.amount, to.currency)} to your account. Statement ` +
        `${to.statement} shows every line of it.`,
      ...(to.seal ? [`The seal of our ledger was ${to.seal} when it was issued.`] : []),
    ],
  }),

  releaseReminder: (to: { member: string; period: string; missing: string }): MailContent => ({
    subject: `The settlement of ${to.period} waits for you`,
    greeting: hello(to.member),
    paragraphs: [`the settlement of ${to.period} still needs ${to.missing}.`],
  }),

  tierRaised: (to: { contact: string; tier: string; reason: string }): MailContent => ({
    subject: `You are ${to.tier} now`,
    greeting: hello(to.contact),
    paragraphs: [`your tier has risen to ${to.tier}: ${to.reason}.`],
  }),
}
