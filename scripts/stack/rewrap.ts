/** Wraps data keys anew, in batches that each stand for themselves: it may end anywhere. */

import { markDataKeysRewrapped } from '../../db/data-keys.ts'
import type { Db } from '../../db/database.ts'
import type { KeyEncryption } from '../../integrations/key-encryption.ts'
import { meaningOf } from '../../integrations/key-ring.ts'

const limit = 500

export interface Rewrapped {
  rewrapped: number
  seconds: number
  per_second: number
}

/** Wraps every data key with the current KEK that another one wraps; nothing waits meanwhile. */
export async function rewrapDataKeys(
  db: Db,
  keyEncryption: KeyEncryption,
  onBatch: (done: number) => void = () => {},
): Promise<Rewrapped> {
  const begin = performance.now()
  let rewrapped = 0
  for (;;) {
    const done = await markDataKeysRewrapped(db, {
      kekId: keyEncryption.currentKekId,
      limit,
      async rewrap(key) {
        const bytes = await keyEncryption.unwrap(key, meaningOf(key))
        const wrapped = await keyEncryption.wrap(bytes, meaningOf(key))
        bytes.fill(0)
        return wrapped
      },
    })
    rewrapped += done
    if (done > 0) onBatch(rewrapped)
    if (done < limit) break
  }
  const seconds = (performance.now() - begin) / 1000
  return {
    rewrapped,
    seconds: Math.round(seconds * 1000) / 1000,
    per_second: Math.round(rewrapped / Math.max(seconds, 0.001)),
  }
}
