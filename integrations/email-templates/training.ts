/** Mails to partners that learn. */
import { type Applicant, hello, type MailContent } from './layout.ts'

export const trainingMails = {
  trainingRequested: (to: Applicant & { courses: string; coursesUrl: string }): MailContent => ({
    subject: 'One thing before you start: your certification',
    greeting: hello(to.contact),
    paragraphs: [
      `The environment of ${to.company} is ready. Before it can sell, one of its members has to ` +
        `pass: ${to.courses}.`,
      'Take up your invitation first, if you have not yet.',
    ],
    action: { label: 'See your courses', url: to.coursesUrl },
  }),

  trainingReminder: (to: Applicant & { courses: string; coursesUrl: string }): MailContent => ({
    subject: 'Your certification is still missing',
    greeting: hello(to.contact),
    paragraphs: [`${to.company} can sell as soon as one of its members has passed: ${to.courses}.`],
    action: { label: 'See your courses', url: to.coursesUrl },
  }),

  trainingOverdue: (about: {
    approver: string
    company: string
    courses: string
    applicationUrl: string
  }): MailContent => ({
    subject: `${about.company} is not certified yet`,
    greeting: hello(about.approver),
    paragraphs: [
      `${about.company} was approved and still lacks: ${about.courses}. It was reminded several ` +
        'times; please talk to it.',
    ],
    action: { label: 'Open the application', url: about.applicationUrl },
  }),

  certificateExpiring: (to: {
    member: string
    course: string
    number: string
    day: string
    coursesUrl: string
  }): MailContent => ({
    subject: `Your certificate for ${to.course} ends on ${to.day}`,
    greeting: hello(to.member),
    paragraphs: [
      `Your certificate ${to.number} for ${to.course} is good until ${to.day}. Take the course ` +
        'again before then, and it goes on without a gap.',
    ],
    action: { label: 'See your courses', url: to.coursesUrl },
  }),

  certificateExpired: (to: {
    member: string
    course: string
    number: string
    coursesUrl: string
  }): MailContent => ({
    subject: `Your certificate for ${to.course} has ended`,
    greeting: hello(to.member),
    paragraphs: [
      `Your certificate ${to.number} for ${to.course} is good no more. What you need it for ` +
        'waits until you take the course again.',
    ],
    action: { label: 'See your courses', url: to.coursesUrl },
  }),
}
