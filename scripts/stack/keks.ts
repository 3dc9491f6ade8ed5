/** The keys that encrypt keys, as a command finds them. */
import { existsSync } from 'node:fs'
import { readKeyEncryption } from '../../config.ts'
import type { LauncherEnvironment } from '../launch/environment.ts'
import { devDirectory } from './keep.ts'
import { keksFileOf } from './secrets.ts'
import { type Keks, keksIn } from './vault.ts'

/** Those of the environment, else those of `npm run dev`; undefined where there are none. */
export function keksOf(env: LauncherEnvironment): Keks | undefined {
  const { KEKS, KEKS_FILE } = env.all
  if (KEKS || KEKS_FILE) return readKeyEncryption(env.all)
  const dev = devDirectory(env)
  return !env.databaseUrl && existsSync(keksFileOf(dev)) ? keksIn(dev) : undefined
}
