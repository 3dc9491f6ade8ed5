export const faultKinds = [
  'timeout_after_commit',
  'error_500',
  'error_429',
  'slow_request',
  'drop_webhook',
  'duplicate_webhook',
  'reorder_webhooks',
  'delay_webhook',
] as const

export type FaultKind = (typeof faultKinds)[number]
export const vendors = ['stripe', 'docusign', 'watchman'] as const
export type Vendor = (typeof vendors)[number]

export interface Fault {
  id: string
  vendor: Vendor
  kind: FaultKind
  rate: number
  /** How often it may still fire; null is without an end. */
  count: number | null
  /** The start of a request's path, or of an event's type where the fault is about webhooks. */
  path: string | null
  ms: number | null
  /** Only for error_500: Stripe keeps the 500 under the idempotency key and repeats it. */
  stored: boolean
  fired: number
}
