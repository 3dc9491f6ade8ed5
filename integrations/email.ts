/** Mail over SMTP. The caller claims a mail before it is sent, so that a step can be repeated. */
import { createTransport } from 'nodemailer'
import type { Brand, MailContent } from './email-templates/index.ts'
import { plainBrand, renderHtml, renderText } from './email-templates/layout.ts'
import { VendorError } from './vendor-error.ts'

export interface Mail {
  /** The notice's id: the same mail keeps its Message-ID, so that receivers see it once. */
  id: string
  kind: string
  to: string
  content: MailContent
  /** Under whose name and looks it goes out; the product's own where it is left out. */
  brand?: Brand
}

export type Mailer = ReturnType<typeof createMailer>

export function createMailer(settings: { smtpUrl: string; from: string }) {
  // A connection serves many mails. One that ended before a word of a mail was said is replaced
  // by another; of one that broke off later nobody knows, and the caller is told so.
  const transport = createTransport(
    { url: settings.smtpUrl, pool: true },
    { from: settings.from, disableFileAccess: true, disableUrlAccess: true },
  )
  const address = settings.from.replace(/^.*</, '').replace(/>$/, '')
  const domain = address.replace(/^.*@/, '')
  return {
    /** @throws VendorError; `rejected` only where the server refused the recipient for good. */
    async send(mail: Mail): Promise<void> {
      try {
        const { brand } = mail
        await transport.sendMail({
          ...(brand ? { from: { name: brand.name, address } } : {}),
          to: mail.to,
          subject: mail.content.subject,
          text: renderText(mail.content, brand ?? plainBrand),
          html: renderHtml(mail.content, brand ?? plainBrand),
          messageId: `<${mail.id}@${domain}>`,
          headers: { 'X-Notice-Kind': mail.kind },
        })
      } catch (error) {
        throw asVendorError(error)
      }
    },
    /** Ends the connections once the mails that are on their way are through. */
    close: () => transport.close(),
  }
}

/** Where a server refuses for good earlier, it is our login or sender: the mail is still good. */
const aboutTheMail = new Set(['RCPT TO', 'DATA'])

interface SmtpProblem {
  responseCode?: number
  code?: string
  command?: string
}

function asVendorError(error: unknown): VendorError {
  const { responseCode, code, command } = error as SmtpProblem
  const refused = (responseCode ?? 0) >= 500 && aboutTheMail.has(command ?? '')
  return new VendorError({
    vendor: 'mail',
    failure: refused ? 'rejected' : 'unknown',
    code: code ?? `smtp_${responseCode ?? 'none'}`,
    message: 'the mail was not accepted',
  })
}
