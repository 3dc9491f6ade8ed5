/** Many small pieces of work, some at a time. */

/** Pieces hold a connection for moments only, so that a process need not have as many. */
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

/**
 * Takes the pieces in their order, a few at a time, until one says that it is enough; those that
 * were begun before are ended.
 * @param work does a piece; false says that no other one shall begin, and this one is not done.
 * @returns how many from the first one on are done. Of those after them some may be done, too.
 * @throws what the first one threw that failed, when those that were begun have ended.
 */
export async function inLanesUntil<T>(
  pieces: readonly T[],
  work: (piece: T) => Promise<boolean>,
): Promise<number> {
  const failures: unknown[] = []
  let next = 0
  let done = pieces.length
  const lane = async () => {
    while (next < done && failures.length === 0) {
      const at = next++
      const piece = pieces[at] as T
      const goesOn = await work(piece).catch((error: unknown) => {
        failures.push(error)
        return false
      })
      if (!goesOn) done = Math.min(done, at)
    }
  }
  await Promise.all(Array.from({ length: lanesAtOnce }, lane))
  if (failures.length > 0) throw failures[0]
  return done
}
