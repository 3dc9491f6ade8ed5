/** Mails about a tenant's own domain. */
import { hello, type MailContent } from './layout.ts'

interface About {
  contact: string
  domain: string
}

export const domainMails = {
  domainReminder: (to: About & { challenge: string; token: string }): MailContent => ({
    subject: `Your domain ${to.domain} waits for its proof`,
    greeting: hello(to.contact),
    paragraphs: [
      `Write this TXT record into the DNS of ${to.domain}, so that we know that it is yours:`,
      `${to.challenge} with the value ${to.token}`,
    ],
  }),

  domainExpired: (to: About): MailContent => ({
    subject: `Your domain ${to.domain} was not proven in time`,
    greeting: hello(to.contact),
    paragraphs: [
      'We did not find the record by which you prove that it is yours, or somebody else proved ' +
        'it first. You can ask for it again at any time.',
    ],
  }),

  domainActive: (to: About): MailContent => ({
    subject: `Your domain ${to.domain} is ready`,
    greeting: hello(to.contact),
    paragraphs: ['It has its certificate, and your customers can use it from now on.'],
  }),

  domainVanished: (to: About): MailContent => ({
    subject: `Your domain ${to.domain} is no longer connected`,
    greeting: hello(to.contact),
    paragraphs: [
      'Its records in the DNS have been missing for a week, so we let it go. Your subdomain with ' +
        'us goes on as before.',
    ],
  }),

  domainCertificateEnding: (to: About & { until: string }): MailContent => ({
    subject: `The certificate of ${to.domain} ends soon`,
    greeting: hello(to.contact),
    paragraphs: [
      `It is good until ${to.until} and has not been renewed. Look whether the domain still ` +
        'leads to us and whether its DNS allows our authority (CAA records).',
    ],
  }),
}
