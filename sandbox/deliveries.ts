import type { Deps } from './deps.ts'
import type { Faults } from './faults.ts'
import { createPoster, type Post, type Poster } from './http.ts'
import { newId } from './ids.ts'
import type { Delivery } from './records.ts'
import { docusignSignatures, stripeSignature } from './signatures.ts'
import type { Tx } from './store.ts'
import { apiVersion } from './stripe/wire.ts'

const backoffMs = [200, 500, 1000, 2000, 5000]
const lastBackoffMs = 10_000
const giveUpAfterMs = 3 * 24 * 60 * 60 * 1000
const defaultHoldMs = { delay_webhook: 2000, reorder_webhooks: 1000 }

export type Order = Pick<Delivery, 'vendor' | 'target' | 'message' | 'type'>

/** Writes a delivery down in the transaction that made its message, with the faults it meets. */
export function enqueue(tx: Tx, faults: Faults, order: Order): void {
  const met = (kind: 'drop_webhook' | 'duplicate_webhook' | keyof typeof defaultHoldMs) =>
    faults.take(tx, { vendor: order.vendor, kind, path: order.type })
  const since = Date.now()
  const first: Delivery = {
    ...order,
    id: newId('del', 16),
    state: 'pending',
    since,
    hold_ms: 0,
    attempts: 0,
  }
  if (met('drop_webhook')) {
    tx.put('deliveries', { ...first, state: 'dropped' })
    return
  }
  const delayed = met('delay_webhook')
  const late = met('reorder_webhooks')
  if (delayed) first.hold_ms = delayed.ms ?? defaultHoldMs.delay_webhook
  if (late) first.hold_ms += faults.random() * (late.ms ?? defaultHoldMs.reorder_webhooks)
  tx.put('deliveries', first)
  if (met('duplicate_webhook')) tx.put('deliveries', { ...first, id: newId('del', 16) })
}

export interface Attempts {
  attempts: number
  last: string | null
}

export interface Queue {
  /** What happened since the start; the number of attempts is not kept over a restart. */
  attemptsOf(id: string): Attempts
  /** Tries everything that waits again now. */
  wake(): void
  close(): Promise<void>
}

/** At least once, in no order: a message is sent until a receiver takes it. */
export function startDeliveries(deps: Deps): Queue {
  const poster = createPoster()
  const timers = new Map<string, NodeJS.Timeout>()
  const tried = new Map<string, Attempts>()
  const running = new Set<Promise<void>>()
  let closed = false

  const plan = (id: string, delayMs: number): void => {
    if (closed) return
    clearTimeout(timers.get(id))
    timers.set(
      id,
      setTimeout(() => {
        timers.delete(id)
        const work = attempt(id).finally(() => running.delete(work))
        running.add(work)
      }, delayMs),
    )
  }

  const attempt = async (id: string): Promise<void> => {
    const delivery = deps.store.get('deliveries', id)
    if (delivery?.state !== 'pending') return
    const before = tried.get(id)?.attempts ?? 0
    const outcome = await trySend(deps, poster, { delivery, attempts: before })
    if (closed) return
    tried.set(id, { attempts: before + 1, last: outcome })
    if (outcome === 'delivered') settle(delivery, 'delivered', before + 1)
    else if (Date.now() - delivery.since > giveUpAfterMs) settle(delivery, 'given_up', before + 1)
    else plan(id, backoffMs[before] ?? lastBackoffMs)
  }

  const settle = (delivery: Delivery, state: Delivery['state'], attempts: number): void => {
    deps.store.write(`webhook ${state}`, (tx) =>
      tx.put('deliveries', { ...delivery, state, attempts }),
    )
  }

  deps.store.onCommit((changed) => {
    for (const { name, id } of changed) {
      if (name !== 'deliveries' || tried.has(id)) continue
      const delivery = deps.store.get('deliveries', id)
      if (delivery?.state === 'pending') plan(id, delivery.hold_ms)
    }
  })
  const wake = (): void => {
    for (const { id, state } of deps.store.all('deliveries')) if (state === 'pending') plan(id, 0)
  }
  wake()

  return {
    attemptsOf: (id) => tried.get(id) ?? { attempts: 0, last: null },
    wake,
    async close() {
      closed = true
      for (const timer of timers.values()) clearTimeout(timer)
      poster.close()
      await Promise.allSettled(running)
    },
  }
}

interface Try {
  delivery: Delivery
  /** How often it was tried before. */
  attempts: number
}

async function trySend(deps: Deps, poster: Poster, { delivery, attempts }: Try): Promise<string> {
  try {
    const post = compose(deps, delivery, attempts)
    if (post === null) return 'no such endpoint is configured'
    const status = await poster.send(post)
    return status >= 200 && status < 300 ? 'delivered' : `status ${status}`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Null when the endpoint of the message is not configured any more. */
function compose(deps: Deps, delivery: Delivery, attempts: number): Post | null {
  return delivery.vendor === 'stripe'
    ? composeStripe(deps, delivery)
    : composeConnect(deps, delivery, attempts)
}

function composeStripe({ store }: Deps, delivery: Delivery): Post | null {
  const endpoints = store.get('settings', 'stripe_endpoints')?.endpoints ?? []
  const endpoint = endpoints.find(({ id }) => id === delivery.target)
  if (endpoint === undefined) return null
  const body = JSON.stringify(stripeMessage(store, delivery.message), null, 2)
  return {
    url: endpoint.url,
    body,
    timeoutMs: 10_000,
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      'User-Agent': `Stripe/1.0 (+https://stripe.com/docs/webhooks) sandbox/${apiVersion}`,
      'Stripe-Signature': stripeSignature(endpoint.secret, body),
    },
  }
}

/** A thin message names what happened to which object; its data are read by the receiver. */
function stripeMessage(store: Deps['store'], id: string): object {
  const snapshot = store.get('events', id)
  if (snapshot) return snapshot
  const event = store.get('thin_events', id)
  if (event === undefined) throw new Error(`there is no event ${id}`)
  const { data: _kept, ...notification } = event
  return notification
}

function composeConnect({ store, docusign }: Deps, delivery: Delivery, attempts: number): Post {
  const message = store.get('connect_messages', delivery.message)
  if (message === undefined) throw new Error(`there is no message ${delivery.message}`)
  const { id: _id, sign, ...content } = message
  const body = JSON.stringify({ ...content, retryCount: attempts })
  const keys = sign ? (docusign?.hmac_keys ?? []) : []
  return {
    url: delivery.target,
    body,
    timeoutMs: 10_000,
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      'User-Agent': 'DocuSign Connect',
      ...docusignSignatures(keys, body),
    },
  }
}
