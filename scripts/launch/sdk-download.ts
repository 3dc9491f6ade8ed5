import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { LauncherEnvironment } from './environment.ts'
import { cacheRoot } from './paths.ts'
import { executableProblem } from './temporal-cli.ts'

export type SdkDownload = 'cli' | 'test-server'

const filePrefix: Record<SdkDownload, string> = {
  cli: 'temporal-sdk-typescript-',
  'test-server': 'temporal-test-server-sdk-typescript-',
}

const limitMs = 20_000
const testingPackage = resolve(
  import.meta.dirname,
  '../../node_modules/@temporalio/testing/package.json',
)

/** The file the SDK has fetched before, under the name it gives it. */
export function downloadedEarlier(env: LauncherEnvironment, kind: SdkDownload): string | undefined {
  const file = downloadTarget(env, kind)
  return executableProblem(file) ? undefined : file
}

/** Asks the SDK to fetch the program; without a network it says so within a second or two. */
export async function downloadBySdk(
  env: LauncherEnvironment,
  kind: SdkDownload,
): Promise<{ path: string } | { reason: string }> {
  const target = downloadTarget(env, kind)
  mkdirSync(downloadDir(env), { recursive: true })
  const failure = await runChild(env, kind)
  if (existsSync(target)) return { path: target }
  return { reason: failure ?? `the SDK left no file ${target}` }
}

function runChild(env: LauncherEnvironment, kind: SdkDownload): Promise<string | undefined> {
  const script = join(import.meta.dirname, 'sdk-download-child.ts')
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, kind, downloadDir(env)], {
      env: env.all,
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: limitMs,
      killSignal: 'SIGKILL',
    })
    let errors = ''
    child.stderr.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString('utf8')).slice(-8_192)
    })
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => {
      if (code === 0) resolve(undefined)
      else if (signal) resolve(`not finished within ${limitMs / 1_000} s`)
      else resolve(essence(errors) ?? `the SDK's download ended with code ${code}`)
    })
  })
}

/** The SDK repeats itself and prints its whole query: what remains names the host and the cause. */
function essence(errors: string): string | undefined {
  const line = errors.split('\n').find((text) => /^\[?\w*Error\b/.test(text))
  const text = line?.replace(/^\[?\w*Error:?\s*/, '').replace(/\]$/, '')
  const cause = text?.split('error sending request for url ').at(-1)
  const short = cause?.replace(/\?[^\s)]*/g, '').replace(/^\((\S+)\)/, '$1')
  return short?.slice(0, 240)
}

function downloadTarget(env: LauncherEnvironment, kind: SdkDownload): string {
  const { version } = JSON.parse(readFileSync(testingPackage, 'utf8')) as { version: string }
  const suffix = process.platform === 'win32' ? '.exe' : ''
  return join(downloadDir(env), `${filePrefix[kind]}${version}${suffix}`)
}

function downloadDir(env: LauncherEnvironment): string {
  return join(cacheRoot(env), 'sdk')
}
