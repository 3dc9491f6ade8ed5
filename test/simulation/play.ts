/** Plays a scenario on a test database, and shows its figures as short texts. */
import { openScratch, type Scratch } from '../../db/scratch.ts'
import { readScenario } from '../../simulation/scenario.ts'
import { simulate } from '../../simulation/simulate.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

export interface Player {
  play(input: unknown): ReturnType<typeof simulate>
  database: TestDatabase
}

/** For a test file: the database is made before its tests and dropped after them. */
export function usePlayer(): Player {
  const player = {} as Player
  let scratch: Scratch
  beforeAll(async () => {
    player.database = await createTestDatabase()
    scratch = await openScratch(player.database.db)
    player.play = async (input) => {
      const result = await simulate(scratch.trx, readScenario(input))
      expect(result.invariants.violations).toEqual([])
      return result
    }
  })
  afterAll(async () => {
    await scratch.close()
    await player.database.drop()
  })
  return player
}

type Result = Awaited<ReturnType<typeof simulate>>

/** `p1 r 2000`, one for each share. */
export const shares = ({ accruals }: Result) =>
  accruals.map(({ payment, partner, amount }) => `${payment} ${partner} ${amount}`)

/** `x1 r 666 2026-11`, one for each clawback. */
export const backs = ({ clawbacks }: Result) =>
  clawbacks.map(({ cause, partner, amount, period }) => `${cause} ${partner} ${amount} ${period}`)

export const platform = ({ platform: rows }: Result) => rows.map(({ amount }) => amount)

/** The statements of one partner, as `period: opening+earned-clawed+adjusted=closing`. */
export const statements = (result: Result, partner: string) =>
  result.statements
    .filter((statement) => statement.partner === partner)
    .map(
      ({ period, opening, earned, clawed_back, adjustments, closing, held, payable, carried }) =>
        `${period} ${opening} ${earned} ${clawed_back} ${adjustments} = ${closing}, ` +
        `held ${held}, pays ${payable}, carries ${carried}`,
    )

export const wholes = ({ true_ups, bonuses }: Result) =>
  [...true_ups, ...bonuses].map(({ partner, rule, period, amount }) =>
    [partner, rule, period, amount].join(' '),
  )
