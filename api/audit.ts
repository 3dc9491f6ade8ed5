/** The audit trail: who did what, and who was refused. */
import { z } from 'zod'
import { type AuditEventRow, listAuditEvents, listAuditEventsOf } from '../db/audit.ts'
import {
  type AuditKind,
  actorOf,
  auditKinds,
  outwardActor,
  outwardSubject,
  subjectOf,
} from '../domain/audit.ts'
import { DomainError } from '../domain/errors.ts'
import { outwardId } from '../domain/ids.ts'
import { eventsAsCsv, eventsAsJsonLines } from '../integrations/audit-export.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Route, route } from './route.ts'
import { idAnswer, instantAnswer, text } from './validate.ts'

const instant = z.iso.datetime({ offset: true }).transform((given) => new Date(given))
const kinds = Object.keys(auditKinds) as [AuditKind, ...AuditKind[]]

const filters = {
  actor: text().transform(actorOf).optional(),
  kind: z.enum(kinds).optional(),
  subject: text().transform(subjectOf).optional(),
  action: text().optional(),
}

const listQuery = z.strictObject({
  ...pageQuery,
  ...filters,
  from: instant.optional(),
  to: instant.optional(),
})

const exportQuery = z.strictObject({
  ...filters,
  from: instant,
  to: instant,
  format: z.enum(['jsonl', 'csv']).default('jsonl'),
})

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)

const eventAnswer = z.object({
  id: idAnswer('auditEvent'),
  partner: idAnswer('partner').nullable(),
  seq: z.int(),
  at: instantAnswer,
  actor: z.string(),
  on_behalf_of: z.string().nullable(),
  request_id: z.string().nullable(),
  action: z.string().nullable(),
  kind: z.enum(kinds),
  subject: z.string(),
  verb: z.enum(['created', 'changed', 'removed', 'refused']),
  code: z.string().nullable(),
  changed: z.array(z.string()).nullable(),
  before_hash: sha256.nullable(),
  after_hash: sha256.nullable(),
  hash: sha256,
})

/** What one answer can hold without getting in the way of others. */
const mostDays = 31
const mostEvents = 20_000
const dayMs = 86_400_000

export function auditRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/audit-events',
      tag: 'Audit',
      summary: 'List audit events',
      description:
        'What was done and refused, by you and everyone below you. `seq` and `hash` are the ' +
        'place of an event in the chain of its partner, or of the platform.',
      access: 'audit.read',
      query: listQuery,
      answers: { 200: { description: 'Newest first', schema: listAnswer(eventAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const { actor, kind, subject, action, from, to } = query
        const filter = { actor, kind, subject, action, from, to }
        const page = await listAuditEvents(db, filter, pageRequest(query))
        return { status: 200, body: presentPage(page, presentEvent) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/audit-events/export',
      tag: 'Audit',
      summary: 'Export audit events',
      description:
        `Oldest first, of at most ${mostDays} days and ${mostEvents} events; JSON lines, or with ` +
        '`format=csv` a table.',
      access: 'audit.export',
      query: exportQuery,
      answers: { 200: { description: 'The file', mediaType: 'application/x-ndjson' } },
      refusals: ['invalid_request'],
      handle: async ({ db, query }) => {
        const { format, ...filter } = query
        refuseLongRange(filter)
        const rows = await listAuditEventsOf(db, filter, mostEvents + 1)
        if (rows.length > mostEvents) refuseRange(`has more than ${mostEvents} events`)
        const events = rows.map(presentEvent)
        const isCsv = format === 'csv'
        const file = isCsv
          ? eventsAsCsv(Object.keys(eventAnswer.shape), events)
          : eventsAsJsonLines(events)
        const headers = {
          'Content-Type': isCsv ? 'text/csv; charset=utf-8' : 'application/x-ndjson; charset=utf-8',
          'Content-Disposition': `attachment; filename="audit-events.${format}"`,
        }
        return { status: 200, body: Buffer.from(file), headers }
      },
    }),
  ]
}

function refuseLongRange({ from, to }: { from: Date; to: Date }): void {
  const length = to.getTime() - from.getTime()
  if (length <= 0) refuseRange('ends before it begins')
  if (length > mostDays * dayMs) refuseRange(`is longer than ${mostDays} days`)
}

/** @throws DomainError `invalid_request` */
function refuseRange(why: string): never {
  throw new DomainError('invalid_request', `query: the range ${why}`, {
    fields: [{ pointer: '/to', code: 'invalid', detail: `the range ${why}` }],
  })
}

function presentEvent(row: AuditEventRow) {
  return {
    id: outwardId('auditEvent', row.id),
    partner: row.partnerId === null ? null : outwardId('partner', row.partnerId),
    seq: Number(row.seq),
    at: row.at.toISOString(),
    actor: outwardActor(row.actor),
    on_behalf_of: row.onBehalfOf === null ? null : outwardActor(row.onBehalfOf),
    request_id: row.requestId,
    action: row.action,
    kind: row.kind,
    subject: outwardSubject(row.kind, row.subject),
    verb: row.verb,
    code: row.code,
    changed: row.changed,
    before_hash: row.beforeHash?.toString('hex') ?? null,
    after_hash: row.afterHash?.toString('hex') ?? null,
    hash: row.hash.toString('hex'),
  }
}
