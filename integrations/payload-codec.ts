/**
 * What the engine stores of processes, sealed: inputs, results, signals, details and messages of
 * failures. A payload opens only in the namespace and the process that it was sealed for. Names
 * of processes and steps, ids and search attributes are not payloads and stay readable.
 */
import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto'
import { join } from 'node:path'
import type { DataConverter, Payload, PayloadCodec, SerializationContext } from '@temporalio/common'
import type { DataKey, KeyRing, KeyScope } from './key-ring.ts'
import { openBytes, sealBytes, sealingKeyOf, UnreadableError } from './sealed-bytes.ts'

const scope: KeyScope = { purpose: 'histories', partnerId: null }

/** The word that other codecs use too: tools recognise it. */
export const sealedEncoding = 'binary/encrypted'

export interface PayloadCodecOptions {
  ring: KeyRing
  namespace: string
  /** For the time in which processes still run that began before anything was sealed. */
  acceptPlaintext: boolean
}

/**
 * Seals and opens payloads. A payload that is not sealed is refused, except one that holds
 * nothing; errors never repeat what was in it.
 */
export function createPayloadCodec(options: PayloadCodecOptions): PayloadCodec {
  const keys = new WeakMap<KeyObject, KeyObject>()
  // Derived once for a key: histories of another namespace have other keys.
  const namespaceKey = ({ id, key }: DataKey) => {
    const known = keys.get(key)
    if (known) return { id, key: known }
    const info = JSON.stringify(['histories', options.namespace])
    const derived = createSecretKey(Buffer.from(hkdfSync('sha256', key, '', info, 32)))
    keys.set(key, derived)
    return { id, key: derived }
  }
  const open = (payload: Payload, key: DataKey | undefined, place: Buffer): Payload => {
    if (key?.purpose !== 'histories') throw new UnreadableError('no such key seals histories')
    return unpacked(openBytes(namespaceKey(key).key, place, payload.data ?? new Uint8Array()))
  }

  return {
    async encode(payloads, context) {
      const uses = payloads.filter((payload) => !isNothing(payload)).length
      if (uses === 0) return payloads
      const [taken] = await options.ring.take([{ ...scope, uses }])
      const key = namespaceKey(taken as DataKey)
      const place = placeOf(options.namespace, context)
      return payloads.map((payload) =>
        isNothing(payload)
          ? payload
          : {
              metadata: { encoding: Buffer.from(sealedEncoding) },
              data: sealBytes(key, place, packed(payload)),
            },
      )
    },

    async decode(payloads, context) {
      const ids = payloads.map((payload) =>
        isSealed(payload) ? sealingKeyOf(payload.data ?? new Uint8Array()) : undefined,
      )
      const found = await options.ring.find(ids.filter((id) => id !== undefined))
      const place = placeOf(options.namespace, context)
      return payloads.map((payload, i) => {
        const id = ids[i]
        if (id) return open(payload, found.get(id), place)
        if (isNothing(payload) || isOfTheServer(payload)) return payload
        if (options.acceptPlaintext) return payload
        throw new UnreadableError('a payload is not sealed, and plain ones are not accepted')
      })
    },
  }
}

/** What clients and workers take: messages of failures become payloads too. */
export function sealedPayloads(codec: PayloadCodec): DataConverter {
  return { payloadCodecs: [codec], failureConverterPath }
}

/** The bundle of workflows needs it too, because failures are also converted there. */
export const failureConverterPath = join(
  import.meta.dirname,
  '..',
  'workflows',
  'failure-converter.ts',
)

const encodingOf = (payload: Payload) =>
  Buffer.from(payload.metadata?.encoding ?? new Uint8Array()).toString()

const isSealed = (payload: Payload) => encodingOf(payload) === sealedEncoding

/** The engine's own way to say that there is no value. */
const isNothing = (payload: Payload) =>
  encodingOf(payload) === 'binary/null' && (payload.data ?? []).length === 0

/**
 * The server itself writes this, plain, where a process cancels a step that waits for its next
 * try. A process that could not read it would never go on.
 */
const isOfTheServer = (payload: Payload) =>
  encodingOf(payload) === 'json/plain' &&
  Buffer.from(payload.data ?? []).toString() === '"ACTIVITY_ID_NOT_STARTED"'

/**
 * The engine adds the time to the ids of what a schedule starts, and hands the last result of one
 * run to the next: all runs of a schedule are one process.
 */
const scheduledAt = /-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

function placeOf(namespace: string, context: SerializationContext | undefined): Buffer {
  const workflowId = context?.workflowId?.replace(scheduledAt, '') ?? null
  return Buffer.from(JSON.stringify(['history', context?.namespace ?? namespace, workflowId]))
}

/** The length of the metadata in 4 bytes, the metadata as JSON, the data. */
function packed({ metadata, data }: Payload): Buffer {
  const entries = Object.entries(metadata ?? {}).map(
    ([name, value]) => [name, Buffer.from(value).toString('base64')] as const,
  )
  const head = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(head.length)
  return Buffer.concat([length, head, data ?? new Uint8Array()])
}

function unpacked(bytes: Buffer): Payload {
  const bodyStart = 4 + bytes.readUInt32BE()
  const head: Record<string, string> = JSON.parse(bytes.subarray(4, bodyStart).toString())
  const entries = Object.entries(head).map(
    ([name, value]) => [name, new Uint8Array(Buffer.from(value, 'base64'))] as const,
  )
  return {
    metadata: Object.fromEntries(entries),
    data: new Uint8Array(bytes.subarray(bodyStart)),
  }
}
