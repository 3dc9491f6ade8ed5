/** What every benchmark shares: figures of several rounds, and what they were measured on. */
import { availableParallelism, cpus, totalmem } from 'node:os'

export interface Spread {
  minimum: number
  median: number
  maximum: number
}

/** The middle of the figures; of an even number, the mean of the two in the middle. */
export function median(figures: number[]): number {
  const sorted = [...figures].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low = 0, high = low] = [sorted[middle - (sorted.length % 2 === 0 ? 1 : 0)], sorted[middle]]
  return (low + high) / 2
}

/** The least figure that this share of all figures does not exceed. */
export function percentile(figures: number[], share: number): number {
  const sorted = [...figures].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
}

export const rounded = (figure: number) => Math.round(figure * 1_000) / 1_000

export function spread(figures: number[]): Spread {
  return {
    minimum: rounded(Math.min(...figures)),
    median: rounded(median(figures)),
    maximum: rounded(Math.max(...figures)),
  }
}

/** The same items in an order that begins elsewhere in every round. */
export function rotated<T>(items: T[], round: number): T[] {
  const start = round % items.length
  return [...items.slice(start), ...items.slice(0, start)]
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1_000
}

/** The machine and the versions that the figures belong to. */
export function machine(postgres: string) {
  return {
    cores: availableParallelism(),
    cpu: cpus()[0]?.model ?? 'unknown',
    memory_mb: Math.round(totalmem() / 2 ** 20),
    node: process.version,
    postgres,
  }
}
