/** The commission calculator: a scenario through the code and the SQL that book real payments. */
import type { Db } from '../db/database.ts'
import { withScratchSchema } from '../db/scratch.ts'
import { play } from './play.ts'
import { resultsOf, type SimulationResult } from './results.ts'
import type { Scenario } from './scenario.ts'
import { scenarioVendor } from './vendor.ts'
import { makeWorld } from './world.ts'

/**
 * Plays a scenario on empty tables that nobody else sees and that are gone afterwards.
 * @throws ScenarioError where a month is closed before an earlier one that has entries.
 */
export async function simulate(db: Db, scenario: Scenario): Promise<SimulationResult> {
  return withScratchSchema(db, async (trx) => {
    const world = await makeWorld(trx, scenario)
    const vendor = scenarioVendor(world)
    await play({ trx, world, vendor })
    return resultsOf(trx, { world, vendor })
  })
}
