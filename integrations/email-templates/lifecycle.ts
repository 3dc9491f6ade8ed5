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
}
