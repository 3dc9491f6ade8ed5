import type { AddressInfo } from 'node:net'
import { createServer, type Server, type Socket } from 'node:net'
import { createMailer, type Mail } from '../../integrations/email.ts'
import { freePort } from '../../scripts/launch/ports.ts'
import { type Kit, startKit } from '../sandbox/kit.ts'
import { vendorErrorOf } from './kit.ts'

const from = 'Tributary <billing@tributary.example>'

let kit: Kit
let mailer: ReturnType<typeof createMailer>
beforeAll(async () => {
  kit = await startKit()
  mailer = createMailer({ smtpUrl: `smtp://127.0.0.1:${kit.sandbox.smtpPort}`, from })
})
afterAll(async () => {
  mailer.close()
  await kit.stop()
})

let made = 0

function mail(changes: Partial<Mail> = {}, content: Partial<Mail['content']> = {}): Mail {
  made += 1
  return {
    id: `notice-${made}`,
    kind: 'application_received',
    to: 'ada@acme.example',
    content: {
      subject: 'We have your application',
      greeting: 'Hello Ada,',
      paragraphs: ['thank you.', 'More later.'],
      action: { label: 'See it', url: 'https://api.example/v1/applications/app_1?token=a&b=c' },
      ...content,
    },
    ...changes,
  }
}

const arrived = async (messageId: string) =>
  (await kit.list('mails')).filter((one) => one.message_id === messageId)

describe('a mail', () => {
  test('arrives with its kind, in plain text and in HTML', async () => {
    const one = mail()
    await mailer.send(one)
    const [found] = await arrived(`<${one.id}@tributary.example>`)
    expect(found).toMatchObject({
      to: 'ada@acme.example',
      from: 'billing@tributary.example',
      kind: 'application_received',
      subject: 'We have your application',
      copies: 1,
    })
    expect(String(found?.text).trim().replaceAll('\r\n', '\n')).toBe(
      'Hello Ada,\n\nthank you.\n\nMore later.\n\n' +
        'See it: https://api.example/v1/applications/app_1?token=a&b=c',
    )
    expect(found?.html).toContain(
      'href="https://api.example/v1/applications/app_1?token=a&amp;b=c"',
    )
  })

  test('keeps its Message-ID when it is sent again, so that receivers show it once', async () => {
    const one = mail()
    await mailer.send(one)
    await mailer.send(one)
    const found = await arrived(`<${one.id}@tributary.example>`)
    expect(found.map(({ copies }) => copies)).toEqual([2])
  })

  test('has its Message-ID under the domain of a bare sender’s address too', async () => {
    const smtpUrl = `smtp://127.0.0.1:${kit.sandbox.smtpPort}`
    const bare = createMailer({ smtpUrl, from: 'billing@bare.example' })
    const one = mail()
    await bare.send(one)
    bare.close()
    expect(await arrived(`<${one.id}@bare.example>`)).toHaveLength(1)
  })

  test('shows a hostile name as text, and lets it write no header', async () => {
    const hostile = '<script>alert("x")</script> & \'Sons\''
    const one = mail(
      {},
      { subject: `Hello\r\nBcc: eve@evil.example\r\n\r\n${hostile}`, greeting: hostile },
    )
    await mailer.send(one)
    const [found] = await arrived(`<${one.id}@tributary.example>`)
    expect(found?.to).toBe('ada@acme.example')
    expect(found?.subject).toContain('Bcc: eve@evil.example')
    expect(found?.text).toContain(hostile)
    expect(found?.html).not.toContain('<script>')
    expect(found?.html).toContain(
      '&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;Sons&#39;',
    )
  })

  test('carries names of every alphabet', async () => {
    const name = 'Żółć Ελλάς Привет 株式会社 🚀'
    const one = mail({}, { subject: name, greeting: name })
    await mailer.send(one)
    const [found] = await arrived(`<${one.id}@tributary.example>`)
    expect(found?.subject).toBe(name)
    expect(found?.text).toContain(name)
    expect(found?.html).toContain(name)
  })
})

