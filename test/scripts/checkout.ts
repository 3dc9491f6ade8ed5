import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { readToolEnvironment } from '../../config.ts'
import type { LauncherEnvironment } from '../../scripts/launch/environment.ts'
import { clusterBase } from '../../scripts/launch/postgres-data.ts'

export interface Checkout {
  env: LauncherEnvironment
  root: string
  remove(): void
}

/** An empty checkout with a cache of its own; settings of the machine do not reach it. */
export function makeCheckout(changes: Partial<LauncherEnvironment> = {}): Checkout {
  const root = mkdtempSync(join(tmpdir(), 'tributary-test-'))
  const machine = readToolEnvironment()
  const env: LauncherEnvironment = {
    home: machine.home,
    path: machine.path,
    all: { PATH: machine.path },
    root,
    cacheDir: join(root, 'cache'),
    ...changes,
  }
  return {
    env,
    root,
    remove() {
      rmSync(clusterBase(env), { recursive: true, force: true })
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** The machine as it is, with the cache that holds the Temporal server. */
export function machineCheckout(changes: Partial<LauncherEnvironment> = {}): Checkout {
  const machine = readToolEnvironment()
  const { cacheDir, xdgCacheHome, temporalCli, all } = machine
  return makeCheckout({ cacheDir, xdgCacheHome, temporalCli, all, ...changes })
}

/** An executable shell script. */
export function script(file: string, body: string): string {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `#!/bin/sh\n${body}\n`)
  chmodSync(file, 0o755)
  return file
}

/** A TypeScript program that imports the launcher; it runs in a process of its own. */
export function program(checkout: Checkout, name: string, body: string): string {
  const file = join(checkout.root, name)
  const launch = join(import.meta.dirname, '../../scripts/launch')
  writeFileSync(file, body.replaceAll('LAUNCH', launch))
  return file
}
