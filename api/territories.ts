/** Areas that partners sell in: assigned, released, and ruled on where two want the same one. */
import { z } from 'zod'
import { inTransaction } from '../db/database.ts'
import { getProgramme } from '../db/programmes.ts'
import {
  findTerritory,
  listTerritories,
  recordAssignment,
  recordRelease,
  recordRuling,
  type TerritoryRow,
} from '../db/territories.ts'
import { outwardActor } from '../domain/audit.ts'
import { outwardId } from '../domain/ids.ts'
import {
  explainConflict,
  isTerritory,
  releaseCauses,
  territoryModes,
  territoryRulings,
  territoryStatuses,
} from '../domain/territories.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Route, route } from './route.ts'
import { found, idAnswer, idField, instantAnswer, pathId, text } from './validate.ts'

/** `US`, `US-CA` or `US-CA-94`. */
export const territoryField = z
  .string()
  .max(16)
  .refine(isTerritory, 'expected a country like US, a part of one like US-CA, or US-CA-94')

const assignmentForm = z.strictObject({ code: territoryField, mode: z.enum(territoryModes) })
const releaseForm = z.strictObject({ reason: text(500) })
const rulingForm = z.strictObject({ ruling: z.enum(territoryRulings), reason: text(500) })

const listQuery = z.strictObject({
  ...pageQuery,
  holder: idField('partner').optional(),
  code: territoryField.optional(),
  status: z.enum(territoryStatuses).optional(),
})

const territoryAnswer = z.object({
  id: idAnswer('territory'),
  code: z.string(),
  mode: z.enum(territoryModes),
  status: z.enum(territoryStatuses),
  partner: idAnswer('partner').nullable(),
  application: idAnswer('application').nullable(),
  since: instantAnswer,
  until: instantAnswer.nullable(),
  expires_at: instantAnswer.nullable(),
  release_cause: z.enum(releaseCauses).nullable(),
})

/** What stands in the way of an area, and what was ruled; for those who decide alone. */
export const conflictAnswer = z.object({
  id: idAnswer('territoryConflict'),
  code: z.string(),
  mode: z.enum(territoryModes),
  status: z.enum(territoryStatuses),
  partner: idAnswer('partner').nullable(),
  application: idAnswer('application').nullable(),
  reason: z.string(),
  holder: z
    .object({
      partner: idAnswer('partner').nullable(),
      application: idAnswer('application').nullable(),
      assignment: idAnswer('territory'),
    })
    .nullable(),
  since: instantAnswer,
  ruling: z
    .object({
      ruling: z.enum(territoryRulings),
      reason: z.string(),
      by: z.string(),
      at: instantAnswer,
    })
    .nullable(),
})

/** An area of an application, as those see it who decide on it. */
export const wishedTerritoryAnswer = territoryAnswer.extend({ conflict: conflictAnswer.nullable() })

const noPartner = 'there is no such partner'
const noAssignment = 'there is no such assignment'
const noConflict = 'there is no such conflict'

export function territoryRoutes(): Route[] {
  return [...readingRoutes(), ...assignmentRoutes(), ...conflictRoutes()]
}

function readingRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/territories',
      tag: 'Territories',
      summary: 'List who sells where',
      description:
        'Yours and those of everyone below you. `code` finds what has a place in common with it.',
      access: 'territories.read',
      query: listQuery,
      answers: { 200: { description: 'Newest first', schema: listAnswer(territoryAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const page = await listTerritories(db, {
          ...pageRequest(query),
          holderId: query.holder,
          code: query.code,
          status: query.status,
        })
        return { status: 200, body: presentPage(page, presentTerritory) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/territory-assignments/:id',
      tag: 'Territories',
      summary: 'Read an assignment',
      access: 'territories.read',
      answers: { 200: { description: 'The assignment', schema: territoryAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, params }) => {
        const id = pathId('territory', params.id, noAssignment)
        return {
          status: 200,
          body: presentTerritory(found(await findTerritory(db, id), noAssignment)),
        }
      },
    }),
  ]
}

