import { invalid } from './errors.ts'

/** A value of a request before anybody knows what it should be. */
export type Tree = { [key: string]: Tree } | Tree[] | string | number | boolean | null

/** Reads `a[b][0]=c`, the way of both request bodies and query strings of the vendor. */
export function parseForm(text: string): { [key: string]: Tree } {
  const root: { [key: string]: Tree } = Object.create(null)
  for (const [key, value] of new URLSearchParams(text)) {
    const path = pathOf(key)
    let at = root
    for (const [index, step] of path.entries()) {
      const name = step === '' ? String(Object.keys(at).length) : step
      if (index === path.length - 1) {
        at[name] = value
        break
      }
      const next = at[name] ?? Object.create(null)
      if (typeof next !== 'object' || next === null || Array.isArray(next)) {
        throw invalid(`Invalid request: ${key} is both a value and a hash`, { param: key })
      }
      at[name] = next
      at = next
    }
  }
  return root
}

function pathOf(key: string): string[] {
  const start = key.indexOf('[')
  if (start <= 0) return [key]
  const inner = key.slice(start)
  if (!/^(\[[^[\]]*\])+$/.test(inner)) throw invalid(`Invalid parameter name: ${key}`)
  const steps = inner.slice(1, -1).split('][')
  if (steps.length > 20) throw invalid(`Parameter nested too deeply: ${key}`)
  return [key.slice(0, start), ...steps]
}

/** The same text for the same parameters, whatever order they came in. */
export function fingerprint(tree: Tree): string {
  if (typeof tree !== 'object' || tree === null) return JSON.stringify(tree)
  if (Array.isArray(tree)) return `[${tree.map(fingerprint).join()}]`
  const pairs = Object.entries(tree)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${JSON.stringify(key)}:${fingerprint(value)}`)
  return `{${pairs.join()}}`
}
