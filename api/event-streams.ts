/**
 * Streams of server-sent events: what is watched is read once for all who watch it, told whenever
 * it has changed, and told to nobody who may no longer read it.
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { DomainError } from '../domain/errors.ts'

/** What is watched, as it is now. */
export interface Snapshot {
  data: unknown
  /** What tells one state from the next, where `data` also holds what only time changes. */
  state?: unknown
  /** Nothing follows it. */
  isLast: boolean
}

/** Why a stream ended; after `over` and `forbidden` there is nothing to come back for. */
export type StreamEnd = 'over' | 'forbidden' | 'draining' | 'expired'

export interface Watching {
  /** Those who watch the same share what is read. */
  topic: string
  read: () => Promise<Snapshot>
  /** As the caller found it. */
  first: Snapshot
  memberId: string
  lastEventId: string
  /** @throws DomainError where the caller may not read it any more. */
  stillMay: () => Promise<void>
}

export interface EventStreams {
  /**
   * @returns the stream, or null where the caller has seen the last of it already.
   * @throws DomainError `too_many_requests`, `temporarily_unavailable`
   */
  open(watching: Watching): Readable | null
  /** Ends all streams, and opens none any more. */
  close(): void
}

interface Log {
  warn(facts: object, message: string): void
}

interface Limits {
  pollMs: number
  /** How often a stream that is silent says so, and how often its caller is looked at again. */
  beatMs: number
  /** Who watches for longer opens a new one. */
  lifeMs: number
  perMember: number
  perProcess: number
  /** After which browsers come back. */
  retryMs: number
}

const usual: Limits = {
  pollMs: 1_000,
  beatMs: 10_000,
  lifeMs: 3_600_000,
  perMember: 10,
  perProcess: 200,
  retryMs: 2_000,
}

interface Listener {
  tell(snapshot: Snapshot): void
  end(reason: StreamEnd): void
}

type Topics = Map<string, Set<Listener>>

export function openStreams(log: Log, wishes: Partial<Limits> = {}): EventStreams {
  const limits = { ...usual, ...wishes }
  const topics: Topics = new Map()
  const ofMembers = new Map<string, number>()
  let draining = false

  /** Reads for as long as somebody listens. */
  async function poll({ topic, read }: Watching): Promise<void> {
    const listeners = topics.get(topic)
    while (listeners && listeners.size > 0) {
      await pause(limits.pollMs, undefined, { ref: false })
      if (listeners.size === 0) break
      try {
        const snapshot = await read()
        for (const listener of listeners) listener.tell(snapshot)
      } catch (error) {
        log.warn({ error, topic }, 'what is watched cannot be read')
      }
    }
    topics.delete(topic)
  }

  function refuseTooMany(memberId: string): void {
    const all = [...ofMembers.values()].reduce((sum, count) => sum + count, 0)
    if (draining || all >= limits.perProcess) {
      throw new DomainError('temporarily_unavailable', 'no stream can be opened here now', {
        retryAfterSeconds: 5,
      })
    }
    if ((ofMembers.get(memberId) ?? 0) >= limits.perMember) {
      throw new DomainError('too_many_requests', `${limits.perMember} streams are open already`, {
        retryAfterSeconds: 10,
        violatedPolicies: ['streams'],
      })
    }
  }

  function count(memberId: string, change: 1 | -1): void {
    const now = (ofMembers.get(memberId) ?? 0) + change
    if (now > 0) ofMembers.set(memberId, now)
    else ofMembers.delete(memberId)
  }

  return {
    open(watching) {
      const { topic, first, memberId, lastEventId } = watching
      if (first.isLast && eventId(first) === lastEventId) return null
      refuseTooMany(memberId)
      const { stream, listener } = listen(watching, limits)
      count(memberId, 1)
      const others = topics.get(topic)
      const listeners = others ?? new Set<Listener>()
      listeners.add(listener)
      stream.once('close', () => {
        count(memberId, -1)
        listeners.delete(listener)
      })
      if (!others) {
        topics.set(topic, listeners)
        poll(watching).catch((error) => log.warn({ error, topic }, 'nobody watches any more'))
      }
      listener.tell(first)
      return stream
    },
    close() {
      draining = true
      for (const listeners of topics.values()) {
        for (const listener of listeners) listener.end('draining')
      }
    },
  }
}

/** The same for the same state, in every process: who comes back names what it has seen. */
function eventId({ data, state = data }: Snapshot): string {
  return createHash('sha256').update(JSON.stringify(state)).digest('hex').slice(0, 32)
}

const eventText = (event: string, data: unknown, id?: string) =>
  `event: ${event}\n${id ? `id: ${id}\n` : ''}data: ${JSON.stringify(data)}\n\n`

/** One caller: it gets what is newest when it can take it, and nothing piles up for it. */
function listen({ lastEventId, stillMay }: Watching, { beatMs, lifeMs, retryMs }: Limits) {
  let seen = lastEventId
  let waiting: Snapshot | undefined
  let ending: StreamEnd | undefined
  let hasEnded = false
  let takes = true

  const stream = new Readable({
    read() {
      takes = true
      flush()
    },
  })

  function say(text: string): void {
    if (!stream.destroyed) takes = stream.push(text) && takes
  }

  function flush(): void {
    if (!takes || stream.destroyed || hasEnded) return
    if (waiting) {
      seen = eventId(waiting)
      say(eventText('progress', waiting.data, seen))
      waiting = undefined
    }
    if (ending) {
      hasEnded = true
      say(eventText('end', { reason: ending }))
      stream.push(null)
    }
  }

  const listener: Listener = {
    tell(snapshot) {
      if (ending) return
      if (eventId(snapshot) !== seen) waiting = snapshot
      if (snapshot.isLast) ending = 'over'
      flush()
    },
    end(reason) {
      ending ??= reason
      flush()
    },
  }

  async function beat(): Promise<void> {
    // Who has taken nothing since the last beat is gone, or reads too slowly to be told news.
    if (!takes) {
      stream.destroy()
      return
    }
    try {
      await stillMay()
      if (!ending) say(': still here\n\n')
    } catch (error) {
      listener.end(error instanceof DomainError ? 'forbidden' : 'expired')
    }
  }
  say(`retry: ${retryMs}\n\n`)
  const beating = setInterval(() => void beat(), beatMs).unref()
  const living = setTimeout(() => listener.end('expired'), lifeMs).unref()
  stream.once('close', () => {
    clearInterval(beating)
    clearTimeout(living)
  })
  return { stream, listener }
}
