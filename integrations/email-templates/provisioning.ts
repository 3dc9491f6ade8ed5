/** Mails about the environment of a new partner. */
import { type Applicant, hello, type MailContent } from './layout.ts'

export const provisioningMails = {
  invitation: (to: Applicant & { inviteUrl: string; tenantUrl: string }): MailContent => ({
    subject: 'Your access is ready',
    greeting: hello(to.contact),
    paragraphs: [
      `${to.company} was accepted, and its environment ${to.tenantUrl} is being prepared.`,
      'Take up your access with the link below. It works once and for seven days; afterwards ' +
        'you hold the first key to the API.',
    ],
    action: { label: 'Take up your access', url: to.inviteUrl },
  }),

  welcome: (to: Applicant & { tenantUrl: string; docsUrl: string }): MailContent => ({
    subject: `Welcome, ${to.company}`,
    greeting: hello(to.contact),
    paragraphs: [
      `Your environment ${to.tenantUrl} is ready.`,
      'Create your first customer, subscribe it to a package, and watch the commission appear.',
    ],
    action: { label: 'Read how', url: to.docsUrl },
  }),
}
