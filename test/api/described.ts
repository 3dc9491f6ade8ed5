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

function operationAt({ paths }: Description, { method, path }: SeenAnswer): Operation | undefined {
  const templates = Object.keys(paths).filter((template) =>
    new RegExp(`^${template.replace(/\{\w+\}/g, '[^/]+')}$`).test(path),
  )
  const exact = templates.find((template) => template === path) ?? templates[0]
  return exact ? paths[exact]?.[method.toLowerCase()] : undefined
}
