import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { programOf } from './process-identity.ts'

/** Who listens on a port, as far as this user may see it: "process 123, node". */
export function portOwner(port: number): string | undefined {
  const pid = process.platform === 'linux' ? linuxListener(port) : lsofListener(port)
  if (pid === undefined) return undefined
  const program = programOf(pid)
  return program ? `process ${pid}, ${program}` : `process ${pid}`
}

function linuxListener(port: number): number | undefined {
  const inodes = listeningInodes(port)
  if (inodes.size === 0) return undefined
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    if (linksOf(`/proc/${entry}/fd`).some((link) => inodes.has(link))) return Number(entry)
  }
  return undefined
}

function listeningInodes(port: number): Set<string> {
  const listening = '0A'
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0')
  const inodes = new Set<string>()
  for (const table of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of readText(table).split('\n').slice(1)) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/)
      if (state === listening && local?.endsWith(`:${hexPort}`)) inodes.add(`socket:[${inode}]`)
    }
  }
  return inodes
}

/** Descriptors come and go while they are read. */
function linksOf(directory: string): string[] {
  try {
    return readdirSync(directory).map((name) => linkOf(`${directory}/${name}`))
  } catch {
    return []
  }
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file)
  } catch {
    return ''
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function lsofListener(port: number): number | undefined {
  try {
    const args = ['-nP', `-iTCP:${port}`, '-sTCP:LISTEN', '-Fp']
    const found = execFileSync('lsof', args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const pid = /^p(\d+)$/m.exec(found)?.[1]
    return pid ? Number(pid) : undefined
  } catch {
    return undefined
  }
}
