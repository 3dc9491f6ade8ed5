/** Every route of training. */
import type { ApiDeps } from '../deps.ts'
import type { Route } from '../route.ts'
import { certificateRoutes } from './certificates.ts'
import { courseRoutes } from './courses.ts'
import { enrolmentRoutes } from './enrolments.ts'

export function trainingRoutes(deps: ApiDeps): Route[] {
  return [...courseRoutes(), ...enrolmentRoutes(deps), ...certificateRoutes(deps)]
}
