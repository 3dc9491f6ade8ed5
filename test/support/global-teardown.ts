/** Stops what the suite started. */
import { rmSync } from 'node:fs'
import { suiteFactsFile } from './suite.ts'

export default async function globalTeardown(): Promise<void> {
  await globalThis.stopSuite?.()
  rmSync(suiteFactsFile(process.pid), { force: true })
}
