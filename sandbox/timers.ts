import { change, type Deps } from './deps.ts'
import type { Timer } from './records.ts'
import { failRefund } from './stripe/refunds.ts'

/** Does what is due, also after a restart. */
export function startTimers(deps: Deps): { close(): void } {
  const planned = new Map<string, NodeJS.Timeout>()
  const plan = (timer: Timer): void => {
    if (planned.has(timer.id)) return
    const wait = Math.max(0, timer.due - Date.now())
    planned.set(
      timer.id,
      setTimeout(() => ring(deps, timer), wait),
    )
  }
  deps.store.onCommit((changed) => {
    for (const { name, id } of changed) {
      const timer = name === 'timers' ? deps.store.get('timers', id) : undefined
      if (timer) plan(timer)
    }
  })
  for (const timer of deps.store.all('timers')) plan(timer)
  return {
    close() {
      for (const timeout of planned.values()) clearTimeout(timeout)
    },
  }
}

function ring(deps: Deps, timer: Timer): void {
  change(deps, timer.act, (work) => {
    work.tx.drop('timers', timer.id)
    const refund = work.tx.get('refunds', timer.object)
    // Somebody may have made it fail by hand in the meantime.
    if (refund?.status === 'succeeded') failRefund(work, refund)
  })
}
