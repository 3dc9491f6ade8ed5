import type { Actions } from './control/actions.ts'
import type { Deps } from './deps.ts'
import { isOpen } from './docusign/signing.ts'
import { transfersStatus } from './stripe/kyc.ts'

/** Signs envelopes and decides checks as soon as they are there, where it was told to. */
export function startAutopilot(deps: Deps, actions: Actions): { close(): void } {
  const planned = new Set<NodeJS.Immediate>()
  const soon = (act: () => void): void => {
    const turn = setImmediate(() => {
      planned.delete(turn)
      act()
    })
    planned.add(turn)
  }
  deps.store.onCommit((changed) => {
    const { sign, kyc } = deps.store.get('settings', 'autopilot') ?? {}
    for (const { name, id } of changed) {
      if (name === 'envelopes' && sign) soon(() => signWaiting(deps, actions, id))
      if (name === 'accounts' && kyc) soon(() => decideWaiting(deps, actions, { id, result: kyc }))
    }
  })
  return {
    close() {
      for (const turn of planned) clearImmediate(turn)
    },
  }
}

function signWaiting({ store }: Deps, actions: Actions, id: string): void {
  const envelope = store.get('envelopes', id)
  if (envelope && isOpen(envelope)) actions.signEnvelope(id)
}

function decideWaiting(
  { store }: Deps,
  actions: Actions,
  { id, result }: { id: string; result: 'pass' | 'fail' },
): void {
  const account = store.get('accounts', id)
  // A check that failed once is not decided again: what follows is for a person to play.
  if (!account || transfersStatus(account) !== 'restricted') return
  const errors = account.requirements?.entries?.flatMap((entry) => entry.errors) ?? []
  if (errors.length === 0) actions.decideKyc(id, { result })
}
