import type { AddressInfo } from 'node:net'
import PostalMime, { type Email } from 'postal-mime'
import { SMTPServer } from 'smtp-server'
import type { Deps } from './deps.ts'
import { newId } from './ids.ts'
import type { Mail } from './records.ts'

const sizeLimitBytes = 15_000_000

export interface Mailbox {
  port: number
  close(): Promise<void>
}

/** Takes every mail that is sent to it and hands none on. */
export async function openMailbox(deps: Deps, host: string, port: number): Promise<Mailbox> {
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    size: sizeLimitBytes,
    // Callers keep idle connections, which is nothing to wait for.
    closeTimeout: 500,
    logger: false,
    onData(stream, session, done) {
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => {
        if (stream.sizeExceeded) {
          done(Object.assign(new Error('the mail is too large'), { responseCode: 552 }))
          return
        }
        const to = session.envelope.rcptTo.map(({ address }) => address).join(', ')
        keep(deps, Buffer.concat(chunks), to).then(
          () => done(null),
          (error: Error) => done(error),
        )
      })
    },
  })
  server.on('error', (error) => deps.note(`mailbox: ${error.message}`))
  await new Promise<void>((resolve, reject) => {
    server.server.once('error', reject)
    server.listen(port, host, () => resolve())
  })
  return {
    port: (server.server.address() as AddressInfo).port,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

async function keep(deps: Deps, raw: Buffer, to: string): Promise<void> {
  const email = await PostalMime.parse(raw)
  deps.store.write('mail', (tx) => {
    const message_id = email.messageId ?? null
    const seen = message_id && tx.all('mails').find((mail) => mail.message_id === message_id)
    return tx.put('mails', seen ? { ...seen, copies: seen.copies + 1 } : mailOf(email, to))
  })
}

function mailOf(email: Email, to: string): Mail {
  const kind = email.headers.find(({ key }) => key === 'x-notice-kind')?.value
  return {
    id: newId('mail', 12),
    to,
    from: email.from?.address ?? '',
    kind: kind?.trim() || null,
    subject: email.subject ?? '',
    text: email.text ?? '',
    html: email.html ?? null,
    at: new Date().toISOString(),
    message_id: email.messageId ?? null,
    copies: 1,
  }
}
