/** Certificates: read by those above, printed, checked by anybody who has a number. */
import { z } from 'zod'
import type { Principal } from '../../db/access.ts'
import { inTransaction } from '../../db/database.ts'
import { findPartner } from '../../db/partners.ts'
import { getProgramme } from '../../db/programmes.ts'
import {
  type CertificateRow,
  type CourseStanding,
  findCertificateByNumber,
  findPrintedCertificate,
  listCertificates,
  listCertificationGaps,
  listCourseStandings,
  markCertificateRevoked,
} from '../../db/training/certificates.ts'
import { DomainError } from '../../domain/errors.ts'
import { outwardId } from '../../domain/ids.ts'
import {
  certificateState,
  certificateStates,
  certifiedSteps,
  enrolmentStates,
  furthestState,
} from '../../domain/training.ts'
import { certificatePdf } from '../../integrations/documents.ts'
import type { ApiDeps } from '../deps.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from '../paging.ts'
import { startCommitted } from '../processes.ts'
import { type Call, openRoute, type Route, route } from '../route.ts'
import { found, idAnswer, instantAnswer, pathId, text } from '../validate.ts'
import { tellRenewed } from './enrolments.ts'

const certificateAnswer = z.object({
  id: idAnswer('certificate'),
  number: z.string(),
  partner: idAnswer('partner'),
  /** For its own organisation alone. */
  member: idAnswer('member').nullable(),
  course: z.object({
    id: idAnswer('course'),
    code: z.string(),
    title: z.string(),
    version: z.int(),
  }),
  state: z.enum(certificateStates),
  issued_at: instantAnswer,
  expires_at: instantAnswer.nullable(),
  revoked_at: instantAnswer.nullable(),
  renewed_by: idAnswer('certificate').nullable(),
})

const publicAnswer = z.object({
  number: z.string(),
  state: z.enum(certificateStates),
  company: z.string(),
  course: z.string(),
  issued_at: instantAnswer,
  expires_at: instantAnswer.nullable(),
})

const certificationAnswer = z.object({
  partner: idAnswer('partner'),
  courses: z.array(
    z.object({
      course: z.object({
        id: idAnswer('course'),
        code: z.string(),
        title: z.string(),
        version: z.int(),
      }),
      certifies: z.array(z.enum(certifiedSteps)),
      state: z.enum(enrolmentStates),
      certificate: z
        .object({ number: z.string(), expires_at: instantAnswer.nullable() })
        .nullable(),
    }),
  ),
  /** What the programme asks a certificate for, and which courses are missing. */
  required: z.array(
    z.object({
      for: z.enum(certifiedSteps),
      met: z.boolean(),
      missing: z.array(z.string()),
    }),
  ),
})

const revocationForm = z.strictObject({ reason: text(500) })

const noCertificate = 'there is no such certificate'
const noPartner = 'there is no such partner'

export function certificateRoutes(deps: ApiDeps): Route[] {
  return [...readingRoutes(), checkRoute(), revocationRoute(deps), standingRoute()]
}

function readingRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/certificates',
      tag: 'Training',
      summary: 'List certificates',
      description: 'Of your organisation and everyone below it.',
      access: 'training.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(certificateAnswer) } },
      refusals: [],
      handle: async ({ db, query, principal }) => {
        const page = await listCertificates(db, pageRequest(query))
        return { status: 200, body: presentPage(page, (row) => presentCertificate(row, principal)) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/certificates/:id/pdf',
      tag: 'Training',
      summary: 'Print a certificate',
      description: 'The name of the member is on it for its own organisation.',
      access: 'training.read',
      answers: { 200: { description: 'The document', mediaType: 'application/pdf' } },
      refusals: ['not_found'],
      handle: async ({ db, params }) => {
        const id = pathId('certificate', params.id, noCertificate)
        const row = found(await findPrintedCertificate(db, id), noCertificate)
        const programme = await getProgramme(db)
        const body = await certificatePdf({
          number: row.number,
          programme: programme.name,
          company: row.partnerName,
          member: row.memberName ?? null,
          course: row.title,
          issuedAt: row.issuedAt,
          expiresAt: row.expiresAt,
        })
        const headers = {
          'Content-Type': 'application/pdf',
          'Content-Disposition': `attachment; filename="certificate-${row.number}.pdf"`,
        }
        return { status: 200, body, headers }
      },
    }),
  ]
}

