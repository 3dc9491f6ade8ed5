/** The rules of the house, proven by reading its files. An exception names its rule and reason. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { parseSync } from '@swc/core'
import { workflowTypes } from '../domain/process-names.ts'

const root = join(import.meta.dirname, '..')

const tracked = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)))

const read = (file: string) => readFileSync(join(root, file), 'utf8')

const sources = tracked.filter((file) => file.endsWith('.ts') && !file.startsWith('test/'))
const ownFiles = tracked.filter((file) => /\.(ts|mjs)$/.test(file))
const generated = new Set(['db/schema.ts'])
const roomOf = (file: string) => (file.includes('/') ? (file.split('/')[0] ?? '') : file)

/** Lines that carry `house: allow RULE`, with a reason, are left out of that rule. */
function linesBreaking(rule: string, pattern: RegExp, files: string[]): string[] {
  return files.flatMap((file) =>
    read(file)
      .split('\n')
      .flatMap((line, i, lines) => {
        const allowed = [line, lines[i - 1] ?? ''].some((text) =>
          new RegExp(`house: allow ${rule}, because .{10,}`).test(text),
        )
        return pattern.test(line) && !allowed ? [`${file}:${i + 1} ${line.trim()}`] : []
      }),
  )
}

interface Import {
  file: string
  target: string
  typeOnly: boolean
}

const importForms = [
  /(?:^|\n)\s*(?:import|export)\s+(type\s)?[^'"`;]*?from\s+'([^']+)'/g,
  /()import\('([^']+)'\)/g,
  /()(?:^|\n)import '([^']+)'/g,
]

function importsOf(file: string): Import[] {
  const text = read(file)
  const found = importForms.flatMap((form) => [...text.matchAll(form)])
  return found.map(([, type, specifier = '']) => {
    const own = specifier.startsWith('.')
    const target = own ? normalize(join(dirname(file), specifier)) : specifier
    return { file, target, typeOnly: Boolean(type) }
  })
}

const imports = sources.flatMap(importsOf)
const isOwn = (target: string) => tracked.includes(target)

/** Which rooms and packages each room may import; `node:` stands for Node itself. */
const mayImport: Record<string, { rooms: string[]; packages: RegExp }> = {
  domain: { rooms: ['domain'], packages: /^$/ },
  db: { rooms: ['domain', 'db'], packages: /^(kysely|pg|zod|node:)/ },
  integrations: {
    rooms: ['domain', 'integrations'],
    packages: new RegExp(
      '^(stripe|docusign-esign|@temporalio/(client|common)|zod|nodemailer|pdfkit|' +
        'csv-stringify|@node-rs/argon2|@simplewebauthn/server|openid-client|node:)',
    ),
  },
  activities: {
    rooms: ['domain', 'db', 'integrations', 'activities'],
    packages: /^(@temporalio\/(activity|common)|node:crypto$)/,
  },
  workflows: { rooms: ['domain', 'workflows'], packages: /^@temporalio\/(workflow|common)$/ },
  api: {
    rooms: ['domain', 'db', 'integrations', 'simulation', 'api'],
    packages: /^(koa|@koa\/router|zod|@temporalio\/(client|common)|node:)/,
  },
  simulation: {
    rooms: ['domain', 'db', 'activities', 'simulation'],
    packages: /^(zod|node:crypto$)/,
  },
  bench: {
    rooms: ['domain', 'db', 'activities', 'scripts', 'bench'],
    packages: /^(kysely|@temporalio\/(client|common|worker|workflow)$|node:)/,
  },
  worker: {
    rooms: ['domain', 'db', 'integrations', 'activities', 'worker', 'config.ts'],
    packages: /^(@temporalio\/|pino|node:)/,
  },
  scripts: {
    rooms: [
      ...['domain', 'db', 'integrations', 'api', 'simulation', 'bench', 'worker', 'scripts'],
      'config.ts',
    ],
    packages: /^(kysely|pg|zod|@temporalio\/|@grpc\/grpc-js|node:)/,
  },
  sandbox: {
    rooms: ['sandbox'],
    packages: /^(stripe|koa|@koa\/router|pdfkit|selfsigned|smtp-server|postal-mime|node:)/,
  },
  config: { rooms: ['config'], packages: /^(zod|node:)/ },
  'config.ts': { rooms: ['config'], packages: /^(zod|node:)/ },
}

/** They create and look at servers and databases as wholes, never at our tables. */
const serverTools = new Set(['scripts/launch/databases.ts', 'scripts/launch/postgres-cluster.ts'])

