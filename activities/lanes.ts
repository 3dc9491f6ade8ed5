/** Many small pieces of work, some at a time. */

const lanesAtOnce = 8

/**
 * Does every piece, a few at a time; one that fails keeps none of the others from being done.
 * @throws what the first one threw that failed, when all were tried.
 */
export async function inLanes<T>(
  pieces: readonly T[],
  work: (piece: T) => Promise<unknown>,
): Promise<void> {
  const failures: unknown[] = []
  const waiting = [...pieces]
  const lane = async () => {
    for (let piece = waiting.shift(); piece !== undefined; piece = waiting.shift()) {
      await work(piece).catch((error: unknown) => failures.push(error))
    }
  }
  await Promise.all(Array.from({ length: lanesAtOnce }, lane))
  if (failures.length > 0) throw failures[0]
}
