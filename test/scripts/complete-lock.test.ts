import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const script = resolve(import.meta.dirname, '../../scripts/complete-lock.mjs')

let directory: string
let file: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tributary-lock-'))
  file = join(directory, 'package-lock.json')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

type Entry = Record<string, unknown>

function write(packages: Record<string, Entry>): void {
  writeFileSync(file, JSON.stringify({ lockfileVersion: 3, packages }, null, 2))
}

function packages(): Record<string, Entry> {
  return (JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, Entry> }).packages
}

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
    encoding: 'utf8',
  })
  return { status, text: stdout + stderr }
}

function parent(names: readonly string[], version = '1.2.3', more: Entry = {}): Entry {
  const wanted = Object.fromEntries(names.map((name) => [name, version]))
  return { version, optionalDependencies: wanted, ...more }
}

describe('complete-lock', () => {
  it.each([
    ['darwin-arm64', { os: ['darwin'], cpu: ['arm64'] }],
    ['linux-x64-gnu', { os: ['linux'], cpu: ['x64'], libc: ['glibc'] }],
    ['linux-arm64-musl', { os: ['linux'], cpu: ['arm64'], libc: ['musl'] }],
    ['linux-arm-gnueabihf', { os: ['linux'], cpu: ['arm'] }],
    ['linux-ppc64-gnu', { os: ['linux'], cpu: ['ppc64'], libc: ['glibc'] }],
    ['linux-riscv64-musl', { os: ['linux'], cpu: ['riscv64'], libc: ['musl'] }],
    ['linux-s390x-gnu', { os: ['linux'], cpu: ['s390x'], libc: ['glibc'] }],
    ['linux-loong64-gnu', { os: ['linux'], cpu: ['loong64'], libc: ['glibc'] }],
    ['linux-x64', { os: ['linux'], cpu: ['x64'] }],
    ['win32-ia32-msvc', { os: ['win32'], cpu: ['ia32'] }],
    ['windows-x64', { os: ['win32'], cpu: ['x64'] }],
    ['android-arm-eabi', { os: ['android'], cpu: ['arm'] }],
    ['freebsd-x64', { os: ['freebsd'], cpu: ['x64'] }],
    ['openharmony-arm64', { os: ['openharmony'], cpu: ['arm64'] }],
    ['wasm32-wasi', { cpu: ['wasm32'] }],
  ])('reads the platform of %s from the name', (platform, expected) => {
    write({ '': {}, 'node_modules/p': parent([`@p/core-${platform}`]) })
    expect(run(file).status).toBe(0)
    expect(packages()[`node_modules/@p/core-${platform}`]).toEqual({
      version: '1.2.3',
      optional: true,
      ...expected,
    })
  })

  it('takes a Linux variant without a C library for glibc beside its musl sibling', () => {
    write({ '': {}, 'node_modules/p': parent(['p-linux-x64', 'p-linux-x64-musl']) })
    run(file)
    expect(packages()['node_modules/p-linux-x64']).toMatchObject({ libc: ['glibc'] })
  })

  it('marks the entry as its parent is marked, and leaves a complete lock as it is', () => {
    write({ '': {}, 'node_modules/p': parent(['p-darwin-x64'], '1.2.3', { dev: true }) })
    expect(run(file).text).toContain('added node_modules/p-darwin-x64 1.2.3')
    expect(packages()['node_modules/p-darwin-x64']).toMatchObject({ dev: true })
    const complete = readFileSync(file, 'utf8')
    expect(run(file).text).toContain('0 entries added')
    expect(readFileSync(file, 'utf8')).toBe(complete)
  })

  it('finds an entry up the tree, and puts a second version beside its parent', () => {
    const present = { version: '1.2.3', optional: true }
    write({
      '': {},
      'node_modules/a': parent(['x-darwin-x64']),
      'node_modules/b/node_modules/a': parent(['x-darwin-x64']),
      'node_modules/c': parent(['x-darwin-x64'], '2.0.0'),
      'node_modules/x-darwin-x64': present,
    })
    expect(run(file).text).toContain('1 entries added')
    expect(packages()['node_modules/c/node_modules/x-darwin-x64']).toMatchObject({
      version: '2.0.0',
    })
  })

  it('keeps two absent versions of one package apart', () => {
    write({
      '': {},
      'node_modules/a': parent(['x-darwin-x64'], '1.0.0'),
      'node_modules/b': parent(['x-darwin-x64'], '2.0.0'),
    })
    run(file)
    expect(packages()['node_modules/x-darwin-x64']).toMatchObject({ version: '1.0.0' })
    expect(packages()['node_modules/b/node_modules/x-darwin-x64']).toMatchObject({
      version: '2.0.0',
    })
    expect(run('--check', file).status).toBe(0)
  })

  it('--check changes nothing and fails on an absent entry, a host, and a nameless kind', () => {
    write({
      '': {},
      'node_modules/p': parent(['p-darwin-x64', 'p-of-some-kind']),
      'node_modules/q': { version: '1.0.0', resolved: 'https://registry.example/q.tgz' },
    })
    const before = readFileSync(file, 'utf8')
    const { status, text } = run('--check', file)
    expect(status).toBe(1)
    expect(text).toContain('missing: node_modules/p-darwin-x64')
    expect(text).toContain('node_modules/q is bound to https://registry.example/q.tgz')
    expect(text).toContain('p-of-some-kind does not say for which platform it is')
    expect(readFileSync(file, 'utf8')).toBe(before)
  })

  it('accepts the lock of this checkout', () => {
    const { status, text } = run('--check')
    expect(text).toContain('lists every optional package')
    expect(status).toBe(0)
  })
})