/** What the table does not say in general: single doors, each with its reason. */
const doors: { from: RegExp; to: RegExp; typeOnly?: boolean; why: string }[] = [
  { from: /^workflows\//, to: /^activities\//, typeOnly: true, why: 'types of steps' },
  { from: /^workflows\/inbox\.ts$/, to: /^db\/inbox\.ts$/, typeOnly: true, why: 'type of a wake' },
  { from: /^simulation\//, to: /^integrations\//, typeOnly: true, why: 'shapes of a vendor' },
  { from: /^bench\//, to: /^integrations\//, typeOnly: true, why: 'shapes of a vendor' },
  { from: /^bench\//, to: /^api\/keys\.ts$/, why: 'what the check of a key costs' },
  { from: /^api\//, to: /^workflows\/contract\.ts$/, why: 'updates by definition' },
  { from: /^api\/server\.ts$/, to: /^(config\.ts|pino)$/, why: 'a composition root' },
  { from: /^api\//, to: /^stripe$/, typeOnly: true, why: 'its signature checks, as a type' },
]

function isAllowed({ file, target, typeOnly }: Import): boolean {
  const table = mayImport[roomOf(file)]
  if (!table) return false
  const inTable = isOwn(target) ? table.rooms.includes(roomOf(target)) : table.packages.test(target)
  return (
    inTable ||
    doors.some(
      (door) => door.from.test(file) && door.to.test(target) && (!door.typeOnly || typeOnly),
    )
  )
}

describe('rooms', () => {
  it('import only what the import table allows', () => {
    const wrong = imports.filter((entry) => !isAllowed(entry))
    expect(wrong.map(({ file, target }) => `${file} imports ${target}`)).toEqual([])
  })

  it('have no circles, types included', () => {
    const edges = new Map<string, string[]>()
    for (const { file, target } of imports) {
      if (isOwn(target)) edges.set(file, [...(edges.get(file) ?? []), target])
    }
    const state = new Map<string, 'open' | 'done'>()
    const circles: string[] = []
    const visit = (file: string, path: string[]) => {
      if (state.get(file) === 'done') return
      if (state.get(file) === 'open') {
        circles.push([...path.slice(path.indexOf(file)), file].join(' > '))
        return
      }
      state.set(file, 'open')
      for (const next of edges.get(file) ?? []) visit(next, [...path, file])
      state.set(file, 'done')
    }
    for (const file of sources) visit(file, [])
    expect(circles).toEqual([])
  })

  it('are each captioned in the picture of the house', () => {
    const folders = [...new Set(tracked.filter((file) => file.includes('/')).map(roomOf))]
    const captions = read('docs/architecture.md')
    const missing = folders.filter((folder) => !captions.includes(`\n${folder}/ `))
    expect(missing.filter((folder) => !folder.startsWith('.'))).toEqual([])
  })

  it('keep SQL in db/, benchmarks in their own words', () => {
    const rooms = new Set(['db', 'bench'])
    const outside = sources.filter((file) => !rooms.has(roomOf(file)) && !serverTools.has(file))
    const pattern = /sql`|sql<|\.(selectFrom|insertInto|updateTable|deleteFrom)\(|client\.query/
    expect(linesBreaking('sql', pattern, outside)).toEqual([])
  })

  it('read the environment in config.ts only', () => {
    const others = sources.filter((file) => file !== 'config.ts')
    expect(linesBreaking('environment', /process\.env\b/, others)).toEqual([])
  })
})

/** A guarantee in words may be longer than a line. */
const isTestTitle = /^\s*(it|test|describe)\('/

describe('files', () => {
  it('have at most 400 lines of at most 100 columns', () => {
    const long = ownFiles
      .filter((file) => !generated.has(file))
      .filter((file) => read(file).split('\n').length > 401)
    const wide = ownFiles
      .filter((file) => !generated.has(file))
      .flatMap((file) =>
        read(file)
          .split('\n')
          .flatMap((line, i) =>
            line.length > 100 && !isTestTitle.test(line) ? [`${file}:${i + 1}`] : [],
          ),
      )
    expect([...long, ...wide]).toEqual([])
  })

  it('have names in kebab case', () => {
    const wrong = ownFiles.filter(
      (file) =>
        !/^(\.?[a-z0-9-]+\/)*[a-z0-9-]+(\.test|\.house\.config|\.config)?\.(ts|mjs)$/.test(file),
    )
    expect(wrong).toEqual([])
  })

  it('postpone nothing and skip nothing', () => {
    const others = ownFiles.filter((file) => file !== 'test/house.test.ts')
    expect(linesBreaking('mark', /\b(TODO|FIXME|XXX|HACK)\b/, others)).toEqual([])
    const tests = others.filter((file) => file.startsWith('test/'))
    expect(linesBreaking('skip', /\.(skip|only|todo)\(|\bx(it|describe)\(/, tests)).toEqual([])
  })

  it('name no place of one machine and no person', () => {
    const text = tracked.filter((file) => /\.(ts|mjs|md|json|sql|yml|sh)$|^\.ci\//.test(file))
    const others = text.filter((file) => file !== 'test/house.test.ts')
    expect(linesBreaking('place', /\/(work|root|home)\/\w|registry\.npmjs/, others)).toEqual([])
  })

  it('count money without fractions', () => {
    expect(linesBreaking('fraction', /parseFloat|toFixed\(/, moneyFiles())).toEqual([])
  })

  it('take the time as a parameter in domain/ and db/', () => {
    const pure = sources.filter((file) => ['domain', 'db'].includes(roomOf(file)))
    expect(linesBreaking('clock', /new Date\(\)|Date\.now\(|Math\.random/, pure)).toEqual([])
  })

  it('keep nothing in modules of processes, which are loaded once for all of them', () => {
    const bundled = sources.filter((file) => ['domain', 'workflows'].includes(roomOf(file)))
    const empty = /(new (Map|Set|WeakMap|WeakSet)(<.*>)?\(\)|\[\]|\{\})/.source
    const kept = new RegExp(`^(export )?((let|var) |const \\w+(: .*)? = ${empty}$)`)
    expect(linesBreaking('keep', kept, bundled)).toEqual([])
  })
})

function moneyFiles(): string[] {
  return sources.filter((file) => ['domain', 'db', 'activities', 'api'].includes(roomOf(file)))
}

interface Node {
  type?: string
  span?: { start: number; end: number }
  [key: string]: unknown
}

const functionTypes = new Set([
  'FunctionDeclaration',
  'FunctionExpression',
  'ArrowFunctionExpression',
  'ClassMethod',
  'MethodProperty',
])

interface FoundFunction {
  node: Node
  inner: FoundFunction[]
}

/** The functions of a syntax tree, nested as they stand. */
function functionsIn(node: unknown): FoundFunction[] {
  if (Array.isArray(node)) return node.flatMap(functionsIn)
  if (node === null || typeof node !== 'object') return []
  const here = node as Node
  const inner = Object.values(here).flatMap(functionsIn)
  return functionTypes.has(here.type ?? '') ? [{ node: here, inner }] : inner
}

const flat = (found: FoundFunction[]): FoundFunction[] =>
  found.flatMap((entry) => [entry, ...flat(entry.inner)])

function parametersOf(node: Node): number {
  const holder = (node.function ?? node) as Node
  const parameters = holder.params ?? holder.parameters ?? []
  return (parameters as unknown[]).length
}

describe('functions', () => {
  const found = sources
    .filter((file) => !generated.has(file))
    .flatMap((file) => {
      const text = read(file)
      const bytes = Buffer.from(text)
      const tree = parseSync(text, { syntax: 'typescript', target: 'es2024' })
      const offset = tree.span.start - firstTokenAt(text)
      const linesOf = (node: Node) =>
        bytes
          .subarray((node.span?.start ?? 0) - offset, (node.span?.end ?? 0) - offset)
          .toString()
          .split('\n').length
      const lineAt = (node: Node) =>
        bytes
          .subarray(0, (node.span?.start ?? 0) - offset)
          .toString()
          .split('\n').length
      return flat(functionsIn(tree.body)).map(({ node, inner }) => ({
        place: `${file}:${lineAt(node)}`,
        // What stands inside as a function of its own counts there.
        lines: linesOf(node) - inner.reduce((sum, entry) => sum + linesOf(entry.node) - 1, 0),
        parameters: parametersOf(node),
      }))
    })

  it('have at most 70 lines of their own', () => {
    expect(found.filter(({ lines }) => lines > 70).map(({ place }) => place)).toEqual([])
  })

  it('take at most three positional parameters', () => {
    const wide = found.filter(({ parameters }) => parameters > 3)
    expect(wide.map(({ place }) => place)).toEqual([])
  })
})

/** The parser counts from the first token; comments and blanks before it are not in its span. */
function firstTokenAt(text: string): number {
  const leading = /^(?:\s|\/\/[^\n]*\n|\/\*[\s\S]*?\*\/)*/.exec(text)?.[0] ?? ''
  return Buffer.byteLength(leading)
}

describe('documents and tests', () => {
  it('say of every process what it does', () => {
    const processes = read('docs/processes.md')
    const missing = Object.keys(workflowTypes).filter((type) => !processes.includes(`\`${type}\``))
    expect(missing).toEqual([])
  })

  it('show every capability of the API its stranger: a 401 and a refusal by level or tenant', () => {
    const files = sources.filter((file) => roomOf(file) === 'api' && /tag: '/.test(read(file)))
    // A capability is a file, or a folder with several.
    const capabilities = new Set(files.map((file) => file.split('/')[1]?.replace(/\.ts$/, '')))
    const open = ['webhooks', 'health']
    const lacking = [...capabilities].filter((name) => {
      const own = new RegExp(`^test/api/${name}(/[a-z-]+)?\\.test\\.ts$`)
      const text = tracked
        .filter((file) => own.test(file))
        .map(read)
        .join('\n')
      return !open.includes(name ?? '') && !(/401/.test(text) && /40[34]/.test(text))
    })
    expect(lacking).toEqual([])
  })

  it('replay a stored history of every process that a person or a month waits for', () => {
    const stored = readdirSync(join(root, 'test', 'replay'))
    const missing = Object.keys(workflowTypes).filter(
      (type) => !stored.some((file) => file.startsWith(`${type}-`)),
    )
    expect(missing).toEqual([])
  })

  it('link only to files that exist', () => {
    const pages = tracked.filter((file) => file.endsWith('.md'))
    const broken = pages.flatMap((page) =>
      [...read(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)]
        .map((match) => normalize(join(dirname(page), match[1] ?? '')))
        .filter((target) => !existsSync(join(root, target)))
        .map((target) => `${page} links to ${relative('.', target)}`),
    )
    expect(broken).toEqual([])
  })
})
