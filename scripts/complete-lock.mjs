#!/usr/bin/env node
/**
 * package-lock.json has to list every optional package of every platform: where one is absent,
 * `npm ci` refuses the whole lock. npm leaves out what the registry does not show it, so this
 * adds those entries. Plain JavaScript for any Node from 18 on, since it runs before `npm ci`.
 *
 *   node scripts/complete-lock.mjs [FILE]          fills the lock and says what it added
 *   node scripts/complete-lock.mjs --check [FILE]  exit 1 if something is missing
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony']
const allSystems = [...systems, 'sunos', 'win32', 'windows', 'wasm32']
const processors = [
  'arm',
  'arm64',
  'ia32',
  'loong64',
  'mips64el',
  'ppc64',
  'riscv64',
  's390x',
  'x64',
]
const platformName = new RegExp(
  `(?:^|[-/])(${allSystems.join('|')})-(${[...processors, 'wasi'].join('|')})(?:-([a-z]+))?$`,
)
/** Packages whose name says nothing, and their platform. */
const unnamedPlatforms = { fsevents: { os: ['darwin'] } }

/** What npm writes as os, cpu and libc, read from a name such as `x-linux-arm64-musl`. */
export function platformOf(name, siblings = []) {
  if (unnamedPlatforms[name]) return unnamedPlatforms[name]
  const [, system, processor, abi] = platformName.exec(name) ?? []
  if (!system) return undefined
  if (system === 'wasm32') return { cpu: ['wasm32'] }
  const platform = { os: [system === 'windows' ? 'win32' : system], cpu: [processor] }
  const libc = system === 'linux' ? libcOf(abi, siblings.includes(`${name}-musl`)) : undefined
  return libc ? { ...platform, libc: [libc] } : platform
}

/** The hard-float variants of 32-bit ARM are published without a C library. */
function libcOf(abi, hasMuslSibling) {
  if (abi === 'gnu' || abi === 'glibc') return 'glibc'
  if (abi === 'musl') return 'musl'
  return abi === undefined && hasMuslSibling ? 'glibc' : undefined
}

/** The entries that are absent, by their key in the lock; `problem` marks the unguessable. */
export function missingEntries(lock) {
  const found = new Map()
  for (const [parent, entry] of Object.entries(lock.packages)) {
    const wanted = Object.entries(entry.optionalDependencies ?? {})
    const siblings = wanted.map(([name]) => name)
    for (const [name, range] of wanted) {
      const version = range.replace(/^[\^~]|^>=\s*/, '')
      const state = resolution(lock.packages, { parent, name, range })
      if (state === 'there') continue
      const top = `node_modules/${name}`
      const nested =
        state === 'other version' || (found.get(top)?.entry?.version ?? version) !== version
      const key = nested && parent !== '' ? `${parent}/${top}` : top
      found.set(key, describe({ key, name, version, siblings, parent: entry }))
    }
  }
  return [...found.values()]
}

function describe({ key, name, version, siblings, parent }) {
  const platform = platformOf(name, siblings)
  if (!platform) return { key, problem: `the name ${name} does not say for which platform it is` }
  if (!/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)) {
    return { key, problem: `${name}@${version} is not one version` }
  }
  const flags = {}
  for (const flag of ['dev', 'devOptional', 'peer']) if (parent[flag]) flags[flag] = true
  const { cpu, libc, os } = platform
  const entry = { version, ...(cpu && { cpu }), ...flags, ...(libc && { libc }), optional: true }
  return { key, entry: os ? { ...entry, os } : entry }
}

/** Node's way up the tree: the nearest node_modules that has the package. */
function resolution(packages, { parent, name, range }) {
  for (let at = parent; ; at = above(at)) {
    const candidate = packages[at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`]
    if (candidate) {
      const exact = /^\d/.test(range)
      return exact && candidate.version !== range ? 'other version' : 'there'
    }
    if (at === '') return 'absent'
  }
}

function above(path) {
  const cut = path.lastIndexOf('/node_modules/')
  return cut < 0 ? '' : path.slice(0, cut)
}

/** Addresses of one registry would bind every other machine to it. */
export function namedHosts(lock) {
  return Object.entries(lock.packages)
    .filter(([, { resolved }]) => typeof resolved === 'string' && resolved.includes('://'))
    .map(([key, { resolved }]) => `${key} is bound to ${resolved}`)
}

/** npm sorts the keys, so a completed lock looks as if npm had written it. */
export function completed(lock) {
  const entries = Object.entries(lock.packages)
  for (const { key, entry } of missingEntries(lock)) if (entry) entries.push([key, entry])
  entries.sort(([left], [right]) => left.localeCompare(right, 'en'))
  return { ...lock, packages: Object.fromEntries(entries) }
}

function main(args) {
  const unknown = args.filter((arg) => arg.startsWith('-') && arg !== '--check')
  const files = args.filter((arg) => !arg.startsWith('-'))
  if (unknown.length > 0 || files.length > 1) {
    console.error('usage: node scripts/complete-lock.mjs [--check] [FILE]')
    return 2
  }
  const file = files[0] ?? fileURLToPath(new URL('../package-lock.json', import.meta.url))
  const lock = JSON.parse(readFileSync(file, 'utf8'))
  const missing = missingEntries(lock)
  const problems = missing.filter(({ problem }) => problem)
  const lines = problems.map(({ key, problem }) => `cannot add ${key}: ${problem}`)
  lines.push(...namedHosts(lock))
  if (args.includes('--check')) {
    lines.unshift(...missing.filter(({ entry }) => entry).map(({ key }) => `missing: ${key}`))
    if (lines.length > 0) lines.push('`node scripts/complete-lock.mjs` adds what is missing.')
    else console.log('package-lock.json lists every optional package, and names no host.')
  } else {
    fill({ file, lock, missing })
  }
  for (const line of lines) console.error(line)
  return lines.length > 0 ? 1 : 0
}

function fill({ file, lock, missing }) {
  const added = missing.filter(({ entry }) => entry)
  for (const { key, entry } of added) console.log(`added ${key} ${entry.version}`)
  console.log(`${added.length} entries added to ${file}`)
  if (added.length === 0) return
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, `${JSON.stringify(completed(lock), null, 2)}\n`)
  renameSync(draft, file)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = main(process.argv.slice(2))
}
