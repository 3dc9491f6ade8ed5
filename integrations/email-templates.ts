/** The words of every mail, once; text and HTML are two renderings of the same content. */
import { formatMoney } from '../domain/currencies.ts'

export interface MailContent {
  subject: string
  greeting: string
  paragraphs: string[]
  action?: { label: string; url: string }
}

interface Applicant {
  contact: string
  company: string
}

const hello = (name: string) => `Hello ${name},`

export const mails = {
  applicationReceived: (to: Applicant & { statusUrl: string }): MailContent => ({
    subject: 'We have your application',
    greeting: hello(to.contact),
    paragraphs: [
      `thank you for the application of ${to.company}. Your agreement comes next: you will get ` +
        'it for signature in a separate mail.',
      'You can see at any time where your application stands.',
    ],
    action: { label: 'See your application', url: to.statusUrl },
  }),

  agreementReminder: (to: Applicant & { statusUrl: string; days: string }): MailContent => ({
    subject: 'Your agreement waits for your signature',
    greeting: hello(to.contact),
    paragraphs: [
      `the partner agreement of ${to.company} is not signed yet. It lapses ${to.days}.`,
      'You find it in the mail from DocuSign.',
    ],
    action: { label: 'See your application', url: to.statusUrl },
  }),

  verificationRequested: (to: Applicant & { verificationUrl: string }): MailContent => ({
    subject: 'Please confirm who you are',
    greeting: hello(to.contact),
    paragraphs: [
      `thank you for signing. Before ${to.company} can be paid, our payment provider Stripe has ` +
        'to know your company and its bank account. This takes about ten minutes.',
    ],
    action: { label: 'Confirm your company', url: to.verificationUrl },
  }),

  verificationReminder: (
    to: Applicant & { verificationUrl: string; days: string },
  ): MailContent => ({
    subject: 'Your company is not confirmed yet',
    greeting: hello(to.contact),
    paragraphs: [
      `Stripe still needs something from ${to.company}. Your application lapses ${to.days}.`,
    ],
    action: { label: 'Confirm your company', url: to.verificationUrl },
  }),

  decisionNeeded: (about: { approver: string; company: string; applicationUrl: string }) => ({
    subject: `${about.company} waits for your decision`,
    greeting: hello(about.approver),
    paragraphs: [
      `${about.company} has signed the agreement and is verified. Please approve or reject the ` +
        'application.',
    ],
    action: { label: 'Open the application', url: about.applicationUrl },
  }),

  applicationRejected: (to: Applicant & { reason: string }): MailContent => ({
    subject: 'Your application was not accepted',
    greeting: hello(to.contact),
    paragraphs: [`we cannot accept ${to.company} as a partner.`, `The reason: ${to.reason}`],
  }),

  applicationLapsed: (to: Applicant & { why: string }): MailContent => ({
    subject: 'Your application has lapsed',
    greeting: hello(to.contact),
    paragraphs: [`the application of ${to.company} has ended because ${to.why}.`],
  }),

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

  memberInvitation: (to: { member: string; company: string; inviteUrl: string }): MailContent => ({
    subject: `You are invited to ${to.company}`,
    greeting: hello(to.member),
    paragraphs: [
      `${to.company} wants you to work with it. Take up your access with the link below. It ` +
        'works once and for seven days.',
    ],
    action: { label: 'Take up your access', url: to.inviteUrl },
  }),

  passwordReset: (to: { member: string; resetUrl: string }): MailContent => ({
    subject: 'Choose a new password',
    greeting: hello(to.member),
    paragraphs: [
      'somebody asked for a new password for this address. If it was you, choose one with the ' +
        'link below. It works once and for an hour.',
      'If it was not you, do nothing: your password stays as it is.',
    ],
    action: { label: 'Choose a password', url: to.resetUrl },
  }),

  accessChanged: (to: { member: string; what: string }): MailContent => ({
    subject: 'The way you sign in has changed',
    greeting: hello(to.member),
    paragraphs: [
      to.what,
      'If it was not you, ask an owner of your organisation to disable you at once.',
    ],
  }),

  keyEnding: (to: { member: string; key: string; days: string; until: string }): MailContent => ({
    subject: `An API key ends ${to.days}`,
    greeting: hello(to.member),
    paragraphs: [
      `the API key ${to.key} works until ${to.until}. Roll it before that: POST ` +
        '/v1/api-keys/{id}/roll gives you a new one, and time in which both work.',
    ],
  }),

  keyLeaked: (to: { member: string; key: string }): MailContent => ({
    subject: 'An API key was reported and is revoked',
    greeting: hello(to.member),
    paragraphs: [
      `somebody who should not have it reported the API key ${to.key} to us. It was revoked at ` +
        'once, and whatever used it is refused.',
      'Make a new key, find out how this one got about, and read in the audit trail what it was ' +
        'used for.',
    ],
  }),

  welcome: (to: Applicant & { tenantUrl: string; docsUrl: string }): MailContent => ({
    subject: `Welcome, ${to.company}`,
    greeting: hello(to.contact),
    paragraphs: [
      `your environment ${to.tenantUrl} is ready.`,
      'Create your first customer, subscribe it to a package, and watch the commission appear.',
    ],
    action: { label: 'Read how', url: to.docsUrl },
  }),

  payoutSent: (to: {
    contact: string
    amount: bigint
    currency: string
    period: string
    statement: string
    /** The newest seal of the ledger when the statement was issued. */
    seal: string | null
  }): MailContent => ({
    subject: `Your payout for ${to.period}`,
    greeting: hello(to.contact),
    paragraphs: [
      `we have sent ${formatMoney(to.amount, to.currency)} to your account. Statement ` +
        `${to.statement} shows every line of it.`,
      ...(to.seal ? [`The seal of our ledger was ${to.seal} when it was issued.`] : []),
    ],
  }),

  releaseReminder: (to: { member: string; period: string; missing: string }): MailContent => ({
    subject: `The settlement of ${to.period} waits for you`,
    greeting: hello(to.member),
    paragraphs: [`the settlement of ${to.period} still needs ${to.missing}.`],
  }),

  tierRaised: (to: { contact: string; tier: string; reason: string }): MailContent => ({
    subject: `You are ${to.tier} now`,
    greeting: hello(to.contact),
    paragraphs: [`your tier has risen to ${to.tier}: ${to.reason}.`],
  }),
}

export function renderText(content: MailContent): string {
  const action = content.action ? [`${content.action.label}: ${content.action.url}`] : []
  return `${[content.greeting, ...content.paragraphs, ...action].join('\n\n')}\n`
}

const escapes: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => escapes[character] ?? character)
}

const buttonStyle =
  'display:inline-block;padding:12px 20px;border-radius:6px;' +
  'background:#0f4c5c;color:#ffffff;text-decoration:none'

function button({ label, url }: { label: string; url: string }): string {
  return `<p><a href="${escapeHtml(url)}" style="${buttonStyle}">${escapeHtml(label)}</a></p>`
}

export function renderHtml(content: MailContent): string {
  const paragraphs = [content.greeting, ...content.paragraphs]
    .map((text) => `<p>${escapeHtml(text)}</p>`)
    .join('\n')
  const action = content.action ? button(content.action) : ''
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${escapeHtml(content.subject)}</title></head>
<body style="margin:0;background:#f4f6f8;font:16px/1.5 system-ui,sans-serif;color:#1d2b36">
<div style="max-width:560px;margin:24px auto;padding:24px;background:#ffffff;border-radius:8px">
${paragraphs}
${action}
</div>
</body>
</html>
`
}
