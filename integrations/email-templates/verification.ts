/** Mails about the identity check. */
import { type Applicant, hello, type MailContent } from './layout.ts'

export const verificationMails = {
  verificationRequested: (to: Applicant & { verificationUrl: string }): MailContent => ({
    subject: 'Please confirm who you are',
    greeting: hello(to.contact),
    paragraphs: [
      `Thank you for signing. Before ${to.company} can be paid, our payment provider Stripe has ` +
        'to know your company and its bank account. This takes about ten minutes.',
    ],
    action: { label: 'Confirm your company', url: to.verificationUrl },
  }),

  verificationReminder: (
    to: Applicant & { verificationUrl: string; days: string },
  ): MailContent => ({
    subject: 'Your company is not confirmed yet',
    greeting: hello(to.contact),
    paragraphs: [
      `Stripe still needs something from ${to.company}. Your application lapses ${to.days}.`,
    ],
    action: { label: 'Confirm your company', url: to.verificationUrl },
  }),

  reverificationDue: (to: Applicant & { verificationUrl: string; days: string }): MailContent => ({
    subject: 'Stripe needs something more from you',
    greeting: hello(to.contact),
    paragraphs: [
      `Our payment provider Stripe asks ${to.company} to show something again. Please answer ` +
        `${to.days}, so that your payouts go on.`,
    ],
    action: { label: 'Answer Stripe', url: to.verificationUrl },
  }),

  reverificationHeld: (to: Applicant & { verificationUrl: string }): MailContent => ({
    subject: 'Your payouts are held',
    greeting: hello(to.contact),
    paragraphs: [
      `Stripe still misses an answer from ${to.company}, so we hold your payouts. What you earn ` +
        'is booked as before, and is paid as soon as Stripe has its answer.',
    ],
    action: { label: 'Answer Stripe', url: to.verificationUrl },
  }),

  reverificationStopped: (to: Applicant & { verificationUrl: string }): MailContent => ({
    subject: 'You cannot open new subscriptions',
    greeting: hello(to.contact),
    paragraphs: [
      `Stripe still misses an answer from ${to.company}. Subscriptions of your customers go on; ` +
        'new ones can be opened as soon as Stripe has its answer.',
    ],
    action: { label: 'Answer Stripe', url: to.verificationUrl },
  }),

  reverificationDone: (to: Applicant): MailContent => ({
    subject: 'Stripe has what it needed',
    greeting: hello(to.contact),
    paragraphs: [`${to.company} is confirmed again. Whatever was held is paid with the next run.`],
  }),

  verificationDrift: (to: { member: string; company: string; what: string }): MailContent => ({
    subject: 'A partner is not confirmed any more',
    greeting: hello(to.member),
    paragraphs: [`Stripe misses an answer from ${to.company}. ${to.what}`],
  }),
}
