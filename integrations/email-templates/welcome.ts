/** The mails of a partner's first weeks; each has a link that ends them. */
import { type Applicant, hello, type MailContent } from './layout.ts'

interface NewPartner extends Applicant {
  tenantUrl: string
  docsUrl: string
  stopUrl: string
}

const stop = (to: NewPartner) =>
  `You get these few mails because you are new. To stop them: ${to.stopUrl}`

export const welcomeMails = {
  firstSteps: (to: NewPartner): MailContent => ({
    subject: 'Your first steps',
    greeting: hello(to.contact),
    paragraphs: [
      `${to.company} is set up. Two things make it yours: your logo and colours on ` +
        `${to.tenantUrl}, and a domain of your own if you have one.`,
      'Invite those who work with you: owners, administrators, and people of finance who see ' +
        'statements and nothing else.',
      stop(to),
    ],
    action: { label: 'Read how', url: to.docsUrl },
  }),

  firstCustomer: (to: NewPartner): MailContent => ({
    subject: 'Bring in your first customer',
    greeting: hello(to.contact),
    paragraphs: [
      `${to.company} has no customer yet. It takes two steps: create the customer, and subscribe ` +
        'it to a package. It gets its first invoice at once.',
      'Your own programs can do the same through the API.',
      stop(to),
    ],
    action: { label: 'Read how', url: to.docsUrl },
  }),

  howMoneyFlows: (to: NewPartner): MailContent => ({
    subject: 'How your commission becomes a payout',
    greeting: hello(to.contact),
    paragraphs: [
      'Every line that a customer pays earns commission, which you see within seconds, with the ' +
        'reason for every cent.',
      'A month is closed three days after its end. You get a statement, and what is payable is ' +
        'sent to your account. A refund takes back its share of the commission in the month in ' +
        'which it happens.',
      stop(to),
    ],
    action: { label: 'Read how', url: to.docsUrl },
  }),

  grow: (to: NewPartner): MailContent => ({
    subject: 'How to reach the next tier',
    greeting: hello(to.contact),
    paragraphs: [
      'Tiers rise with what your customers pay within a year. A higher tier counts at once for ' +
        'every line that follows.',
      'Trained people sell better: courses and their certificates are open to all of your members.',
      stop(to),
    ],
    action: { label: 'Read how', url: to.docsUrl },
  }),
}
