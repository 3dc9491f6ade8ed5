/** A route as one declaration: it feeds the router, the checks and the API description. */
import type { z } from 'zod'
import type { Principal } from '../db/access.ts'
import type { ErrorCode } from '../domain/errors.ts'
import type { Permission } from './policies.ts'

export interface Answer<Body = unknown> {
  status: number
  body: Body
  headers?: Record<string, string>
}

/** What a handler gets: everything in it has been checked. */
export interface Call<Query = unknown, Body = unknown, Who = Principal> {
  principal: Who
  params: Record<string, string>
  query: Query
  body: Body
  rawBody: Buffer
  /** Becomes the id of what the request creates, so that a repeated request finds its effect. */
  operationId: string
  ip: string
  header: (name: string) => string
}

interface RouteFacts {
  method: 'GET' | 'POST' | 'DELETE'
  /** With `:id` for parameters. */
  path: string
  summary: string
  description?: string
  tag: string
  /** Answers by status; a media type other than JSON is named in `mediaType`. */
  answers: Record<number, { description: string; schema?: z.ZodType; mediaType?: string }>
  refusals: ErrorCode[]
}

/** A route with its types erased, as the server and the description use it. */
export interface Route extends RouteFacts {
  /** `public` takes no key; `optional` takes one and lets the handler decide. */
  access: Permission | 'public' | 'optional'
  query?: z.ZodType
  body?: z.ZodType
  /** The bytes of the body are checked by the handler: webhooks. */
  rawBody?: true
  handle(call: Call<never, never, never>): Promise<Answer>
}

/** Erased once here, so that every handler is typed by its own schemas. */
export function route<
  Query extends z.ZodType = z.ZodUndefined,
  Body extends z.ZodType = z.ZodUndefined,
>(
  definition: RouteFacts & {
    access: Permission
    query?: Query
    body?: Body
    handle(call: Call<z.output<Query>, z.output<Body>>): Promise<Answer>
  },
): Route {
  return definition as unknown as Route
}

/** A route that can be called without a key; `principal` is null then. */
export function openRoute<
  Query extends z.ZodType = z.ZodUndefined,
  Body extends z.ZodType = z.ZodUndefined,
>(
  definition: RouteFacts & {
    access: 'public' | 'optional'
    query?: Query
    body?: Body
    rawBody?: true
    handle(call: Call<z.output<Query>, z.output<Body>, Principal | null>): Promise<Answer>
  },
): Route {
  return definition as unknown as Route
}
