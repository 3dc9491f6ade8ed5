/** Mails about screening, to people of the platform alone. */
import { hello, type MailContent } from './layout.ts'

export const screeningMails = {
  screeningOpen: (to: {
    member: string
    company: string
    whose: string
    findings: number
    isPartner: boolean
    screeningUrl: string
  }): MailContent => ({
    subject: `Screening of ${to.company} needs a look`,
    greeting: hello(to.member),
    paragraphs: [
      to.findings > 0
        ? `the name of ${to.whose} (${to.company}) is like ${to.findings} on the lists of ` +
          'sanctioned parties.'
        : `the name of ${to.whose} (${to.company}) could not be looked up on any list.`,
      to.isPartner
        ? 'It is a partner: its payouts are held until this is decided.'
        : 'It is an applicant: it cannot be approved until this is decided.',
      'One person confirms a finding; that it is somebody else takes two. Please do not speak of ' +
        'it with those whom it is about.',
    ],
    action: { label: 'Look at it', url: to.screeningUrl },
  }),
}
