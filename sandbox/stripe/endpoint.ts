import type { Work } from '../deps.ts'
import { missing } from './errors.ts'
import type { Tree } from './form.ts'
import { type Encoding, readParams, type Shape, type Values } from './params.ts'

export interface Call<S extends Shape> {
  params: Values<S>
  /** The ids that the path names. */
  path: Record<string, string>
  /** The connected account that the caller speaks for. */
  account: string | null
}

export type Run = (work: Work) => object

export interface Endpoint {
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  /** Checks the parameters, and answers the work that is left to do. */
  bind(tree: Tree, call: { path: Record<string, string>; account: string | null }): Run
}

interface Definition<S extends Shape> {
  /** Such as `POST /v1/customers/:id`. */
  on: `${Endpoint['method']} /${string}`
  params: S
  run(work: Work, call: Call<S>): object
}

export function endpoint<S extends Shape>({ on, params, run }: Definition<S>): Endpoint {
  const [method, path] = on.split(' ') as [Endpoint['method'], string]
  const encoding: Encoding = path.startsWith('/v2/') && method !== 'GET' ? 'json' : 'form'
  return {
    method,
    path,
    bind(tree, call) {
      const values = readParams(params, tree, encoding)
      return (work) => run(work, { ...call, params: values })
    },
  }
}

/** The id that the path names, which every such endpoint has. */
export function idIn({ path }: { path: Record<string, string> }): string {
  return path.id ?? ''
}

export function found<T>(record: T | undefined, what: string, call: Call<Shape>): T {
  if (record === undefined) throw missing(what, idIn(call))
  return record
}
