/** The commission calculator over HTTP: a scenario in, what it would earn out. */
import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { readScenario, type Scenario, ScenarioError } from '../simulation/scenario.ts'
import { simulate } from '../simulation/simulate.ts'
import { type Route, route } from './route.ts'
import { figures } from './statements.ts'
import { currencyAnswer, minorAmount } from './validate.ts'

/** Larger files take too long for a request: `npm run simulate` has no such limit. */
const mostEvents = 500
/** Each holds a connection while it runs. */
const mostAtOnce = 2

/** Only the outline: the reader of scenarios names what is wrong inside of it. */
const scenarioBody = z.strictObject({
  currency: z.string(),
  partners: z.array(z.unknown()),
  rules: z.array(z.unknown()),
  programme: z.unknown().optional(),
  fx: z.array(z.unknown()).optional(),
  events: z.array(z.unknown()).optional(),
  close: z.array(z.unknown()).optional(),
})

const converted = z.object({ currency: currencyAnswer, amount: minorAmount, rate: z.string() })

const simulationAnswer = z.object({
  accruals: z.array(
    z.object({
      payment: z.string(),
      partner: z.string(),
      depth: z.int(),
      amount: minorAmount,
      rule: z.string(),
      why: z.string(),
    }),
  ),
  clawbacks: z.array(
    z.object({
      cause: z.string(),
      of: z.string(),
      partner: z.string(),
      amount: minorAmount,
      period: z.string(),
      converted: converted.optional(),
    }),
  ),
  platform: z.array(z.object({ payment: z.string(), amount: minorAmount })),
  true_ups: z.array(wholePeriod()),
  bonuses: z.array(wholePeriod()),
  statements: z.array(
    z.object({
      period: z.string(),
      partner: z.string(),
      currency: currencyAnswer,
      ...figures,
      payout: converted.extend({ rate: z.string().nullable() }).nullable(),
    }),
  ),
  invariants: z.object({ checked: z.int(), violations: z.array(z.unknown()) }),
})

function wholePeriod() {
  return z.object({
    partner: z.string(),
    rule: z.string(),
    period: z.string(),
    amount: minorAmount,
  })
}

export function simulationRoutes(): Route[] {
  let running = 0
  return [
    route({
      method: 'POST',
      path: '/v1/simulations',
      tag: 'Simulations',
      summary: 'Calculate what a scenario earns',
      description:
        'Plays partners, rules and events of the body through the code that books real payments, ' +
        'in a transaction that is rolled back. docs/simulator.md describes body and answer.',
      access: 'simulations.run',
      body: scenarioBody,
      answers: { 200: { description: 'What it earns', schema: simulationAnswer } },
      refusals: ['too_many_requests'],
      handle: async ({ as, body }) => {
        const scenario = refusedAsRequest(() => readScenario(body))
        if (scenario.events.length > mostEvents) throw tooManyEvents(scenario)
        if (running >= mostAtOnce) {
          throw new DomainError('too_many_requests', 'other simulations are running; try again', {
            retryAfterSeconds: 2,
          })
        }
        running += 1
        try {
          return { status: 200, body: await simulate(as('simulation'), scenario) }
        } catch (error) {
          throw asRequestError(error)
        } finally {
          running -= 1
        }
      },
    }),
  ]
}

function refusedAsRequest<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw asRequestError(error)
  }
}

/** `events[3].of` as the pointer `/events/3/of`. */
function pointer(path: string): string {
  const segments = path.split(/[.[\]]+/).filter((segment) => segment !== '')
  return segments.map((segment) => `/${segment}`).join('')
}

function asRequestError(error: unknown): unknown {
  if (!(error instanceof ScenarioError)) return error
  const fields = error.problems.map(({ path, found, expected }) => ({
    pointer: pointer(path),
    code: 'invalid',
    detail: `found ${found}, expected ${expected}`,
  }))
  return new DomainError(
    'invalid_request',
    `the scenario has ${fields.length} problem(s); each is named below`,
    { fields },
  )
}

function tooManyEvents({ events }: Scenario): DomainError {
  const detail = `found ${events.length} events, expected at most ${mostEvents}`
  return new DomainError('invalid_request', 'the scenario is too large for a request', {
    fields: [{ pointer: '/events', code: 'invalid', detail }],
  })
}
