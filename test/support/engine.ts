/** Everything that the engine keeps of its processes, as one text, payloads read. */
import type { Client } from '@temporalio/client'
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js'

/** Bytes lie in JSON as base64, or as `{type: 'Buffer', data: [...]}`. */
function readable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString()
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return value.map(readable)
  if (typeof value !== 'object' || value === null) return value
  const { type, data } = value as { type?: unknown; data?: unknown }
  if (type === 'Buffer' && Array.isArray(data)) return Buffer.from(data).toString()
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, readable(entry)]))
}

/** The text and, after it, each of its strings that is base64, read; twice, for nested ones. */
export function opened(json: string, depth = 2): string {
  const found = [...json.matchAll(/"([A-Za-z0-9+/]{8,}={0,2})"/g)]
  const inner = found.map(([, bytes = '']) => Buffer.from(bytes, 'base64').toString())
  const rest = depth > 1 ? inner.map((text) => opened(text, depth - 1)) : inner
  return [json, ...rest].join('\n')
}

export interface KeptProcess {
  workflowId: string
  type: string
  text: string
}

async function currentDetails(client: Client, workflowId: string, runId: string) {
  try {
    return await client.workflow.getHandle(workflowId, runId).query('__temporal_workflow_metadata')
  } catch {
    // One that was terminated, or has no worker, says nothing more.
    return null
  }
}

/** All runs, with history, memo, search attributes, summaries, details and what is pending. */
export async function keptProcesses(client: Client): Promise<KeptProcess[]> {
  const kept: KeptProcess[] = []
  for await (const { workflowId, runId, type } of client.workflow.list()) {
    const handle = client.workflow.getHandle(workflowId, runId)
    const [history, described, details] = await Promise.all([
      handle.fetchHistory(),
      handle.describe(),
      currentDetails(client, workflowId, runId),
    ])
    const { raw, memo, searchAttributes } = described
    const told = [raw, memo, searchAttributes, details].map((part) =>
      JSON.stringify(readable(part)),
    )
    const text = [workflowId, historyToJSON(history), ...told].map((part) => opened(part ?? ''))
    kept.push({ workflowId, type, text: text.join('\n').toLowerCase() })
  }
  return kept
}
