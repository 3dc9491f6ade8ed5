/** Mails on the way to a decision. */
import { type Applicant, hello, type MailContent } from './layout.ts'

interface Asked extends Applicant {
  statusUrl: string
  /** One in each line. */
  questions: string
  days: string
}

interface ToDecide {
  approver: string
  company: string
  applicationUrl: string
}

const asked = ({ questions, days }: Asked) => [
  ...questions.split('\n'),
  `Your application waits for your answer. It lapses ${days} without one.`,
]

export const approvalMails = {
  informationRequested: (to: Asked): MailContent => ({
    subject: 'We need more information about your application',
    greeting: hello(to.contact),
    paragraphs: [`Before we decide on ${to.company}, please tell us:`, ...asked(to)],
    action: { label: 'Answer', url: to.statusUrl },
  }),

  informationReminder: (to: Asked): MailContent => ({
    subject: 'Your application waits for your answer',
    greeting: hello(to.contact),
    paragraphs: [`We asked you about ${to.company}:`, ...asked(to)],
    action: { label: 'Answer', url: to.statusUrl },
  }),

  applicationWithdrawn: (to: Applicant): MailContent => ({
    subject: 'Your application is withdrawn',
    greeting: hello(to.contact),
    paragraphs: [
      `You have withdrawn the application of ${to.company}. Nothing more will happen, and what ` +
        'we had opened for you is closed again.',
    ],
  }),

  decisionNeeded: (about: ToDecide): MailContent => ({
    subject: `${about.company} waits for your decision`,
    greeting: hello(about.approver),
    paragraphs: [
      `${about.company} has signed the agreement and is verified. Please approve or reject the ` +
        'application.',
    ],
    action: { label: 'Open the application', url: about.applicationUrl },
  }),

  secondApprovalNeeded: (about: ToDecide): MailContent => ({
    subject: `${about.company} waits for a second approval`,
    greeting: hello(about.approver),
    paragraphs: [
      `A first person has approved ${about.company}. It expects to sell so much that a second ` +
        'person has to approve it too.',
    ],
    action: { label: 'Open the application', url: about.applicationUrl },
  }),

  answersReceived: (about: ToDecide): MailContent => ({
    subject: `${about.company} has answered`,
    greeting: hello(about.approver),
    paragraphs: [`${about.company} has answered your questions and waits for your decision again.`],
    action: { label: 'Open the application', url: about.applicationUrl },
  }),
}
