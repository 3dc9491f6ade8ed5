/** The trace of the caller that a request belongs to (W3C Trace Context). */

export interface Trace {
  traceId: string
  parentId: string
  sampled: boolean
}

const versionZero = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/
/** Later versions may add fields at the end; ff is no version. */
const laterVersion = /^(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-|$)/

/** What the header `traceparent` says, or null where it is absent or malformed. */
export function traceOf(traceparent: string): Trace | null {
  const text = traceparent.trim()
  const found = versionZero.exec(text) ?? laterVersion.exec(text)
  const [, traceId = '', parentId = '', flags = ''] = found ?? []
  if (!found || /^0+$/.test(traceId) || /^0+$/.test(parentId)) return null
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}
