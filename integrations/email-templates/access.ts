/** Mails about the ways in: members, passwords, keys. */
import { hello, type MailContent } from './layout.ts'

export const accessMails = {
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
      'Somebody asked for a new password for this address. If it was you, choose one with the ' +
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
      `The API key ${to.key} works until ${to.until}. Roll it before that: POST ` +
        '/v1/api-keys/{id}/roll gives you a new one, and time in which both work.',
    ],
  }),

  keyLeaked: (to: { member: string; key: string }): MailContent => ({
    subject: 'An API key was reported and is revoked',
    greeting: hello(to.member),
    paragraphs: [
      `Somebody who should not have it reported the API key ${to.key} to us. It was revoked at ` +
        'once, and whatever used it is refused.',
      'Make a new key, find out how this one got about, and read in the audit trail what it was ' +
        'used for.',
    ],
  }),
}
