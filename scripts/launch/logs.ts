import { closeSync, mkdirSync, openSync, readSync, renameSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

const rotateAboveBytes = 10 * 1024 * 1024

/** Opens a log for appending; a large one from earlier runs moves to `.1`. */
export function openLog(file: string): number {
  mkdirSync(dirname(file), { recursive: true })
  if (sizeOf(file) > rotateAboveBytes) renameSync(file, `${file}.1`)
  return openSync(file, 'a')
}

export function sizeOf(file: string): number {
  try {
    return statSync(file).size
  } catch {
    return 0
  }
}

/** What was written from a position on, so that a ready line of an earlier run does not count. */
export function logSince(file: string, position: number): string {
  const length = Math.max(0, sizeOf(file) - position)
  if (length === 0) return ''
  const buffer = Buffer.alloc(length)
  const handle = openSync(file, 'r')
  try {
    return buffer.subarray(0, readSync(handle, buffer, 0, length, position)).toString('utf8')
  } finally {
    closeSync(handle)
  }
}

export function logTail(file: string, lines = 8): string {
  const text = logSince(file, Math.max(0, sizeOf(file) - 4_096)).trimEnd()
  const last = text
    .split('\n')
    .slice(-lines)
    .map((line) => `    ${line}`)
  return [`  the end of ${file}:`, ...last].join('\n')
}
