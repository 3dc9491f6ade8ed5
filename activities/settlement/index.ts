/** Steps of settlement. */
import type { ActivityDeps } from '../deps.ts'
import { calculationActivities } from './calculation.ts'
import { closingActivities } from './closing.ts'
import { decisionActivities } from './decisions.ts'
import { releaseActivities } from './release.ts'

export function settlementActivities(deps: ActivityDeps) {
  return {
    ...closingActivities(deps),
    ...calculationActivities(deps),
    ...releaseActivities(deps),
    ...decisionActivities(deps),
  }
}
