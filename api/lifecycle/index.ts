/** The ends of partnerships and of tenants. */
import type { ApiDeps } from '../deps.ts'
import type { Route } from '../route.ts'
import { offboardingRoutes } from './offboarding.ts'
import { terminationRoutes } from './terminations.ts'

export function lifecycleRoutes(deps: ApiDeps): Route[] {
  return [...terminationRoutes(), ...offboardingRoutes(deps)]
}
