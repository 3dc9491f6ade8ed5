import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Step } from './progress.ts'

export interface GoTools {
  go: string
  env: Record<string, string>
  step: Step
}

const target = 'github.com/temporalio/cli/cmd/temporal'
const buildFlags = ['-trimpath', '-buildvcs=false', '-ldflags', '-s -w']
const limitMs = 25 * 60_000
/** Shares of the whole that fetching and compiling take; linking has the rest. */
const fetchingShare = 0.1
const compilingShare = 0.87

/** The packages that have to be compiled; asking also fetches the modules they lie in. */
export async function staleOf(tools: GoTools, sources: string): Promise<number> {
  const modules = moduleCount(sources)
  let fetched = 0
  tools.step.update('looking what is to be built', 0)
  const listing = ['list', '-deps', ...buildFlags, '-f', '{{if .Stale}}{{.ImportPath}}{{end}}']
  const output = await run(tools, [...listing, target], {
    cwd: sources,
    onLine: (line) => {
      if (!line.startsWith('go: downloading ')) return
      fetched += 1
      const share = Math.min(1, fetched / modules) * fetchingShare
      tools.step.update(`fetched ${fetched} of about ${modules} modules`, share)
    },
  })
  return output.split('\n').filter((line) => line !== '').length
}

export interface GoBuild {
  sources: string
  output: string
  packages: number
}

export async function goBuild(tools: GoTools, { sources, output, packages }: GoBuild) {
  const total = Math.max(1, packages)
  let compiled = 0
  await run(tools, ['build', '-v', ...buildFlags, '-o', output, target], {
    cwd: sources,
    onLine: (line) => {
      if (line === '' || line.startsWith('go: ')) return
      compiled += 1
      const share = Math.min(1, compiled / total) * compilingShare
      const what = compiled >= total ? 'linking' : `compiled ${compiled} of ${total} packages`
      tools.step.update(what, fetchingShare + share)
    },
  })
}

function moduleCount(sources: string): number {
  const lines = readFileSync(join(sources, 'go.sum'), 'utf8').split('\n')
  return Math.max(1, lines.filter((line) => line && !line.includes('/go.mod ')).length)
}

interface Run {
  cwd: string
  onLine: (line: string) => void
}

/** Answers the standard output; the error carries the last things Go said. */
function run(tools: GoTools, args: readonly string[], { cwd, onLine }: Run): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(tools.go, args, {
      cwd,
      env: tools.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: limitMs,
    })
    const said: string[] = []
    let output = ''
    let rest = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('utf8')
    })
    child.stderr.on('data', (chunk: Buffer) => {
      const lines = (rest + chunk.toString('utf8')).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        onLine(line)
        said.push(line)
      }
    })
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (code === 0) return resolve(output)
      const last = [...said, rest].filter((line) => line && !line.startsWith('go: downloading'))
      const ending = signal ?? `code ${code}`
      reject(new Error(`go ${args[0]} ended with ${ending}: ${last.slice(-4).join(' | ')}`))
    })
  })
}
