import { linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { NotReady } from './not-ready.ts'
import { identityOf, isSame, type ProcessIdentity } from './process-identity.ts'

export interface LockOwner extends ProcessIdentity {
  /** What the owner is doing, and where: shown to whoever waits. */
  what: string
  since: string
  /** The checkout, where a lock belongs to one. */
  place?: string
}

export interface Lock {
  release(): void
}

export type LockAttempt = { lock: Lock } | { owner: LockOwner }

let attempts = 0

/** Takes the lock file, or names the living process that holds it. */
export function tryLock(file: string, what: string, place?: string): LockAttempt {
  const me = identityOf(process.pid)
  if (!me) throw new Error('this process cannot be identified')
  mkdirSync(dirname(file), { recursive: true })
  const since = new Date().toISOString()
  const mine: LockOwner = { ...me, what, since, ...(place && { place }) }
  // The content is there before the name: a reader never sees an empty lock.
  attempts += 1
  const draft = `${file}.${process.pid}.${attempts}`
  writeFileSync(draft, JSON.stringify(mine))
  try {
    for (let turns = 0; turns < 150; turns += 1) {
      if (linkIfAbsent(draft, file) || takeOver(draft, file)) {
        return { lock: { release: () => releaseIfMine(file, mine) } }
      }
      const owner = readOwner(file)
      if (owner && isSame(owner)) return { owner }
      // Somebody else is just taking a dead owner's lock over: that takes no time at all.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)
    }
    throw new NotReady(`the lock ${file} cannot be read; delete it if nothing is running`)
  } finally {
    rmSync(draft, { force: true })
  }
}

export interface LockWait {
  what: string
  timeoutMs: number
  onWait?: (owner: LockOwner, waitedMs: number) => void
}

/** Runs the work alone; others wait for their turn and are told for whom. */
export async function withLock<T>(
  file: string,
  wait: LockWait,
  work: () => Promise<T>,
): Promise<T> {
  const started = performance.now()
  for (;;) {
    const attempt = tryLock(file, wait.what)
    if ('lock' in attempt) {
      try {
        return await work()
      } finally {
        attempt.lock.release()
      }
    }
    const waitedMs = performance.now() - started
    if (waitedMs > wait.timeoutMs) {
      throw new NotReady(`process ${attempt.owner.pid} still holds ${file}: ${attempt.owner.what}`)
    }
    wait.onWait?.(attempt.owner, waitedMs)
    await delay(200)
  }
}

export function readOwner(file: string): LockOwner | undefined {
  try {
    const found: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return isOwner(found) ? found : undefined
  } catch {
    return undefined
  }
}

function isOwner(value: unknown): value is LockOwner {
  if (typeof value !== 'object' || value === null) return false
  const owner = value as Partial<LockOwner>
  return typeof owner.pid === 'number' && typeof owner.startTime === 'string'
}

function linkIfAbsent(draft: string, file: string): boolean {
  try {
    linkSync(draft, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/**
 * A dead owner's lock is taken over under a second, short lock: without it two processes that
 * both saw the dead owner could each remove the other's fresh lock.
 */
function takeOver(draft: string, file: string): boolean {
  const turn = `${file}.turn`
  const owner = readOwner(file)
  if (owner && isSame(owner)) return false
  if (!linkIfAbsent(draft, turn)) {
    if (ageMs(turn) > 2_000) rmSync(turn, { force: true })
    return false
  }
  try {
    const current = readOwner(file)
    if (current && isSame(current)) return false
    rmSync(file, { force: true })
    return linkIfAbsent(draft, file)
  } finally {
    rmSync(turn, { force: true })
  }
}

function ageMs(file: string): number {
  try {
    return Date.now() - statSync(file).mtimeMs
  } catch {
    return 0
  }
}

function releaseIfMine(file: string, mine: LockOwner): void {
  const current = readOwner(file)
  if (current?.pid === mine.pid && current.since === mine.since) rmSync(file, { force: true })
}
