/** The routes that there are, each with its line of the matrix and its place on the ladder. */
import { randomUUIDv7 } from 'node:crypto'
import type { ApiDeps } from '../../api/deps.ts'
import { type Permission, type Policy, policies } from '../../api/policies.ts'
import type { Route } from '../../api/route.ts'
import { allRoutes } from '../../api/routes.ts'
import { outwardId } from '../../domain/ids.ts'
import { type Answer, withoutRequestId } from './kit.ts'
import { type Known, type Line, matrix } from './matrix-routes.ts'
import type { ThingKind, Viewer } from './matrix-world.ts'

/** Declarations read no settings; only handlers do, and none of these is ever called. */
const nothing = new Proxy({}, { get: () => ({}) }) as ApiDeps
export const routes = allRoutes(nothing)
export const nameOf = ({ method, path }: Route) => `${method} ${path}`
export const lineOf = (route: Route): Line => matrix[nameOf(route)] ?? {}

/** For a table of tests: the name of a route, the route, and its line. */
export type Row = [string, Route, Line]
export const rowsWith = (has: (line: Line, route: Route) => boolean): Row[] =>
  routes.filter((route) => has(lineOf(route), route)).map((one) => [nameOf(one), one, lineOf(one)])

function permissionOf(route: Route): Permission | undefined {
  const { access } = route
  return access === 'public' || access === 'optional' ? lineOf(route).permission : access
}

export function policyOf(route: Route): Policy | undefined {
  const permission = permissionOf(route)
  return permission && policies[permission]
}

export const guarded = rowsWith((_, route) => policyOf(route) !== undefined)

export const isOpenTo = (route: Route, { level }: Pick<Viewer, 'level'>) =>
  policyOf(route)?.levels.includes(level) !== false

/** Works at several at once, as a pool of connections does. */
export async function inParallel<T>(items: T[], work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items]
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: 8 }, worker))
}

export const randomId = (kind: ThingKind) => outwardId(kind, randomUUIDv7())

/** The path and the request about this id. */
export function requestAbout(route: Route, id: string, known: Known) {
  const { method, path } = route
  const { body: bodyOf, raw } = lineOf(route)
  const body = bodyOf?.(id, known)
  const headers = { 'Idempotency-Key': randomUUIDv7(), 'If-Match': '"v1"' }
  return {
    path: path.replace(':id', id).replace(':n', '1'),
    request: {
      method,
      ...(body ? { body } : {}),
      ...(raw ? { raw } : {}),
      ...(method === 'GET' ? {} : { headers }),
    },
  }
}

/** All of an answer that tells something of what was asked for. */
export function essence(answer: Answer) {
  const { headers, ...rest } = withoutRequestId(answer)
  return { ...rest, headers: headers.filter(([name]) => !/^ratelimit/.test(name)) }
}

const often = { quota: 1_000_000, windowSeconds: 60 }

/** Settings of an API that is asked more often than anybody may ask. */
export const unhurried = {
  applicationsPerMinute: often.quota,
  applicationsPerMailbox: { open: often.quota, daily: often.quota },
  quotas: { key: often, tenant: often },
}
