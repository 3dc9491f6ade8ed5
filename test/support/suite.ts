/** What the global set-up started, as test files find it. */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface SuiteFacts {
  postgresUrl: string
  temporalAddress: string
  namespaces: string[]
  /** A folder in which each taken namespace has a folder of its own. */
  claims: string
  /** The official time-skipping server, ready to be started. */
  testServer: string
  /** Where an archive of its classes lies, if there is one. */
  testServerArchive: string
  bundle: string
}

/** For processes of ours that a test starts: their code is compiled once, not each time. */
export const compiled = {
  NODE_COMPILE_CACHE: join(import.meta.dirname, '..', '..', '.data', 'compiled'),
}

export const templateDatabase = 'tributary_template'

/** Named after jest's main process, which test files know as themselves or as their parent. */
export function suiteFactsFile(pid: number): string {
  return join(tmpdir(), `tributary-suite-${pid}.json`)
}

export function suiteFacts(): SuiteFacts {
  const file = [process.pid, process.ppid].map(suiteFactsFile).find(existsSync)
  if (!file) throw new Error('the global set-up has not run')
  return JSON.parse(readFileSync(file, 'utf8'))
}

/** A namespace that no other test file has. */
export function takeNamespace(): string {
  const { namespaces, claims } = suiteFacts()
  for (const namespace of namespaces) {
    try {
      mkdirSync(join(claims, namespace))
      return namespace
    } catch {
      // Taken by another file.
    }
  }
  throw new Error('no namespace is left: raise the number in global-setup.ts')
}
