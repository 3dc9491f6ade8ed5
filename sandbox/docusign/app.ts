import { randomUUID } from 'node:crypto'
import Router from '@koa/router'
import type { Context } from 'koa'
import { type Deps, type Work, workOn } from '../deps.ts'
import type { Fault, FaultKind } from '../fault-kinds.ts'
import { HttpProblem, readBody } from '../http.ts'
import { createEnvelope } from './create.ts'
import { documentBytes, documentsOf } from './documents.ts'
import { DocusignProblem, invalidRequest, unknownEnvelope } from './errors.ts'
import { listEnvelopes } from './find.ts'
import { tokenIsGood } from './oauth.ts'
import type { Polling } from './polling.ts'
import { presentEnvelope, recipientsOf } from './present.ts'
import { sendEnvelope } from './signing.ts'
import { createTemplate, fromTemplate } from './templates.ts'
import { recipientView, updateEnvelope, updateRecipients } from './update.ts'
import type { Envelope } from './wire.ts'

const bodyLimitBytes = 35_000_000
const base = '/restapi/v2.1/accounts/:account/envelopes'

export interface DocusignParts {
  deps: Deps
  polling: Polling
}

type Json = Record<string, unknown>
type Answer = { status?: number; body: object | Buffer; type?: string }

/** Requests that ask a question through PUT must not be cut off as if they had changed things. */
const questions = /\/envelopes\/status$/

export function docusignRouter(parts: DocusignParts): Router {
  const router = new Router()
  const { deps, polling } = parts
  const on = (
    method: 'get' | 'post' | 'put',
    path: string,
    act: (ctx: Context, body: Json) => Answer | Promise<Answer>,
  ): void => void router[method](`${base}${path}`, (ctx: Context) => serve(parts, ctx, act))
  const read = (ctx: Context): Envelope => {
    const envelope = deps.store.get('envelopes', String(ctx.params.id))
    if (envelope === undefined) throw unknownEnvelope()
    return envelope
  }
  const write = <T>(ctx: Context, act: (work: Work) => T): T =>
    deps.store.write(`${ctx.method} ${ctx.path}`, (tx) => act(workOn(deps, tx)))

  on('post', '', (ctx, body) => {
    const envelope = write(ctx, (work) => create(work, body))
    const { id: envelopeId, status, statusChangedDateTime: statusDateTime } = envelope
    const uri = `/envelopes/${envelopeId}`
    return { status: 201, body: { envelopeId, uri, statusDateTime, status } }
  })
  on('get', '', (ctx) => ({ body: listEnvelopes(deps, ctx.query, {}) }))
  on('put', '/status', (ctx, body) => ({ body: listEnvelopes(deps, ctx.query, body) }))
  on('get', '/:id', (ctx) => {
    const envelope = read(ctx)
    polling.readEnvelope(envelope.id)
    const include = String(ctx.query.include ?? '').split(',')
    return { body: presentEnvelope(deps, envelope, include) }
  })
  on('put', '/:id', (ctx, body) => {
    const resend = ctx.query.resend_envelope === 'true'
    const { id: envelopeId } = write(ctx, (work) =>
      updateEnvelope(work, read(ctx), { body, resend }),
    )
    return { body: { envelopeId } }
  })
  on('get', '/:id/recipients', (ctx) => ({ body: recipientsOf(read(ctx)) }))
  on('put', '/:id/recipients', (ctx, body) => {
    const resend = ctx.query.resend_envelope === 'true'
    return { body: write(ctx, (work) => updateRecipients(work, read(ctx), { body, resend })) }
  })
  on('post', '/:id/views/recipient', (ctx, body) => {
    const link = write(ctx, (work) => recipientView(work, read(ctx), body))
    return { status: 201, body: { url: `${deps.url()}/signing/${link.id}` } }
  })
  on('get', '/:id/documents', (ctx) => ({ body: documentList(deps, read(ctx)) }))
  on('get', '/:id/documents/:document', async (ctx) => ({
    body: await documentBytes(deps.store, read(ctx), String(ctx.params.document)),
    type: 'application/pdf',
  }))
  on('get', '/:id/audit_events', (ctx) => ({ body: auditEvents(read(ctx)) }))
  on('get', '/:id/custom_fields', (ctx) => ({
    body: { textCustomFields: read(ctx).customFields, listCustomFields: [] },
  }))
  router.post('/restapi/v2.1/accounts/:account/templates', (ctx: Context) =>
    serve(parts, ctx, (_, body) => {
      const { id: templateId, name } = write(ctx, (work) => createTemplate(work, body))
      return { status: 201, body: { templateId, name, uri: `/templates/${templateId}` } }
    }),
  )
  router.all(/^\/restapi\//, (ctx: Context) =>
    serve(parts, ctx, () => {
      throw new DocusignProblem(
        'RESOURCE_NOT_FOUND',
        `The URL provided does not resolve to a resource: ${ctx.method} ${ctx.path}.`,
        404,
      )
    }),
  )
  return router
}

