const windowMs = 15 * 60 * 1000
const callsPerHour = 3000
const callsPerBurst = 500
const burstMs = 30_000

/**
 * How often the service was asked, in memory only. The real one refuses an application that reads
 * the same envelope more than once in fifteen minutes, so tests can look for it here.
 */
export interface Polling {
  readEnvelope(id: string): void
  readsOf(id: string): number
  countCall(): Record<string, string>
}

export function createPolling(): Polling {
  const reads = new Map<string, number[]>()
  let calls: number[] = []
  const recent = (id: string): number[] =>
    (reads.get(id) ?? []).filter((at) => at > Date.now() - windowMs)
  return {
    readEnvelope: (id) => void reads.set(id, [...recent(id), Date.now()]),
    readsOf: (id) => recent(id).length,
    countCall() {
      const now = Date.now()
      const hour = now - (now % 3_600_000)
      calls = [...calls.filter((at) => at >= hour), now]
      const burst = calls.filter((at) => at > now - burstMs).length
      return {
        'X-RateLimit-Limit': String(callsPerHour),
        'X-RateLimit-Remaining': String(Math.max(0, callsPerHour - calls.length)),
        'X-RateLimit-Reset': String((hour + 3_600_000) / 1000),
        'X-BurstLimit-Limit': String(callsPerBurst),
        'X-BurstLimit-Remaining': String(Math.max(0, callsPerBurst - burst)),
      }
    },
  }
}