function assignmentRoutes(): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/partners/:id/territories',
      tag: 'Territories',
      summary: 'Assign an area to a partner',
      description:
        'A master reseller assigns to partners below it, and where it holds areas itself, only ' +
        'parts of those.',
      access: 'territories.write',
      effect: 'transaction',
      body: assignmentForm,
      answers: { 201: { description: 'Assigned', schema: territoryAnswer } },
      refusals: ['not_found', 'invalid_request', 'forbidden', 'conflict', 'territory_conflict'],
      handle: async ({ db, params, body, operationId }) => {
        const partnerId = pathId('partner', params.id, noPartner)
        const row = await inTransaction(db, (trx) =>
          recordAssignment(trx, { id: operationId, partnerId, ...body }),
        )
        const made = presentTerritory(row)
        const headers = { Location: `/v1/territory-assignments/${made.id}` }
        return { status: 201, body: made, headers }
      },
    }),
    route({
      method: 'POST',
      path: '/v1/territory-assignments/:id/release',
      tag: 'Territories',
      summary: 'End an assignment or a reservation',
      access: 'territories.write',
      effect: 'transaction',
      body: releaseForm,
      answers: { 200: { description: 'Ended', schema: territoryAnswer } },
      refusals: ['not_found', 'invalid_request', 'conflict'],
      handle: async ({ db, params, body }) => {
        const id = pathId('territory', params.id, noAssignment)
        const row = await inTransaction(db, (trx) => recordRelease(trx, { id, ...body }))
        return { status: 200, body: presentTerritory(row) }
      },
    }),
  ]
}

function conflictRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/territory-conflicts',
      tag: 'Territories',
      summary: 'List conflicts that wait for a ruling',
      access: 'conflicts.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(conflictAnswer) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const page = await listTerritories(db, { ...pageRequest(query), status: 'conflict' })
        return { status: 200, body: presentPage(page, presentConflict) }
      },
    }),
    route({
      method: 'POST',
      path: '/v1/territory-conflicts/:id/ruling',
      tag: 'Territories',
      summary: 'Rule on a conflict',
      description:
        '`share`: all have it together. `grant_exclusive`: who stands in the way loses it. ' +
        '`decline`: it stays as it was. A master reseller rules where all parties are below it.',
      access: 'conflicts.rule',
      effect: 'transaction',
      body: rulingForm,
      answers: { 200: { description: 'Ruled', schema: conflictAnswer } },
      refusals: ['not_found', 'invalid_request', 'forbidden', 'already_decided'],
      handle: async ({ db, params, body }) => {
        const id = pathId('territoryConflict', params.id, noConflict)
        const { deadlines } = await getProgramme(db)
        const reservedFor = deadlines.territoryReservation
        const row = await inTransaction(db, (trx) =>
          recordRuling(trx, { id, ...body, reservedFor }),
        )
        return { status: 200, body: presentConflict(row) }
      },
    }),
  ]
}

const outward = (kind: 'partner' | 'application', id: string | null) => id && outwardId(kind, id)

function presentTerritory(row: TerritoryRow) {
  return {
    id: outwardId('territory', row.id),
    code: row.territory,
    mode: row.mode,
    status: row.status,
    partner: outward('partner', row.partnerId),
    application: outward('application', row.applicationId),
    since: row.since.toISOString(),
    until: row.until?.toISOString() ?? null,
    expires_at: row.expiresAt?.toISOString() ?? null,
    release_cause: row.releaseCause,
  }
}

function presentConflict(row: TerritoryRow) {
  const { blockedBy, blockedTerritory, blockedMode, blockedSince } = row
  if (!blockedBy || !blockedTerritory || !blockedMode || !blockedSince) {
    throw new Error('an assignment without a conflict has none to tell')
  }
  const partner = outward('partner', row.blockerPartnerId)
  const application = outward('application', row.blockerApplicationId)
  return {
    id: outwardId('territoryConflict', row.id),
    code: row.territory,
    mode: row.mode,
    status: row.status,
    partner: outward('partner', row.partnerId),
    application: outward('application', row.applicationId),
    reason: explainConflict({
      territory: blockedTerritory,
      mode: blockedMode,
      since: blockedSince,
      holder: partner ?? application,
    }),
    holder:
      partner || application
        ? { partner, application, assignment: outwardId('territory', blockedBy) }
        : null,
    since: row.since.toISOString(),
    ruling: presentRuling(row),
  }
}

function presentRuling({ ruling, rulingReason, ruledBy, ruledAt }: TerritoryRow) {
  if (!ruling || !rulingReason || !ruledBy || !ruledAt) return null
  return { ruling, reason: rulingReason, by: outwardActor(ruledBy), at: ruledAt.toISOString() }
}

/** An area that an application asked for, with what stands in its way. */
export function presentWishedTerritory(row: TerritoryRow) {
  return { ...presentTerritory(row), conflict: row.blockedBy ? presentConflict(row) : null }
}
