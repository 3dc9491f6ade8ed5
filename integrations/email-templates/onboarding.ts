/** Mails to applicants. */
import { type Applicant, hello, type MailContent } from './layout.ts'

export const onboardingMails = {
  applicationReceived: (to: Applicant & { statusUrl: string }): MailContent => ({
    subject: 'We have your application',
    greeting: hello(to.contact),
    paragraphs: [
      `Thank you for the application of ${to.company}. When our first look at it is done, you ` +
        'will get your agreement for signature in a separate mail.',
      'You can see at any time where your application stands.',
    ],
    action: { label: 'See your application', url: to.statusUrl },
  }),

  applicationRejected: (
    to: Applicant & { reason: string; again: string; statusUrl: string },
  ): MailContent => ({
    subject: 'Your application was not accepted',
    greeting: hello(to.contact),
    paragraphs: [
      `We cannot accept ${to.company} as a partner.`,
      `The reason: ${to.reason}`,
      `You can apply again ${to.again}; keep the link below for it.`,
    ],
    action: { label: 'See your application', url: to.statusUrl },
  }),

  applicationInvitation: (to: {
    contact: string
    inviter: string
    message: string
    applyUrl: string
    until: string
  }): MailContent => ({
    subject: `${to.inviter} invites you to be a partner`,
    greeting: hello(to.contact),
    paragraphs: [
      `${to.inviter} invites you to apply as a partner. The form is filled in as far as it is ` +
        `known. The link works once, until ${to.until}.`,
      ...(to.message === '' ? [] : [`${to.inviter} writes: ${to.message}`]),
    ],
    action: { label: 'Apply', url: to.applyUrl },
  }),

  applicationLapsed: (to: Applicant & { why: string }): MailContent => ({
    subject: 'Your application has lapsed',
    greeting: hello(to.contact),
    paragraphs: [`The application of ${to.company} has ended because ${to.why}.`],
  }),
}