function checkRoute(): Route {
  return openRoute({
    method: 'GET',
    path: '/v1/certificates/:number',
    tag: 'Training',
    summary: 'Check a certificate by its number',
    description: 'For anybody: whether it is good, and of which company.',
    access: 'public',
    answers: { 200: { description: 'How it stands', schema: publicAnswer } },
    refusals: ['not_found'],
    handle: async ({ as, params }) => {
      const number = (params.number ?? '').toUpperCase()
      if (!/^[A-Z0-9]{4}(-[A-Z0-9]{4}){3}$/.test(number)) {
        throw new DomainError('not_found', noCertificate)
      }
      const row = found(await findCertificateByNumber(as('intake'), number), noCertificate)
      return {
        status: 200,
        body: {
          number: row.number,
          state: certificateState(row, row.now),
          company: row.partnerName,
          course: row.title,
          issued_at: row.issuedAt.toISOString(),
          expires_at: row.expiresAt?.toISOString() ?? null,
        },
      }
    },
  })
}

function revocationRoute(deps: ApiDeps): Route {
  return route({
    method: 'POST',
    path: '/v1/certificates/:id/revocation',
    tag: 'Training',
    summary: 'Revoke a certificate',
    access: 'certificates.revoke',
    body: revocationForm,
    answers: { 200: { description: 'Revoked', schema: certificateAnswer } },
    refusals: ['not_found', 'invalid_request', 'conflict'],
    handle: async ({ db, params, body, principal }) => {
      const id = pathId('certificate', params.id, noCertificate)
      const row = await inTransaction(db, (trx) =>
        markCertificateRevoked(trx, { id, reason: body.reason }),
      )
      if (row.expiresAt) await startCommitted(deps, () => tellRenewed(deps, id))
      return { status: 200, body: presentCertificate(row, principal) }
    },
  })
}

function standingRoute(): Route {
  return route({
    method: 'GET',
    path: '/v1/partners/:id/certification',
    tag: 'Training',
    summary: 'Read how far a partner is with its certification',
    access: 'training.read',
    answers: { 200: { description: 'By course', schema: certificationAnswer } },
    refusals: ['not_found'],
    handle: async ({ db, params }) => {
      const id = pathId('partner', params.id, noPartner)
      found(await findPartner(db, id), noPartner)
      const standings = await listCourseStandings(db, id)
      return {
        status: 200,
        body: {
          partner: outwardId('partner', id),
          courses: standings.map(presentStanding),
          required: await requirementsOf(db, id),
        },
      }
    },
  })
}

async function requirementsOf(db: Call['db'], partnerId: string) {
  const { onboarding } = await getProgramme(db)
  return Promise.all(
    onboarding.certificationRequiredFor.map(async (step) => {
      const gaps = await listCertificationGaps(db, { partnerIds: [partnerId], step })
      const missing = gaps.get(partnerId)
      return { for: step, met: missing === undefined, missing: missing ?? [] }
    }),
  )
}

function presentStanding(row: CourseStanding) {
  const furthest = furthestState(row.states)
  // A round that was passed says nothing any more when its certificate is gone.
  const past = furthest === 'passed' ? 'expired' : furthest
  return {
    course: {
      id: outwardId('course', row.courseId),
      code: row.code,
      title: row.title,
      version: row.version,
    },
    certifies: row.certifies,
    state: row.number ? ('passed' as const) : past,
    certificate: row.number
      ? { number: row.number, expires_at: row.expiresAt?.toISOString() ?? null }
      : null,
  }
}

function presentCertificate(row: CertificateRow, { partnerId }: Pick<Principal, 'partnerId'>) {
  return {
    id: outwardId('certificate', row.id),
    number: row.number,
    partner: outwardId('partner', row.partnerId),
    member: row.partnerId === partnerId ? outwardId('member', row.memberId) : null,
    course: {
      id: outwardId('course', row.courseId),
      code: row.code,
      title: row.title,
      version: row.version,
    },
    state: certificateState(row, row.now),
    issued_at: row.issuedAt.toISOString(),
    expires_at: row.expiresAt?.toISOString() ?? null,
    revoked_at: row.revokedAt?.toISOString() ?? null,
    renewed_by: row.renewedBy && outwardId('certificate', row.renewedBy),
  }
}
