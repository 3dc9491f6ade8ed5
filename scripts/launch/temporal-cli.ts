import { execFile } from 'node:child_process'
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { reasonOf } from './not-ready.ts'

/** Updates with validators, schedules and worker versions behave as we rely on from here on. */
const oldestServer = '1.30'

/** Which way led to the server. */
export type TemporalHow = 'address' | 'running' | 'path' | 'download' | 'built'

export interface TemporalCli {
  path: string
  /** Version of the server inside. */
  version: string
}

export type CliFinding = { cli: TemporalCli } | { reason: string }

/** Whether the file is a Temporal CLI with a server that is new enough. */
export async function inspectCli(path: string): Promise<CliFinding> {
  const problem = executableProblem(path)
  if (problem) return { reason: problem }
  const { text, failure } = await versionText(path)
  const version = serverVersionIn(text)
  if (!version) {
    const said = failure ?? `it says ${JSON.stringify(text.trim().slice(0, 80))}`
    return { reason: `${path} is not a Temporal CLI with a server: ${said}` }
  }
  if (!isSupported(version)) {
    return { reason: `${path} has server ${version}; ${oldestServer} or newer is needed` }
  }
  return { cli: { path, version } }
}

export function serverVersionIn(text: string): string | undefined {
  return /\(Server (\d+\.\d+\.\d+[^,)\s]*)/.exec(text)?.[1]
}

export function isSupported(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [needMajor = 0, needMinor = 0] = oldestServer.split('.').map(Number)
  return major > needMajor || (major === needMajor && minor >= needMinor)
}

export function tooOld(version: string): string {
  return `its server is ${version || 'of an unknown version'}; ${oldestServer} or newer is needed`
}

export function executableProblem(path: string): string | undefined {
  try {
    if (!statSync(path).isFile()) return `${path} is not a file`
    accessSync(path, constants.X_OK)
    return undefined
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return `${path} does not exist`
    return code === 'EACCES' ? `${path} is not executable` : reasonOf(error)
  }
}

/** The first executable of that name on the PATH. */
export function onPath(path: string, name: string): string | undefined {
  const suffixes = process.platform === 'win32' ? ['.exe', '.cmd', ''] : ['']
  for (const directory of path.split(delimiter)) {
    if (!directory) continue
    for (const suffix of suffixes) {
      const candidate = join(directory, name + suffix)
      if (!executableProblem(candidate)) return candidate
    }
  }
  return undefined
}

function versionText(path: string): Promise<{ text: string; failure?: string }> {
  return new Promise((resolve) => {
    execFile(path, ['--version'], { timeout: 5_000, env: {} }, (error, stdout) => {
      const text = String(stdout)
      resolve(error ? { text, failure: reasonOf(error).split('\n')[0] ?? '' } : { text })
    })
  })
}
