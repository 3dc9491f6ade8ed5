/** A settlement run as it goes on, for those who watch it. */

import type { Db } from '../db/database.ts'
import { getRun } from '../db/settlement/runs.ts'
import { listStages } from '../db/settlement/stages.ts'
import type { TenantContext } from '../db/tenancy.ts'
import { DomainError } from '../domain/errors.ts'
import type { ApiDeps } from './deps.ts'
import type { Snapshot } from './event-streams.ts'
import { type Call, type Route, route } from './route.ts'
import { presentProgress } from './settlement.ts'
import { pathId } from './validate.ts'

/** One reading serves all who watch, each of whom has been let in by its own rights. */
const watcher: TenantContext = {
  level: 'super_admin',
  partnerId: null,
  customerId: null,
  actor: 'system:events',
  onBehalfOf: null,
  requestId: null,
  action: 'settlement events',
}

const notFound = 'there is no such settlement run'

export function settlementEventRoutes(deps: ApiDeps): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/settlement-runs/:id/events',
      tag: 'Settlement',
      summary: 'Watch a settlement run',
      description:
        'Server-sent events. `progress` holds the run as it is read, once at the beginning and ' +
        'whenever it has changed; `end` says why nothing follows: `over`, `forbidden`, ' +
        '`draining` or `expired`. Who comes back with Last-Event-ID is told only what is new, ' +
        'and 410 once it has seen the end, after which a browser stays away.',
      access: 'settlement.read',
      answers: { 200: { description: 'Its events', mediaType: 'text/event-stream' } },
      refusals: ['not_found', 'gone', 'temporarily_unavailable'],
      handle: (call) => watch(deps, call),
    }),
  ]
}

async function watch({ streams, tenancy }: ApiDeps, call: Call) {
  const runId = pathId('settlementRun', call.params.id, notFound)
  const shared = tenancy.dbFor(watcher)
  const stream = streams.open({
    topic: `settlement run ${runId}`,
    read: () => snapshotOf(shared, runId),
    first: await snapshotOf(call.db, runId),
    memberId: call.principal.memberId,
    lastEventId: call.header('Last-Event-ID'),
    stillMay: call.stillMay,
  })
  if (!stream) throw new DomainError('gone', 'the run is over, and you have seen its end')
  const headers = { 'Content-Type': 'text/event-stream; charset=utf-8', 'X-Accel-Buffering': 'no' }
  return { status: 200, body: stream, headers }
}

/** A preview has nothing before it once it has its totals. */
async function snapshotOf(db: Db, runId: string): Promise<Snapshot> {
  const run = await getRun(db, runId)
  const data = presentProgress(run, await listStages(db, runId))
  const { stages, ...rest } = data
  const state = {
    ...rest,
    stages: stages.map(({ per_second: _rate, seconds_left: _left, ...stage }) => stage),
  }
  const isLast =
    run.stage === 'closed' ||
    run.stage === 'cancelled' ||
    (run.mode === 'preview' && run.stage === 'review')
  return { data, state, isLast }
}
