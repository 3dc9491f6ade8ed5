/** Whether this process lives, and whether it can do its work. */
import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import { ping } from '../db/database.ts'
import { isMigrated } from '../db/migrations.ts'
import { taskQueue } from '../domain/process-names.ts'
import type { ApiDeps } from './deps.ts'
import { openRoute, type Route } from './route.ts'

const readyAnswer = z.object({
  ready: z.boolean(),
  checks: z.record(z.string(), z.enum(['ok', 'failed'])),
})

const checkLimitMs = 2_000

export function healthRoutes(deps: ApiDeps): Route[] {
  return [
    openRoute({
      method: 'GET',
      path: '/healthz',
      tag: 'Health',
      summary: 'The process lives',
      access: 'public',
      answers: { 200: { description: 'It lives', schema: z.object({ ok: z.literal(true) }) } },
      refusals: [],
      handle: async () => ({ status: 200, body: { ok: true } }),
    }),
    openRoute({
      method: 'GET',
      path: '/readyz',
      tag: 'Health',
      summary: 'The process can do its work',
      description: 'Database reachable and migrated, Temporal reachable, a worker is polling.',
      access: 'public',
      answers: {
        200: { description: 'Ready', schema: readyAnswer },
        503: { description: 'Not ready', schema: readyAnswer },
      },
      refusals: [],
      handle: async ({ as }) => {
        const db = as('sign_in')
        const [database, migrations, temporal, worker] = await Promise.all([
          passes(() => ping(db).then(() => true)),
          passes(() => isMigrated(db)),
          passes(() => temporalAnswers(deps)),
          passes(() => workerPolls(deps)),
        ])
        const checks = { database, migrations, temporal, worker }
        const ready = Object.values(checks).every((check) => check === 'ok')
        return { status: ready ? 200 : 503, body: { ready, checks } }
      },
    }),
  ]
}

async function passes(check: () => Promise<boolean>): Promise<'ok' | 'failed'> {
  const late = pause(checkLimitMs, false, { ref: false })
  try {
    return (await Promise.race([check(), late])) ? 'ok' : 'failed'
  } catch {
    return 'failed'
  }
}

/** Ends the client's own retries too, which would go on behind an answer that is given. */
function withinLimit<T>(temporal: ApiDeps['temporal'], ask: () => Promise<T>): Promise<T> {
  return temporal.connection.withDeadline(Date.now() + checkLimitMs, ask)
}

async function temporalAnswers({ temporal }: ApiDeps): Promise<boolean> {
  const { namespace } = temporal.options
  await withinLimit(temporal, () => temporal.workflowService.describeNamespace({ namespace }))
  return true
}

const workflowQueue = 1
const pollerAgeMs = 90_000

async function workerPolls({ temporal }: ApiDeps): Promise<boolean> {
  const { pollers } = await withinLimit(temporal, () =>
    temporal.workflowService.describeTaskQueue({
      namespace: temporal.options.namespace,
      taskQueue: { name: taskQueue },
      taskQueueType: workflowQueue,
    }),
  )
  return (pollers ?? []).some((poller) => {
    const seen = Number(poller.lastAccessTime?.seconds ?? 0) * 1000
    return Date.now() - seen < pollerAgeMs
  })
}
