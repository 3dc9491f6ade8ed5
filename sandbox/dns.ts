import { createSocket } from 'node:dgram'
import type { DnsRecord } from './records.ts'
import type { Store } from './store.ts'

/** A name server of RFC 1035 over UDP, for the records that a control has set. */
export interface DnsServer {
  close(): Promise<void>
}

const types = { A: 1, CNAME: 5, TXT: 16 } as const
const servfail = 2
const nxdomain = 3
const ttlSeconds = 5

export interface Question {
  id: number
  flags: number
  name: string
  type: number
  /** The question as it came, to be sent back. */
  bytes: Buffer
}

/** @returns undefined for what is no question with one name. */
export function readQuestion(packet: Buffer): Question | undefined {
  if (packet.length < 17 || packet.readUInt16BE(4) !== 1) return undefined
  const labels: string[] = []
  let at = 12
  for (;;) {
    const length = packet[at]
    if (length === undefined || length > 63) return undefined
    at += 1
    if (length === 0) break
    labels.push(packet.toString('latin1', at, at + length))
    at += length
  }
  if (at + 4 > packet.length) return undefined
  return {
    id: packet.readUInt16BE(0),
    flags: packet.readUInt16BE(2),
    name: labels.join('.').toLowerCase(),
    type: packet.readUInt16BE(at),
    bytes: packet.subarray(12, at + 4),
  }
}

/** The answer to a question, from these records. */
export function answerTo(question: Question, records: DnsRecord[]): Buffer {
  const ofName = records.filter(({ name }) => name === question.name)
  if (ofName.some(({ type }) => type === 'SERVFAIL')) return reply(question, servfail, [])
  const found = ofName.filter(
    ({ type }) => type === 'CNAME' || types[type as 'A' | 'TXT'] === question.type,
  )
  const answers = found.flatMap((record) => record.values.map((value) => resource(record, value)))
  return reply(question, ofName.length === 0 ? nxdomain : 0, answers)
}

function reply({ id, flags, bytes }: Question, code: number, answers: Buffer[]): Buffer {
  const header = Buffer.alloc(12)
  header.writeUInt16BE(id, 0)
  // An answer with authority, to a question that may have wanted recursion.
  header.writeUInt16BE(0x8480 | (flags & 0x0100) | code, 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(answers.length, 6)
  return Buffer.concat([header, bytes, ...answers])
}

function resource({ type }: DnsRecord, value: string): Buffer {
  const data = dataOf(type, value)
  const head = Buffer.alloc(12)
  // The name of the question, by its place in the packet.
  head.writeUInt16BE(0xc00c, 0)
  head.writeUInt16BE(types[type as keyof typeof types], 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(ttlSeconds, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

function dataOf(type: DnsRecord['type'], value: string): Buffer {
  if (type === 'A') return Buffer.from(value.split('.').map(Number))
  if (type === 'CNAME') {
    const labels = value.split('.').map((label) => withLength(Buffer.from(label)))
    return Buffer.concat([...labels, Buffer.from([0])])
  }
  const text = Buffer.from(value)
  const parts: Buffer[] = []
  for (let at = 0; at < text.length || at === 0; at += 255) {
    parts.push(withLength(text.subarray(at, at + 255)))
  }
  return Buffer.concat(parts)
}

const withLength = (bytes: Buffer) => Buffer.concat([Buffer.from([bytes.length]), bytes])

/** Listens on UDP, where HTTP of the same number does not. */
export function startDns(
  store: Store,
  { host, port, note }: { host: string; port: number; note: (message: string) => void },
): Promise<DnsServer> {
  const socket = createSocket('udp4')
  socket.on('message', (packet, from) => {
    const question = readQuestion(packet)
    if (!question) return
    const answer = answerTo(question, store.all('dns_records'))
    socket.send(answer, from.port, from.address)
  })
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.bind(port, host, () => {
      socket.off('error', reject)
      socket.on('error', (error) => note(`DNS: ${error.message}`))
      resolve({ close: () => new Promise((done) => socket.close(() => done())) })
    })
  })
}
