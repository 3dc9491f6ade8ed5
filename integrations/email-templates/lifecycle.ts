/** Mails about the ends of partnerships. */
import { hello, type MailContent } from './layout.ts'

const changes: Record<string, { subject: string; what: string; means: string }> = {
  suspended: {
    subject: 'is suspended',
    what: 'was suspended',
    means:
      'Its people and everyone below it can read and change nothing. What its customers pay goes ' +
      'on, commission is earned as before, and its payouts wait.',
  },
  active: {
    subject: 'is active again',
    what: 'is active again',
    means: 'Its people can work as before, and payouts that waited for this go out.',
  },
  approved: {
    subject: 'is accepted again',
    what: 'is accepted again',
    means: 'Its onboarding goes on where it stood.',
  },
  terminated: {
    subject: 'is terminated',
    what: 'was terminated',
    means:
      'Its keys and links no longer work. What it is still owed, if anything, comes with the ' +
      'next settlement; its statements stay available on request.',
  },
}

export const lifecycleMails = {
  partnerStatus: (to: { contact: string; company: string; status: string }): MailContent => {
    const change = changes[to.status] ?? {
      subject: `is ${to.status}`,
      what: `is ${to.status} now`,
      means: 'Ask the owner of the platform what that means for you.',
    }
    return {
      subject: `${to.company} ${change.subject}`,
      greeting: hello(to.contact),
      paragraphs: [`${to.company} ${change.what}.`, change.means],
    }
  },

  exportReady: (to: {
    contact: string
    company: string
    exportUrl: string
    until: string
  }): MailContent => ({
    subject: `The data of ${to.company}`,
    greeting: hello(to.contact),
    paragraphs: [
      `${to.company} leaves, and its data can be fetched with the link below until ${to.until}. ` +
        'Whoever has the link can fetch them: do not pass it on.',
      'Afterwards personal data are erased. Statements, invoices and agreements are kept as the ' +
        'law wants it.',
    ],
    action: { label: 'Fetch the data', url: to.exportUrl },
  }),

  erasureNeedsYou: (to: { member: string; company: string; what: string }): MailContent => ({
    subject: `The erasure of ${to.company} needs a second person`,
    greeting: hello(to.member),
    paragraphs: [
      `The time to fetch the data of ${to.company} (${to.what}) is over. Somebody other than ` +
        'who had it leave has to confirm the erasure, or cancel it.',
    ],
  }),

  erasureAlarm: (to: { member: string; company: string; what: string }): MailContent => ({
    subject: `An answer to ${to.company} is due by law`,
    greeting: hello(to.member),
    paragraphs: [
      `${to.company} (${to.what}) asked for its data and their erasure, and the time in which ` +
        'the law wants an answer is nearly over. Tell it how far this is, and why.',
    ],
  }),

  erasureDone: (to: { member: string; what: string }): MailContent => ({
    subject: `The personal data of ${to.what} are erased`,
    greeting: hello(to.member),
    paragraphs: [
      `The personal data of ${to.what} are erased and their keys destroyed. What was done is ` +
        'kept as evidence; the books are as they were.',
    ],
  }),
}
