/** Mails about the agreement. */
import { type Applicant, hello, type MailContent } from './layout.ts'

export const agreementMails = {
  agreementReminder: (to: Applicant & { statusUrl: string; days: string }): MailContent => ({
    subject: 'Your agreement waits for your signature',
    greeting: hello(to.contact),
    paragraphs: [
      `the partner agreement of ${to.company} is not signed yet. It lapses ${to.days}.`,
      'You find it in the mail from DocuSign.',
    ],
    action: { label: 'See your application', url: to.statusUrl },
  }),
}
