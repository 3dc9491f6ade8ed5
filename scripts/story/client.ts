/** A visitor from outside: speaks to the API and to the sandbox over HTTP, like anyone could. */
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'

/** An answer that was not expected, with everything a person needs to see why. */
export class StoryError extends Error {
  readonly status: number
  readonly code: string | undefined

  constructor(request: string, status: number, body: unknown) {
    const code = (body as { code?: string } | null)?.code
    super(`${request} answered ${status}: ${JSON.stringify(body)}`)
    this.name = 'StoryError'
    this.status = status
    this.code = code
  }
}

export interface Call {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  key?: string
  body?: unknown
  idempotencyKey?: string
  headers?: Record<string, string>
}

export interface Story {
  /** Calls the API. @throws StoryError for anything but 2xx. */
  api<T>(path: string, call?: Call): Promise<T>
  /** Calls the control plane of the sandbox. @throws StoryError */
  sandbox<T>(path: string, body?: unknown): Promise<T>
  /** Vendors fail no more. */
  disarm(): Promise<void>
  /** The bytes of a document of the API. */
  download(path: string, key: string): Promise<Buffer>
  /** Everything in a list, page by page. */
  all<T>(path: string, key: string): Promise<T[]>
}

/** A part that does not answer for the moment is asked again, as the answer says, for so long. */
const patienceMs = 90_000

export function createStory(urls: { api: string; sandbox: string }): Story {
  async function send(url: string, call: Call): Promise<Response> {
    const until = Date.now() + patienceMs
    // One key for all tries: whichever of them had an effect is found again.
    const idempotencyKey =
      call.method === 'POST' ? (call.idempotencyKey ?? randomUUID()) : undefined
    for (;;) {
      try {
        return await sendOnce(url, { ...call, ...(idempotencyKey ? { idempotencyKey } : {}) })
      } catch (error) {
        const isAway = error instanceof StoryError && error.status === 503
        if (!isAway || Date.now() > until) throw error
        await pause(1_000)
      }
    }
  }

  async function sendOnce(url: string, { method = 'GET', key, body, ...call }: Call) {
    const response = await fetch(url, {
      method,
      headers: {
        ...(key ? { Authorization: `Bearer ${key}` } : {}),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(call.idempotencyKey ? { 'Idempotency-Key': call.idempotencyKey } : {}),
        ...call.headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(60_000),
    })
    const path = new URL(url).pathname
    if (!response.ok) {
      const text = await response.text()
      throw new StoryError(`${method} ${path}`, response.status, parsed(text))
    }
    return response
  }

  const story: Story = {
    async api<T>(path: string, call: Call = {}) {
      const response = await send(`${urls.api}${path}`, call)
      return (await response.json()) as T
    },
    async sandbox<T>(path: string, body?: unknown) {
      const call: Call = body === undefined ? {} : { method: 'POST', body }
      const response = await send(`${urls.sandbox}/_sandbox${path}`, call)
      return parsed(await response.text()) as T
    },
    async disarm() {
      await send(`${urls.sandbox}/_sandbox/faults`, { method: 'DELETE' })
    },
    async download(path, key) {
      const response = await send(`${urls.api}${path}`, { key })
      return Buffer.from(await response.arrayBuffer())
    },
    async all<T>(path: string, key: string) {
      const rows: T[] = []
      let cursor: string | null = null
      do {
        const separator = path.includes('?') ? '&' : '?'
        const next: string = cursor ? `${separator}cursor=${cursor}` : ''
        const page: { data: T[]; next_cursor: string | null } = await story.api(`${path}${next}`, {
          key,
        })
        rows.push(...page.data)
        cursor = page.next_cursor
      } while (cursor)
      return rows
    },
  }
  return story
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/**
 * Looks again until there is something to see.
 * @throws Error that names what was waited for.
 */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined>,
  timeoutMs = 90_000,
): Promise<T> {
  const until = Date.now() + timeoutMs
  for (;;) {
    const seen = await look()
    if (seen !== undefined) return seen
    if (Date.now() > until) throw new Error(`waited ${timeoutMs / 1000} s for: ${what}`)
    await pause(100)
  }
}
