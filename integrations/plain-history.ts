/** A history of the engine, as JSON, with its payloads opened: stored so, it can be replayed. */
import type { PayloadCodec, SerializationContext } from '@temporalio/common'
import { sealedEncoding } from './payload-codec.ts'

export interface PlainHistoryOptions {
  codec: PayloadCodec
  namespace: string
  /** The process whose history it is. */
  workflowId: string
}

type Json = Record<string, unknown>

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null

const sealedMark = Buffer.from(sealedEncoding).toString('base64')

/** Search attributes and marks of the engine have the form of payloads and are never sealed. */
const isSealed = (value: Json): boolean =>
  isObject(value.metadata) && value.metadata.encoding === sealedMark

/**
 * @param history of `historyToJSON`, parsed: bytes are base64.
 * @throws UnreadableError where a payload belongs elsewhere.
 */
export async function plainHistory(
  history: object,
  { codec, namespace, workflowId }: PlainHistoryOptions,
): Promise<Json> {
  const open = async (value: unknown, owner: string): Promise<unknown> => {
    if (Array.isArray(value)) return Promise.all(value.map((entry) => open(entry, owner)))
    if (!isObject(value)) return value
    if (isSealed(value)) {
      const context: SerializationContext = { type: 'workflow', namespace, workflowId: owner }
      return opened(codec, value, context)
    }
    // What is about a child or another process is sealed for that one.
    const inner = targetOf(value) ?? owner
    const entries = Object.entries(value).map(
      async ([name, entry]) => [name, await open(entry, inner)] as const,
    )
    return Object.fromEntries(await Promise.all(entries))
  }
  return (await open(history, workflowId)) as Json
}

function targetOf(value: Json): string | undefined {
  const { workflowId, workflowExecution } = value
  const found = isObject(workflowExecution) ? workflowExecution.workflowId : workflowId
  return typeof found === 'string' && found !== '' ? found : undefined
}

const bytes = (text: unknown) => Buffer.from(typeof text === 'string' ? text : '', 'base64')
const base64 = (some: Uint8Array) => Buffer.from(some).toString('base64')

async function opened(codec: PayloadCodec, value: Json, context: SerializationContext) {
  const metadata = Object.entries(value.metadata as Json)
  const [payload] = await codec.decode(
    [
      {
        metadata: Object.fromEntries(metadata.map(([name, text]) => [name, bytes(text)])),
        data: bytes(value.data),
      },
    ],
    context,
  )
  const plain = Object.entries(payload?.metadata ?? {})
  return {
    metadata: Object.fromEntries(plain.map(([name, some]) => [name, base64(some)])),
    data: base64(payload?.data ?? new Uint8Array()),
  }
}
