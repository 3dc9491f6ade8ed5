/** Mails about the agreement. */
import { type Applicant, hello, type MailContent } from './layout.ts'

export const agreementMails = {
  agreementReminder: (to: Applicant & { statusUrl: string; days: string }): MailContent => ({
    subject: 'Your agreement waits for your signature',
    greeting: hello(to.contact),
    paragraphs: [
      `The partner agreement of ${to.company} is not signed yet. It lapses ${to.days}.`,
      'You find it in the mail from DocuSign.',
    ],
    action: { label: 'See your application', url: to.statusUrl },
  }),

  agreementReady: (to: Applicant & { signingUrl: string }): MailContent => ({
    subject: 'Your agreement is ready to be signed',
    greeting: hello(to.contact),
    paragraphs: [
      `The partner agreement of ${to.company} is ready. Please read and sign it.`,
      'The link leads to a fresh page each time you open it.',
    ],
    action: { label: 'Read and sign', url: to.signingUrl },
  }),

  agreementToSignReminder: (to: Applicant & { signingUrl: string; days: string }): MailContent => ({
    subject: 'Your agreement waits for your signature',
    greeting: hello(to.contact),
    paragraphs: [`The partner agreement of ${to.company} is not signed yet. It lapses ${to.days}.`],
    action: { label: 'Read and sign', url: to.signingUrl },
  }),

  termsChanged: (to: Applicant & { version: string; days: string }): MailContent => ({
    subject: 'The terms of your partner agreement change',
    greeting: hello(to.contact),
    paragraphs: [
      `There is a new version of the terms of ${to.company}: ${to.version}. You get it from ` +
        'DocuSign in a separate mail. Please read and sign it.',
      `Until you have, the terms that you signed before hold. Please accept ${to.days}.`,
    ],
  }),

  termsReminder: (to: Applicant & { version: string; days: string }): MailContent => ({
    subject: 'New terms wait for your signature',
    greeting: hello(to.contact),
    paragraphs: [
      `Version ${to.version} of the terms of ${to.company} is not signed yet. Please accept ` +
        `${to.days}. You find it in the mail from DocuSign.`,
    ],
  }),

  termsOverdue: (to: Applicant & { version: string }): MailContent => ({
    subject: 'Your payouts wait for your signature',
    greeting: hello(to.contact),
    paragraphs: [
      `The time to accept version ${to.version} of the terms of ${to.company} is over. The terms ` +
        'that you signed before still hold, and payouts are held until you sign.',
      'You find the new terms in the mail from DocuSign. Once they are signed, payouts go on.',
    ],
  }),
}
