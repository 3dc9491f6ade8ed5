import { Resolver } from 'node:dns/promises'
import { readFileSync } from 'node:fs'
import { connect } from 'node:tls'
import { answerTo, readQuestion } from '../../sandbox/dns.ts'
import { type Kit, startKit } from './kit.ts'

let kit: Kit
let resolver: Resolver
beforeAll(async () => {
  kit = await startKit()
  resolver = new Resolver({ timeout: 1_000, tries: 1 })
  resolver.setServers([`127.0.0.1:${kit.sandbox.httpPort}`])
})
afterAll(() => kit.stop())

const write = (name: string, type: string, value: string | null) =>
  kit.post('/dns', { name, type, value })

describe('the name server', () => {
  it('answers what a control has written, to the resolver of Node', async () => {
    const long = 'x'.repeat(300)
    await write('Shop.test', 'TXT', 'one')
    await write('shop.test', 'TXT', long)
    await write('shop.test', 'A', '127.0.0.9')
    await write('www.shop.test', 'CNAME', 'shop.test')
    const texts = (await resolver.resolveTxt('shop.test')).map((parts) => parts.join(''))
    expect(texts.sort()).toEqual(['one', long])
    expect(await resolver.resolve4('SHOP.test')).toEqual(['127.0.0.9'])
    expect(await resolver.resolveCname('www.shop.test')).toEqual(['shop.test'])
  })

  it('tells a name that is not there from one without such records, and from trouble', async () => {
    const code = (question: Promise<unknown>) =>
      question.then(
        () => 'found',
        (error: { code?: string }) => error.code,
      )
    await write('bare.test', 'A', '127.0.0.1')
    await write('ill.test', 'SERVFAIL', '')
    expect(await code(resolver.resolveTxt('nowhere.test'))).toBe('ENOTFOUND')
    expect(await code(resolver.resolveTxt('bare.test'))).toBe('ENODATA')
    expect(await code(resolver.resolveTxt('ill.test'))).toBe('ESERVFAIL')
    await write('bare.test', 'A', null)
    expect(await code(resolver.resolve4('bare.test'))).toBe('ENOTFOUND')
  })

  it('is not upset by packets that are no question', () => {
    expect(readQuestion(Buffer.alloc(3))).toBeUndefined()
    expect(readQuestion(Buffer.alloc(40, 0xff))).toBeUndefined()
    const question = { id: 7, flags: 0x0100, name: 'x.test', type: 16, bytes: Buffer.alloc(12) }
    expect(answerTo(question, []).readUInt16BE(2) & 0x000f).toBe(3)
  })
})

describe('the edge', () => {
  const shown = (servername: string) =>
    new Promise<{ name: string; trusted: boolean }>((resolve, reject) => {
      const socket = connect({
        host: '127.0.0.1',
        port: kit.sandbox.tlsPort,
        servername,
        ca: readFileSync(kit.sandbox.certificate),
        rejectUnauthorized: false,
      })
      socket.once('error', reject)
      socket.once('secureConnect', () => {
        const name = socket.getPeerCertificate().subjectaltname ?? ''
        resolve({ name, trusted: socket.authorized })
        socket.destroy()
      })
    })

  it('shows a domain the certificate that a control got for it, and others its own', async () => {
    await kit.post('/certificates', { name: 'shop.test' })
    expect(await shown('shop.test')).toEqual({ name: 'DNS:shop.test', trusted: true })
    expect((await shown('other.test')).name).toContain('DNS:localhost')
    await kit.post('/certificates', { name: 'old.test', days: -3 })
    expect(await shown('old.test')).toEqual({ name: 'DNS:old.test', trusted: false })
  })
})