function create(work: Work, body: Json): Envelope {
  const { status = 'created' } = body
  if (status !== 'created' && status !== 'sent') {
    throw invalidRequest(`status is ${JSON.stringify(status)}, expected created or sent.`)
  }
  const draft = createEnvelope(work, fromTemplate(work, body))
  return status === 'sent' ? sendEnvelope(work, draft) : draft
}

async function serve(
  { deps, polling }: DocusignParts,
  ctx: Context,
  act: (ctx: Context, body: Json) => Answer | Promise<Answer>,
): Promise<void> {
  ctx.set('X-DocuSign-TraceToken', randomUUID())
  ctx.set(polling.countCall())
  try {
    authenticate(deps, ctx)
    const body = await readJson(ctx)
    await meetFaults(deps, ctx)
    const answer = await act(ctx, body)
    const changed = ctx.method !== 'GET' && !questions.test(ctx.path)
    if (changed && strike(deps, ctx, 'timeout_after_commit')) {
      ctx.respond = false
      ctx.req.socket.destroy()
      return
    }
    ctx.status = answer.status ?? 200
    ctx.type = answer.type ?? 'application/json'
    ctx.body = answer.body
  } catch (error) {
    if (error instanceof HttpProblem) return refuse(ctx, invalidRequest(error.message))
    if (error instanceof DocusignProblem) return refuse(ctx, error)
    throw error
  }
}

function refuse(ctx: Context, problem: DocusignProblem): void {
  ctx.status = problem.status
  ctx.type = 'application/json'
  if (problem.status === 429) ctx.set('Retry-After', '1')
  ctx.body = { errorCode: problem.errorCode, message: problem.message }
}

function strike(deps: Deps, ctx: Context, kind: FaultKind): Fault | null {
  const query = { vendor: 'docusign', kind, path: ctx.path } as const
  return deps.store.write('fault', (tx) => deps.faults.take(tx, query))
}

async function meetFaults(deps: Deps, ctx: Context): Promise<void> {
  const slow = strike(deps, ctx, 'slow_request')
  if (slow) await new Promise((resolve) => setTimeout(resolve, slow.ms ?? 1000))
  if (strike(deps, ctx, 'error_429')) {
    throw new DocusignProblem(
      'HOURLY_APIINVOCATION_LIMIT_EXCEEDED',
      'The maximum number of hourly API invocations has been exceeded.',
      429,
    )
  }
  if (strike(deps, ctx, 'error_500')) {
    throw new DocusignProblem('UNSPECIFIED_ERROR', 'Non-zero return code.', 500)
  }
}

function authenticate(deps: Deps, ctx: Context): void {
  if (ctx.get('Authorization') === '') {
    throw new DocusignProblem(
      'PARTNER_AUTHENTICATION_FAILED',
      'The specified Integrator Key was not found or is disabled. An Integrator key was not ' +
        'specified.',
      401,
    )
  }
  if (!tokenIsGood(deps, ctx)) {
    throw new DocusignProblem(
      'AUTHORIZATION_INVALID_TOKEN',
      'The access token provided is expired, revoked or malformed. Authentication for System ' +
        'Application failed.',
      401,
    )
  }
  const account = ctx.path.split('/')[4]
  if (account !== deps.docusign?.account_id) {
    throw new DocusignProblem(
      'USER_DOES_NOT_BELONG_TO_SPECIFIED_ACCOUNT',
      'The specified User is not a member of the specified Account.',
      401,
    )
  }
}

async function readJson(ctx: Context): Promise<Json> {
  const text = (await readBody(ctx, bodyLimitBytes)).toString('utf8')
  if (text === '') return {}
  try {
    const found: unknown = JSON.parse(text)
    if (typeof found === 'object' && found !== null && !Array.isArray(found)) return found as Json
  } catch {
    // What is not JSON gets the same answer as what is no object.
  }
  throw new DocusignProblem(
    'INVALID_REQUEST_BODY',
    'The request body is missing or improperly formatted.',
  )
}

function documentList({ store }: Deps, envelope: Envelope): object {
  const uri = `/envelopes/${envelope.id}/documents`
  const documents = documentsOf(store, envelope).map(({ documentId, name, order }) => ({
    documentId,
    name,
    order,
    type: 'content',
    uri: `${uri}/${documentId}`,
  }))
  const summary = { documentId: 'certificate', name: 'Summary', order: '999', type: 'summary' }
  const envelopeDocuments = [...documents, { ...summary, uri: `${uri}/certificate` }]
  return { envelopeId: envelope.id, envelopeDocuments }
}

function auditEvents(envelope: Envelope): object {
  return {
    auditEvents: envelope.audit.map(({ at, action, who, message }) => ({
      eventFields: [
        { name: 'logTime', value: at },
        { name: 'UserName', value: who },
        { name: 'Action', value: action },
        { name: 'Message', value: message },
        { name: 'EnvelopeStatus', value: envelope.status },
      ],
    })),
  }
}
