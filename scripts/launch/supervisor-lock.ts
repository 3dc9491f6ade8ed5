import { rmSync } from 'node:fs'
import type { LauncherEnvironment } from './environment.ts'
import { type Lock, type LockOwner, readOwner, tryLock } from './lock.ts'
import { NotReady } from './not-ready.ts'
import { prepareDataDir } from './paths.ts'
import { isSame } from './process-identity.ts'

/** Only one supervisor runs in a checkout; a second one is told what is running. */
export function takeSupervisorLock(env: LauncherEnvironment, what: string): Lock {
  const paths = prepareDataDir(env)
  const left = readOwner(paths.devLock)
  // A directory that was copied brings the lock of the original along.
  if (left && left.place !== paths.root) rmSync(paths.devLock, { force: true })
  const attempt = tryLock(paths.devLock, what, paths.root)
  if ('lock' in attempt) return attempt.lock
  const { owner } = attempt
  throw new NotReady(
    `"${owner.what}" already runs in this checkout: process ${owner.pid}, since ${owner.since}. ` +
      '`npm run status` shows its addresses; end it with Ctrl-C in its terminal ' +
      `or with: kill ${owner.pid}`,
  )
}

/** The supervisor that runs in this checkout now, if any. */
export function runningSupervisor(env: LauncherEnvironment): LockOwner | undefined {
  const { devLock, root } = prepareDataDir(env)
  const owner = readOwner(devLock)
  return owner?.place === root && isSame(owner) ? owner : undefined
}
