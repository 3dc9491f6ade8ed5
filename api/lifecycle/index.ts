/** The ends of partnerships and of tenants. */
import type { Route } from '../route.ts'
import { terminationRoutes } from './terminations.ts'

export function lifecycleRoutes(): Route[] {
  return [...terminationRoutes()]
}
