import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { recordedProgress, silentProgress } from '../../scripts/launch/progress.ts'
import { buildTemporal, builtEarlier } from '../../scripts/launch/temporal-build.ts'
import { type Checkout, makeCheckout, program, script } from './checkout.ts'

const run = promisify(execFile)

/** Stands in for Go: it lists four packages, is slow to build them, and counts its builds. */
const fakeGo = `
if [ "$1" = list ]; then
  echo "go: downloading example.com/a v1.0.0" >&2
  echo a; echo b; echo c; echo d
  exit 0
fi
echo built >> "$(dirname "$0")/builds"
env | grep -E '^(GO|HOME|CGO)' > "$(dirname "$0")/environment"
while [ "$1" != -o ]; do shift; done
for name in a b c d; do echo $name >&2; sleep 0.05; done
[ -e "$(dirname "$0")/broken" ] && echo "a.go:1: syntax error" >&2 && exit 1
printf '#!/bin/sh\\necho "temporal version 0.0.0-DEV (Server 1.31.3, UI 2.50.1)"\\n' > "$2"
`

let checkout: Checkout
let sources: string
beforeEach(() => {
  checkout = makeCheckout()
  checkout.env.path = `${join(checkout.root, 'bin')}:/usr/bin:/bin`
  script(join(checkout.root, 'bin', 'go'), fakeGo)
  sources = join(checkout.root, 'sources')
  mkdirSync(sources)
  pin('v1.31.3')
})
afterEach(() => checkout.remove())

function pin(server: string): void {
  const required = `github.com/temporalio/cli v1.8.2\n\tgo.temporal.io/server ${server}`
  writeFileSync(join(sources, 'go.mod'), `module x\n\nrequire (\n\t${required}\n)\n`)
  writeFileSync(join(sources, 'go.sum'), 'example.com/a v1.0.0 h1:x=\n')
}

function builds(): number {
  return readFileSync(join(checkout.root, 'bin', 'builds'), 'utf8')
    .trim()
    .split('\n').length
}

function build(progress = silentProgress()): Promise<string> {
  return buildTemporal({ env: checkout.env, progress, sources })
}

describe('the build of the pinned server', () => {
  it('is kept outside the checkout by its versions, and shows how far it is', async () => {
    const progress = recordedProgress()
    expect(builtEarlier(checkout.env, sources)).toBeUndefined()
    const file = await build(progress)
    expect(file).toMatch(/cache\/tributary\/temporal\/cli1\.8\.2-server1\.31\.3-\w+-\w+-\w{12}\//)
    expect(builtEarlier(checkout.env, sources)).toBe(file)
    expect(readdirSync(dirname(file))).toEqual(['temporal'])
    expect(progress.lines.join('\n')).toMatch(/building Temporal 1\.31\.3: 30 %, compiled 1 of 4/)
    expect(progress.lines.at(-1)).toMatch(/^✓ building Temporal 1\.31\.3/)
    await build()
    expect(builds()).toBe(1)
  })

  it('is made anew when a version changes', async () => {
    const first = await build()
    pin('v1.31.4')
    expect(builtEarlier(checkout.env, sources)).toBeUndefined()
    expect(await build()).not.toBe(first)
    expect(builds()).toBe(2)
  })

  it('runs once when two checkouts want it at the same time, and the other one waits', async () => {
    const source = program(
      checkout,
      'build.ts',
      `import { buildTemporal } from 'LAUNCH/temporal-build.ts'
       import { silentProgress } from 'LAUNCH/progress.ts'
       const [env = '', sources = ''] = process.argv.slice(2)
       const options = { env: JSON.parse(env), progress: silentProgress(), sources }
       console.log(await buildTemporal(options))`,
    )
    const args = [source, JSON.stringify(checkout.env), sources]
    const both = await Promise.all([1, 2].map(() => run(process.execPath, args)))
    expect(new Set(both.map(({ stdout }) => stdout)).size).toBe(1)
    expect(builds()).toBe(1)
  })

  it('fails with what the compiler said and leaves nothing half-made', async () => {
    writeFileSync(join(checkout.root, 'bin', 'broken'), '')
    await expect(build()).rejects.toThrow(/go build ended with code 1: .*a\.go:1: syntax error/)
    expect(builtEarlier(checkout.env, sources)).toBeUndefined()
  })

  it('keeps Go’s own caches with ours when there is no home directory', async () => {
    checkout.env.home = undefined
    const file = await build()
    const environment = readFileSync(join(checkout.root, 'bin', 'environment'), 'utf8')
    const cache = join(dirname(file), 'go')
    expect(environment).toContain(`GOCACHE=${join(cache, 'build')}\n`)
    expect(environment).toContain(`GOMODCACHE=${join(cache, 'mod')}\n`)
    expect(environment).toContain(`GOPATH=${cache}\n`)
    expect(environment).toContain('CGO_ENABLED=0\n')
    expect(readdirSync(dirname(file))).toEqual(['temporal'])
  })

  it('says so when Go is missing', async () => {
    checkout.env.path = join(checkout.root, 'empty')
    await expect(build()).rejects.toThrow('Go is not installed')
    expect(existsSync(join(checkout.root, 'cache', 'tributary', 'temporal'))).toBe(false)
  })
})
