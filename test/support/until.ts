/** Looks every 25 ms. @throws Error when it has not happened in so many seconds. */
export async function until(what: () => boolean | Promise<boolean>, seconds = 90): Promise<void> {
  const end = Date.now() + seconds * 1_000
  while (Date.now() < end) {
    if (await what()) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`it did not happen in ${seconds} s`)
}
