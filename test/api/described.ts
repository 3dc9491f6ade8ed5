/** Whether an answer is one of those that the API's own description announces. */

interface Operation {
  responses: Record<string, { description: string }>
}

export interface Description {
  paths: Record<string, Record<string, Operation>>
}

export interface SeenAnswer {
  method: string
  path: string
  status: number
  code: string | null
}

/** These say that nothing was served; they belong to no operation. */
const ofNoOperation = new Set(['method_not_allowed', 'internal'])

export function assertDescribed(description: Description, seen: SeenAnswer): void {
  const { method, path, status, code } = seen
  const operation = operationAt(description, seen)
  if (!operation || (code && ofNoOperation.has(code))) return
  const response = operation.responses[String(status)]
  const codes = response?.description.split(', ') ?? []
  const isDescribed = response !== undefined && (code === null || codes.includes(code))
  const answer = `${method} ${path} answers ${status} ${code ?? ''}`.trim()
  expect([answer, isDescribed]).toEqual([answer, true])
}

const patterns = new WeakMap<Description, [template: string, pattern: RegExp][]>()

function patternsOf(description: Description): [string, RegExp][] {
  const known = patterns.get(description)
  if (known) return known
  const made = Object.keys(description.paths).map((template): [string, RegExp] => [
    template,
    new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}$`),
  ])
  patterns.set(description, made)
  return made
}

function operationAt(
  description: Description,
  { method, path }: SeenAnswer,
): Operation | undefined {
  const { paths } = description
  const template = paths[path]
    ? path
    : patternsOf(description).find(([, pattern]) => pattern.test(path))?.[0]
  return template === undefined ? undefined : paths[template]?.[method.toLowerCase()]
}
