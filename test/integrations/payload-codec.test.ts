/** Payloads of the engine: sealed for one process, refused when they are plain. */
import { randomBytes } from 'node:crypto'
import type { Payload, SerializationContext } from '@temporalio/common'
import { environmentKeyEncryption } from '../../integrations/key-encryption.ts'
import { createKeyRing } from '../../integrations/key-ring.ts'
import { createPayloadCodec } from '../../integrations/payload-codec.ts'
import { plainHistory } from '../../integrations/plain-history.ts'
import { UnreadableError } from '../../integrations/sealed-bytes.ts'
import { makeKek, memoryStore } from './key-store.ts'

const kek = makeKek('first')

function makeCodec({ store = memoryStore(), namespace = 'one', acceptPlaintext = false } = {}) {
  const ring = createKeyRing({ keyEncryption: environmentKeyEncryption([kek]), store })
  return { codec: createPayloadCodec({ ring, namespace, acceptPlaintext }), store }
}

const inProcess = (workflowId: string, namespace = 'one'): SerializationContext => ({
  type: 'workflow',
  namespace,
  workflowId,
})

const payloadOf = (value: unknown, encoding = 'json/plain'): Payload => ({
  metadata: { encoding: Buffer.from(encoding), type: randomBytes(3) },
  data: Buffer.from(JSON.stringify(value)),
})

/** As plain values: bytes of one kind are not those of another. */
const shown = (payloads: Payload[]) =>
  payloads.map(({ metadata, data }) => ({
    metadata: Object.entries(metadata ?? {}).map(([name, value]) => [
      name,
      Buffer.from(value).toString('hex'),
    ]),
    data: Buffer.from(data ?? []).toString('hex'),
  }))

