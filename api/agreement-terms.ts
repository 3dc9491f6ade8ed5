/** Versions of the terms that partners agree to: written, looked at, published. */
import { z } from 'zod'
import {
  findTerms,
  listTerms,
  markTermsPublished,
  recordTerms,
  type TermsRow,
} from '../db/agreement-terms.ts'
import { listAgreedRules, listProductNames } from '../db/commission/rules.ts'
import { type Db, inTransaction } from '../db/database.ts'
import { getProgramme } from '../db/programmes.ts'
import { type AcceptanceCounts, countAcceptances } from '../db/terms-acceptances.ts'
import { commissionSentences } from '../domain/agreement-commission.ts'
import { agreementProblems, placeholders } from '../domain/agreement-text.ts'
import { outwardId } from '../domain/ids.ts'
import { dayOf } from '../domain/period.ts'
import { agreementPdf } from '../integrations/documents.ts'
import { download } from './downloads.ts'
import { listAnswer, pageQuery, pageRequest, presentPage } from './paging.ts'
import { type Call, type Route, route } from './route.ts'
import { found, idAnswer, instantAnswer, pathId, text } from './validate.ts'

const agreementText = text(100_000).superRefine((body, context) => {
  for (const message of agreementProblems(body)) context.addIssue({ code: 'custom', message })
})

const termsForm = z.strictObject({
  version: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$/, 'expected a name like 2027-01, 40 letters at most'),
  title: text(200),
  body: agreementText,
  docusign_template_id: z.uuid().optional(),
})

const daySeconds = 86_400

const publishForm = z.strictObject({
  effective_from: z.iso.datetime({ offset: true }),
  reacceptance: z.strictObject({ notice_days: z.int().min(1).max(365).optional() }).optional(),
})

const termsSummary = z.object({
  id: idAnswer('agreementTerms'),
  version: z.string(),
  title: z.string(),
  status: z.enum(['draft', 'published', 'retired']),
  in_force: z.boolean(),
  effective_from: instantAnswer.nullable(),
  notice_days: z.number().nullable(),
  docusign_template_id: z.string().nullable(),
  sha256: z.string(),
  created_at: instantAnswer,
  published_at: instantAnswer.nullable(),
})

const count = z.int().min(0)
const termsAnswer = termsSummary.extend({
  body: z.string(),
  acceptances: z.object({
    pending: count,
    accepted: count,
    declined: count,
    overdue: count,
    superseded: count,
  }),
})

const notFound = 'there are no such terms'

