// Cuts a vendor's Swagger 2.0 file down to the operations that are named, mechanically:
//   node tools/contracts/cut-swagger.mjs SPEC.json 'POST /a/{b}' 'GET /c' > CUT.json
// Paths, operations, parameters and the definitions they reach stay as they are, without prose.
import { readFileSync } from 'node:fs'

const [file = '', ...wanted] = process.argv.slice(2)
const spec = JSON.parse(readFileSync(file, 'utf8'))
const prose = new Set(['description', 'summary', 'externalDocs', 'example', 'tags'])

/** Below these stand names that others chose, which may be those of prose. */
const holdsNames = new Set(['properties', 'definitions'])

function withoutProse(value, inProperties = false) {
  if (Array.isArray(value)) return value.map((entry) => withoutProse(entry))
  if (value === null || typeof value !== 'object') return value
  const kept = Object.entries(value).filter(
    ([key]) => inProperties || (!prose.has(key) && !key.startsWith('x-')),
  )
  return Object.fromEntries(
    kept.map(([key, entry]) => [key, withoutProse(entry, holdsNames.has(key))]),
  )
}

const paths = {}
for (const operation of wanted) {
  const [method = '', path = ''] = operation.split(' ')
  const found = spec.paths[path]?.[method.toLowerCase()]
  if (!found) throw new Error(`there is no ${operation}`)
  paths[path] = { ...paths[path], [method.toLowerCase()]: withoutProse(found) }
}

const definitions = {}
function reach(value) {
  for (const [, name] of JSON.stringify(value).matchAll(/"#\/definitions\/([^"]+)"/g)) {
    if (definitions[name] || !spec.definitions[name]) continue
    definitions[name] = withoutProse(spec.definitions[name])
    reach(definitions[name])
  }
}
reach(paths)

const { swagger, info, basePath } = spec
const sorted = Object.fromEntries(Object.entries(definitions).sort(([a], [b]) => (a < b ? -1 : 1)))
const cut = { swagger, info: { version: info.version, title: info.title }, basePath, paths }
process.stdout.write(`${JSON.stringify({ ...cut, definitions: sorted }, null, 1)}\n`)