describe('a payload', () => {
  it('comes back as it was, and shows nothing on the way', async () => {
    const { codec } = makeCodec()
    const payloads = [payloadOf({ name: 'Ada Lovelace' }), payloadOf(''), payloadOf(null, 'x/y')]
    const sealed = await codec.encode(payloads, inProcess('a'))
    expect(sealed).toHaveLength(3)
    expect(Buffer.from(sealed[0]?.data ?? []).includes('Ada')).toBe(false)
    expect(Object.keys(sealed[0]?.metadata ?? {})).toEqual(['encoding'])
    expect(shown(await codec.decode(sealed, inProcess('a')))).toEqual(shown(payloads))
  })

  it('without data or metadata comes back too', async () => {
    const { codec } = makeCodec()
    const sealed = await codec.encode([{}], inProcess('a'))
    expect(shown(await codec.decode(sealed, inProcess('a')))).toEqual(shown([{}]))
    expect(await codec.encode([], inProcess('a'))).toEqual([])
    expect(await codec.decode([], inProcess('a'))).toEqual([])
  })

  it('of one process opens in no other, nor in another namespace: 1,000 of 1,000 fail', async () => {
    const { codec, store } = makeCodec()
    const other = makeCodec({ store, namespace: 'two' }).codec
    let refused = 0
    for (let i = 0; i < 500; i++) {
      const sealed = await codec.encode([payloadOf(i)], inProcess(`onboarding:${i}`))
      const tries = [
        codec.decode(sealed, inProcess(`onboarding:${i + 1}`)),
        other.decode(sealed, inProcess(`onboarding:${i}`, 'two')),
      ]
      for (const attempt of tries) {
        await attempt.catch((error) => {
          if (error instanceof UnreadableError) refused += 1
        })
      }
    }
    expect(refused).toBe(1_000)
  })

  it('of a process opens in its steps, and those of a step in the process', async () => {
    const { codec } = makeCodec()
    const step: SerializationContext = {
      type: 'activity',
      namespace: 'one',
      workflowId: 'a',
      activityId: '7',
      isLocal: false,
    }
    const sealed = await codec.encode([payloadOf(1)], step)
    await codec.decode(sealed, inProcess('a'))
    await expect(codec.decode(sealed, { ...step, workflowId: 'b' })).rejects.toThrow()
    await expect(codec.decode(sealed)).rejects.toThrow(UnreadableError)
  })

  it('of a run that a schedule started opens in the next run', async () => {
    const { codec } = makeCodec()
    const sealed = await codec.encode([payloadOf(1)], inProcess('sweeper-2026-11-21T10:51:50Z'))
    await codec.decode(sealed, inProcess('sweeper-2026-11-21T10:52:50Z'))
    await codec.decode(sealed, inProcess('sweeper'))
    const elsewhere = inProcess('settlement-dispatch-2026-11-21T10:51:50Z')
    await expect(codec.decode(sealed, elsewhere)).rejects.toThrow(UnreadableError)
  })

  it('is refused when it is plain, whatever it calls itself', async () => {
    const { codec } = makeCodec()
    const plain = [
      payloadOf({ name: 'Ada' }),
      payloadOf('Ada', 'binary/plain'),
      payloadOf('Ada', 'binary/null'),
      {},
      { data: Buffer.from('Ada') },
    ]
    for (const payload of plain) {
      const error = await codec.decode([payload], inProcess('a')).catch((thrown) => thrown)
      expect(error).toBeInstanceOf(UnreadableError)
      expect(String(error.stack)).not.toContain('Ada')
    }
    const forged = payloadOf('Ada', 'binary/encrypted')
    await expect(codec.decode([forged], inProcess('a'))).rejects.toThrow(UnreadableError)
    const nothing: Payload = { metadata: { encoding: Buffer.from('binary/null') } }
    expect(await codec.decode([nothing], inProcess('a'))).toEqual([nothing])
  })

  it('is read where the server itself wrote it: that a step waited when it was cancelled', async () => {
    const { codec } = makeCodec()
    const word = payloadOf('ACTIVITY_ID_NOT_STARTED')
    expect(await codec.decode([word], inProcess('a'))).toEqual([word])
    const more = payloadOf('ACTIVITY_ID_NOT_STARTED, Ada')
    await expect(codec.decode([more], inProcess('a'))).rejects.toThrow(UnreadableError)
    const named = payloadOf('ACTIVITY_ID_NOT_STARTED', 'json/protobuf')
    await expect(codec.decode([named], inProcess('a'))).rejects.toThrow(UnreadableError)
  })

  it('may be plain for a while, where that is wanted; sealed ones are still checked', async () => {
    const { codec } = makeCodec({ acceptPlaintext: true })
    const plain = payloadOf({ name: 'Ada' })
    expect(await codec.decode([plain], inProcess('a'))).toEqual([plain])
    const sealed = await codec.encode([plain], inProcess('a'))
    expect(Buffer.from(sealed[0]?.data ?? []).includes('Ada')).toBe(false)
    await expect(codec.decode(sealed, inProcess('b'))).rejects.toThrow(UnreadableError)
  })

  it('is not opened by a key for fields', async () => {
    const { codec, store } = makeCodec()
    const sealed = await codec.encode([payloadOf(1)], inProcess('a'))
    for (const row of store.rows) row.purpose = 'fields'
    await expect(makeCodec({ store }).codec.decode(sealed, inProcess('a'))).rejects.toThrow()
  })

  it('costs a key look-up once, however many there are', async () => {
    const { codec, store } = makeCodec()
    for (let i = 0; i < 1_000; i++) {
      const sealed = await codec.encode([payloadOf(i), payloadOf(i)], inProcess('a'))
      await codec.decode(sealed, inProcess('a'))
    }
    expect(store.calls).toEqual({ find: 0, reserve: 2, record: 1 })
  })
})

describe('a stored history', () => {
  const base64 = (value: Uint8Array | string) => Buffer.from(value).toString('base64')
  const asJson = ({ metadata, data }: Payload) => ({
    metadata: Object.fromEntries(
      Object.entries(metadata ?? {}).map(([name, value]) => [name, base64(value)]),
    ),
    data: base64(data ?? new Uint8Array()),
  })

  it('is opened payload by payload, those of a child for the child', async () => {
    const { codec } = makeCodec()
    const [own] = await codec.encode([payloadOf('own')], inProcess('a'))
    const [childs] = await codec.encode([payloadOf('child')], inProcess('b'))
    const attribute = asJson(payloadOf('search'))
    const history = {
      events: [
        { started: { input: { payloads: [asJson(own as Payload)] }, attribute } },
        { initiated: { workflowId: 'b', input: { payloads: [asJson(childs as Payload)] } } },
        { done: { workflowExecution: { workflowId: 'b' }, result: asJson(childs as Payload) } },
      ],
    }
    const options = { codec, namespace: 'one', workflowId: 'a' }
    const plain = JSON.stringify(await plainHistory(history, options))
    expect(plain.split(base64('"own"'))).toHaveLength(2)
    expect(plain.split(base64('"child"'))).toHaveLength(3)
    expect(plain).toContain(JSON.stringify(attribute))
    expect(plain).not.toContain(base64('binary/encrypted'))
    await expect(plainHistory(history, { ...options, workflowId: 'c' })).rejects.toThrow()
  })
})