export function agreementTermsRoutes(): Route[] {
  return [
    route({
      method: 'POST',
      path: '/v1/agreement-terms',
      tag: 'Agreements',
      summary: 'Write a version of the terms',
      description:
        'A draft, until it is published. Paragraphs are apart by empty lines, headings begin ' +
        'with `# `, `{commission}` stands alone, and in between there may be ' +
        `${placeholders.map((name) => `\`{${name}}\``).join(', ')}.`,
      access: 'terms.write',
      effect: 'transaction',
      body: termsForm,
      answers: { 201: { description: 'Written', schema: termsAnswer } },
      refusals: ['invalid_request', 'conflict'],
      handle: async ({ db, principal, body, operationId }) => {
        const { docusign_template_id: docusignTemplateId = null, ...words } = body
        const { id: programmeId } = await getProgramme(db)
        const createdBy = principal.memberId
        const terms = { ...words, id: operationId, programmeId, docusignTemplateId, createdBy }
        const row = await inTransaction(db, (trx) => recordTerms(trx, terms))
        const created = await presentTerms(db, row)
        const headers = { Location: `/v1/agreement-terms/${created.id}` }
        return { status: 201, body: created, headers }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/agreement-terms',
      tag: 'Agreements',
      summary: 'List the versions of the terms',
      access: 'terms.read',
      query: z.strictObject(pageQuery),
      answers: { 200: { description: 'Newest first', schema: listAnswer(termsSummary) } },
      refusals: [],
      handle: async ({ db, query }) => {
        const page = await listTerms(db, pageRequest(query))
        return { status: 200, body: presentPage(page, presentSummary) }
      },
    }),
    ...oneVersionRoutes(),
  ]
}

function oneVersionRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/agreement-terms/:id',
      tag: 'Agreements',
      summary: 'Read a version of the terms',
      access: 'terms.read',
      answers: { 200: { description: 'The terms', schema: termsAnswer } },
      refusals: ['not_found'],
      handle: async (call) => {
        return { status: 200, body: await presentTerms(call.db, await termsOf(call)) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/agreement-terms/:id/preview',
      tag: 'Agreements',
      summary: 'See a version as it would be signed',
      description: 'A PDF with an invented partner and the commission that everybody gets.',
      access: 'terms.read',
      answers: { 200: { description: 'The document', mediaType: 'application/pdf' } },
      refusals: ['not_found'],
      handle: async (call) => {
        const row = await termsOf(call)
        const headers = download('application/pdf', `terms-${row.version}.pdf`)
        return { status: 200, body: await previewOf(call.db, row), headers }
      },
    }),
    route({
      method: 'POST',
      path: '/v1/agreement-terms/:id/publish',
      tag: 'Agreements',
      summary: 'Publish a version of the terms',
      description:
        'From `effective_from` on agreements are made of it, and its words do not change any ' +
        'more. With `reacceptance` every active partner is asked to sign it, and keeps its ' +
        'earlier terms until then; payouts of whom does not sign in `notice_days` are held.',
      access: 'terms.publish',
      effect: 'transaction',
      body: publishForm,
      answers: { 200: { description: 'Published', schema: termsAnswer } },
      refusals: ['invalid_request', 'not_found', 'conflict'],
      handle: publish,
    }),
  ]
}

async function publish({ db, params, body }: Call<unknown, z.output<typeof publishForm>>) {
  const id = pathId('agreementTerms', params.id, notFound)
  const { deadlines } = await getProgramme(db)
  const days = body.reacceptance?.notice_days
  const asked = days === undefined ? deadlines.termsNotice : days * daySeconds
  const row = await inTransaction(db, (trx) =>
    markTermsPublished(trx, {
      id,
      effectiveFrom: new Date(body.effective_from),
      noticeSeconds: body.reacceptance ? asked : null,
    }),
  )
  return { status: 200, body: await presentTerms(db, row) }
}

async function termsOf({ db, params }: Call): Promise<TermsRow> {
  const id = pathId('agreementTerms', params.id, notFound)
  return found(await findTerms(db, id), notFound)
}

/** The rules of nobody in particular are those for everybody. */
const nobody = '00000000-0000-0000-0000-000000000000'

async function previewOf(db: Db, row: TermsRow): Promise<Buffer> {
  const { id: programmeId, name: programme, currency } = await getProgramme(db)
  const date = row.effectiveFrom ?? row.createdAt
  const rules = await listAgreedRules(db, { programmeId, partnerId: nobody, at: new Date() })
  const products = await listProductNames(db, rules)
  const day = dayOf(date)
  return agreementPdf({
    ...row,
    commission: commissionSentences({ currency, rules, products }),
    date,
    values: {
      company: 'Sample Company',
      country: 'US',
      level: 'reseller',
      type: 'white label',
      programme,
      version: row.version,
      effective_date: day,
      date: day,
    },
  })
}

function presentSummary(row: TermsRow) {
  return {
    id: outwardId('agreementTerms', row.id),
    version: row.version,
    title: row.title,
    status: row.status,
    in_force: row.inForce,
    effective_from: row.effectiveFrom?.toISOString() ?? null,
    notice_days: row.noticeSeconds === null ? null : row.noticeSeconds / daySeconds,
    docusign_template_id: row.docusignTemplateId,
    sha256: row.sha256.toString('hex'),
    created_at: row.createdAt.toISOString(),
    published_at: row.publishedAt?.toISOString() ?? null,
  }
}

async function presentTerms(db: Db, row: TermsRow) {
  const acceptances: AcceptanceCounts = await countAcceptances(db, row.id)
  return { ...presentSummary(row), body: row.body, acceptances }
}
