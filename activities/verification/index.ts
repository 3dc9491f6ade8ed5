/** Steps of verification after the first day. */
import type { ActivityDeps } from '../deps.ts'
import { reverificationActivities } from './reverification.ts'
import { upkeepActivities } from './upkeep.ts'

export function verificationUpkeepActivities(deps: ActivityDeps) {
  return { ...reverificationActivities(deps), ...upkeepActivities(deps) }
}
