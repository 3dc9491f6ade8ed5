/** A route as one declaration: it feeds the router, the checks and the API description. */
import type { z } from 'zod'
import type { Principal } from '../db/access.ts'
import type { Db } from '../db/database.ts'
import type { ContextLevel } from '../db/tenancy.ts'
import type { DomainError, ErrorCode } from '../domain/errors.ts'
import type { Permission } from './policies.ts'

export interface Answer<Body = unknown> {
  status: number
  body: Body
  headers?: Record<string, string>
}

/** What a handler gets: everything in it has been checked. */
export interface Call<Query = unknown, Body = unknown, Who = Principal> {
  principal: Who
  /** Sees and changes what the caller may. */
  db: Db
  /** The database for what is done before there is a caller, or beside one. */
  as(level: DoorLevel, partnerId?: string): Db
  params: Record<string, string>
  query: Query
  body: Body
  rawBody: Buffer
  /** Becomes the id of what the request creates, so that a repeated request finds its effect. */
  operationId: string
  requestId: string
  ip: string
  /** Stands for the address where it is kept. */
  caller: string
  header: (name: string) => string
  /**
   * Looks again, while an answer goes on, whether the caller may have it.
   * @throws DomainError as a new request would be refused.
   */
  stillMay(): Promise<void>
}

/** Contexts that need no key. `intake` takes the id of the application that it is about. */
export type DoorLevel = Extract<ContextLevel, 'intake' | 'sign_in' | 'simulation'>

/** What a browser sent, as it stands in the fields of its page. */
export interface SentForm {
  fields: URLSearchParams
  params: Record<string, string>
  /** Of the link that led to the page. */
  token: string | undefined
  as: Call['as']
}

export interface BrowserForm {
  /** The body that a program would send; what is left empty is left out of it. */
  body(fields: URLSearchParams): unknown
  /** What a person sees instead of the answer. */
  answered(sent: SentForm, answer: Answer): Answer | Promise<Answer>
  /** The page with what was written and what is wrong with it; its status is the refusal's. */
  refused(sent: SentForm, refusal: DomainError): Promise<Answer>
}

interface DescribedAnswer {
  description: string
  schema?: z.ZodType
  /** Of an answer that is no JSON. */
  mediaType?: string
  /** A browser gets the same as a page. */
  page?: true
}

interface RouteFacts {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With `:id` for parameters. */
  path: string
  summary: string
  description?: string
  tag: string
  /** Answers by status; a media type other than JSON is named in `mediaType`. */
  /**
   * `transaction`: everything that it does, and the answer that is kept for its key, is one
   * transaction. `process`, also when left out: more follows, which is found by the operation's id.
   */
  effect?: 'transaction' | 'process'
  /** Whether a key is needed: where money moves or a process starts. */
  idempotencyKey?: 'required' | 'optional'
  /** Its body may hold an API key, which is what it is about. */
  takesKeys?: true
  /** In bytes, where a body may not be as long as others. */
  largestBody?: number
  /** The media types of a body that is no JSON. */
  bodyTypes?: string[]
  /** What a browser's form sends to it, and the pages that it gets. */
  form?: BrowserForm
  /** Takes no Idempotency-Key: its answer is never kept. */
  unkeyed?: true
  answers: Record<number, DescribedAnswer>
  refusals: ErrorCode[]
}

/** A route with its types erased, as the server and the description use it. */
export interface Route extends RouteFacts {
  /** `public` takes no key; `optional` takes one and lets the handler decide. */
  access: Permission | 'public' | 'optional'
  query?: z.ZodType
  body?: z.ZodType
  /** The bytes of the body are checked by the handler: webhooks, images. */
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
    rawBody?: true
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
