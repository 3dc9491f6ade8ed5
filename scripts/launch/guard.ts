import { spawn } from 'node:child_process'

export interface GuardOptions {
  pid: number
  signal: 'INT' | 'KILL'
  /** Deleted once the process is gone. */
  remove: readonly string[]
}

export interface Guard {
  release(): void
}

/**
 * A throwaway server must not outlive a launcher that was killed. A small shell waits at the end
 * of a pipe: when the pipe breaks without a word, its writer is dead, and the shell tidies up.
 */
export function guardThrowaway({ pid, signal, remove }: GuardOptions): Guard {
  if (process.platform === 'win32') return { release() {} }
  const script = `
    read -r word
    [ "$word" = released ] && exit 0
    pid=$1; signal=$2; shift 2
    kill -s "$signal" "$pid" 2>/dev/null
    tries=0
    while kill -0 "$pid" 2>/dev/null && [ $tries -lt 50 ]; do sleep 0.2; tries=$((tries + 1)); done
    kill -s KILL "$pid" 2>/dev/null
    [ $# -gt 0 ] && rm -rf -- "$@"`
  const guard = spawn(
    '/bin/sh',
    ['-c', script, 'tributary-guard', String(pid), signal, ...remove],
    {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
      cwd: '/',
    },
  )
  guard.on('error', () => {})
  guard.stdin.on('error', () => {})
  guard.unref()
  const pipe = guard.stdin as typeof guard.stdin & { unref?: () => void }
  pipe.unref?.()
  return {
    release: () => {
      guard.stdin.end('released\n')
    },
  }
}
