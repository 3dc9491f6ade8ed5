/** Mails about the identity check. */
import { type Applicant, hello, type MailContent } from './layout.ts'

export const verificationMails = {
  verificationRequested: (to: Applicant & { verificationUrl: string }): MailContent => ({
    subject: 'Please confirm who you are',
    greeting: hello(to.contact),
    paragraphs: [
      `thank you for signing. Before ${to.company} can be paid, our payment provider Stripe has ` +
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
}