/** An SMTP server that refuses at one step of the conversation. */
async function refusingAt(step: string, reply: string): Promise<{ server: Server; port: number }> {
  const server = createServer((socket: Socket) => {
    let inMessage = false
    socket.write('220 ready\r\n')
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      for (const line of chunk.toString('utf8').split('\r\n').filter(Boolean)) {
        if (inMessage && line !== '.') continue
        const word = inMessage ? '.' : line.split(/[ :]/)[0]?.toUpperCase()
        inMessage = word === 'DATA' && word !== step
        if (word === step) socket.write(`${reply}\r\n`)
        else if (word === 'EHLO') socket.write('250-ready\r\n250 AUTH PLAIN\r\n')
        else socket.write(word === 'DATA' ? '354 go on\r\n' : '250 fine\r\n')
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { server, port: (server.address() as AddressInfo).port }
}

describe('a mail that is not accepted', () => {
  test.each([
    ['for good, because nobody is there', 'RCPT', '550 no such user', 'rejected'],
    ['for good, because of what it says', '.', '554 refused', 'rejected'],
    ['for now, because the mailbox is busy', 'RCPT', '450 try later', 'unknown'],
    ['for now, because the server is full', '.', '452 no space', 'unknown'],
    ['because our password is wrong', 'AUTH', '535 wrong password', 'unknown'],
    ['because our sender is not allowed', 'MAIL', '530 not yours', 'unknown'],
  ])('%s: %s answers %s, which is %s', async (_, step, reply, failure) => {
    const { server, port } = await refusingAt(step, reply)
    const smtpUrl = `smtp://user:hidden-password@127.0.0.1:${port}`
    const refused = createMailer({ smtpUrl, from })
    const error = await vendorErrorOf(refused.send(mail()))
    refused.close()
    await new Promise((resolve) => server.close(resolve))
    expect(error).toMatchObject({ vendor: 'mail', failure })
    expect(error.message).not.toContain('hidden-password')
    expect(error.message).not.toContain('ada@acme.example')
  })

  test('because nobody listens is worth another try', async () => {
    const nobody = createMailer({ smtpUrl: `smtp://127.0.0.1:${await freePort()}`, from })
    const error = await vendorErrorOf(nobody.send(mail()))
    nobody.close()
    expect(error).toMatchObject({ failure: 'unknown', code: 'ESOCKET' })
  })
})

/** An SMTP server that keeps count, and hangs up where it is told to. */
async function hangingUp(at?: 'after a mail' | 'within a mail') {
  const seen = { connections: 0, mails: 0 }
  const server = createServer((socket: Socket) => {
    seen.connections += 1
    let inMessage = false
    socket.write('220 ready\r\n')
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      for (const line of chunk.toString('utf8').split('\r\n').filter(Boolean)) {
        const ends = inMessage && line === '.'
        if (inMessage && !ends) continue
        inMessage = line === 'DATA'
        if (ends) seen.mails += 1
        if (ends && at === 'within a mail') socket.destroy()
        else socket.write(inMessage ? '354 go on\r\n' : '250 fine\r\n')
        if (ends && at === 'after a mail') socket.end()
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const mailer = createMailer({ smtpUrl: `smtp://127.0.0.1:${port}`, from })
  const close = async () => {
    mailer.close()
    await new Promise((resolve) => server.close(resolve))
  }
  return { seen, mailer, close }
}

describe('the connection to the mail server', () => {
  test('serves one mail after the other', async () => {
    const { seen, mailer: patient, close } = await hangingUp()
    for (const one of [mail(), mail(), mail()]) await patient.send(one)
    await close()
    expect(seen).toEqual({ connections: 1, mails: 3 })
  })

  test('is replaced where the server ended it between two mails', async () => {
    const { seen, mailer: patient, close } = await hangingUp('after a mail')
    for (const one of [mail(), mail(), mail()]) await patient.send(one)
    await close()
    expect(seen).toEqual({ connections: 3, mails: 3 })
  })

  test('that breaks off under a mail is told of, and the mail is not sent again', async () => {
    const { seen, mailer: broken, close } = await hangingUp('within a mail')
    const error = await vendorErrorOf(broken.send(mail()))
    await close()
    expect(error).toMatchObject({ vendor: 'mail', failure: 'unknown' })
    expect(seen).toEqual({ connections: 1, mails: 1 })
  })
})
