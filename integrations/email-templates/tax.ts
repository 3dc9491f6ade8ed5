/** Mails about tax forms. */
import { hello, type MailContent } from './layout.ts'

const where = 'Hand it in where you read your statements: a W-9 for US persons, else a W-8.'

export const taxMails = {
  taxFormWanted: (to: { contact: string }): MailContent => ({
    subject: 'We need a tax form of you',
    greeting: hello(to.contact),
    paragraphs: [`before we can go on paying you, the law wants a tax form of you. ${where}`],
  }),

  taxFormRejected: (to: { contact: string }): MailContent => ({
    subject: 'Your tax form was not accepted',
    greeting: hello(to.contact),
    paragraphs: [`your tax form could not be accepted. The reason stands beside it. ${where}`],
  }),

  taxFormExpiring: (to: { contact: string; day: string }): MailContent => ({
    subject: `Your tax form is good until ${to.day}`,
    greeting: hello(to.contact),
    paragraphs: [`your tax form is good until ${to.day}; then we need a new one. ${where}`],
  }),

  taxFormExpired: (to: { contact: string; day: string }): MailContent => ({
    subject: 'Your tax form has expired',
    greeting: hello(to.contact),
    paragraphs: [`your tax form was good until ${to.day}, and we need a new one. ${where}`],
  }),
}
