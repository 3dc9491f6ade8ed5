/** The words of mails: what is standard, what an organisation says instead, and how it looks. */
import { z } from 'zod'
import type { Principal } from '../db/access.ts'
import { inTransaction } from '../db/database.ts'
import {
  findMailTemplate,
  findProgrammeBrand,
  listMailTemplates,
  type MailWords,
  recordMailTemplate,
  removeMailTemplate,
} from '../db/mail-templates.ts'
import { recordAccessMail } from '../db/people/mails.ts'
import { findMember } from '../db/people/members.ts'
import { findBrandingOf } from '../db/tenant-branding.ts'
import { DomainError } from '../domain/errors.ts'
import {
  type MailContent,
  type MailTemplate,
  mailTemplates,
} from '../integrations/email-templates/index.ts'
import {
  dressedAs,
  inOwnWords,
  plainBrand,
  renderHtml,
  renderText,
} from '../integrations/email-templates/layout.ts'
import {
  partnerTemplates,
  placeholdersOf,
  sampleMail,
  standardWords,
  unknownPlaceholders,
} from '../integrations/email-templates/own-words.ts'
import { type Call, type Route, route } from './route.ts'
import { found, text } from './validate.ts'

const wordsForm = z.strictObject({
  subject: text(200),
  paragraphs: z.array(text(2_000)).min(1).max(20),
  action_label: text(60).optional(),
})

const previewQuery = z.strictObject({ format: z.enum(['html', 'text']).optional() })

const templateAnswer = z.object({
  template: z.string(),
  subject: z.string(),
  paragraphs: z.array(z.string()),
  action_label: z.string().nullable(),
  placeholders: z.array(z.string()),
  own: z.boolean().meta({ description: 'Whether these are words of your own.' }),
})

const notFound = 'there is no such mail, or none that goes out in your name'

export function mailTemplateRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/mail-templates',
      tag: 'Mails',
      summary: 'List the mails that go out in your name',
      access: 'mails.read',
      answers: {
        200: {
          description: 'By name',
          schema: z.object({ data: z.array(templateAnswer), next_cursor: z.null() }),
        },
      },
      refusals: [],
      handle: async ({ db, principal }) => {
        const own = await listMailTemplates(db, principal.partnerId)
        const data = templatesOf(principal).map((template) =>
          presentTemplate(
            template,
            own.find((row) => row.template === template),
          ),
        )
        return { status: 200, body: { data, next_cursor: null } }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/mail-templates/:template',
      tag: 'Mails',
      summary: 'Read the words of a mail',
      access: 'mails.read',
      answers: { 200: { description: 'Its words', schema: templateAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, principal, params }) => {
        const template = templateIn(params, principal)
        const own = await findMailTemplate(db, { partnerId: principal.partnerId, template })
        return { status: 200, body: presentTemplate(template, own) }
      },
    }),
    ...writingRoutes(),
    ...previewRoutes(),
  ]
}

function writingRoutes(): Route[] {
  return [
    route({
      method: 'PUT',
      path: '/v1/mail-templates/:template',
      tag: 'Mails',
      summary: 'Say it in your own words',
      description:
        'Words in braces stand for facts; `placeholders` lists those of this mail. Whom it ' +
        'greets and where it leads stay as they are.',
      access: 'mails.write',
      effect: 'transaction',
      body: wordsForm,
      answers: { 200: { description: 'Taken', schema: templateAnswer } },
      refusals: ['not_found', 'invalid_request'],
      handle: writeTemplate,
    }),
    route({
      method: 'DELETE',
      path: '/v1/mail-templates/:template',
      tag: 'Mails',
      summary: 'Go back to the standard words',
      access: 'mails.write',
      effect: 'transaction',
      answers: { 200: { description: 'The standard words', schema: templateAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, principal, params }) => {
        const template = templateIn(params, principal)
        const { partnerId } = principal
        await inTransaction(db, (trx) => removeMailTemplate(trx, { partnerId, template }))
        return { status: 200, body: presentTemplate(template, undefined) }
      },
    }),
  ]
}

function previewRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/mail-templates/:template/preview',
      tag: 'Mails',
      summary: 'See a mail as it will look',
      description: 'With facts that nobody has. As HTML, or as text with `format=text`.',
      access: 'mails.read',
      query: previewQuery,
      answers: { 200: { description: 'The mail', mediaType: 'text/html' } },
      refusals: ['not_found'],
      handle: preview,
    }),
    route({
      method: 'POST',
      path: '/v1/mail-templates/:template/preview',
      tag: 'Mails',
      summary: 'Send a mail to yourself',
      description: 'With facts that nobody has, within a minute.',
      access: 'mails.write',
      effect: 'transaction',
      answers: {
        202: { description: 'On its way', schema: z.object({ template: z.string() }) },
      },
      refusals: ['not_found'],
      handle: async ({ db, principal, params, operationId }) => {
        const template = templateIn(params, principal)
        const { partnerId, memberId } = principal
        const member = await findMember(db, { partnerId, customerId: null }, memberId)
        const { name, email } = found(member, 'there is no such member')
        await inTransaction(db, (trx) =>
          recordAccessMail(trx, {
            kind: 'template_preview',
            subjectId: operationId,
            ...{ partnerId, name, recipient: email, what: template },
          }),
        )
        return { status: 202, body: { template } }
      },
    }),
  ]
}

const templatesOf = ({ partnerId }: Pick<Principal, 'partnerId'>): readonly MailTemplate[] =>
  partnerId === null ? mailTemplates : partnerTemplates

/** @throws DomainError `not_found` */
function templateIn(params: Record<string, string>, principal: Principal): MailTemplate {
  const asked = templatesOf(principal).find((template) => template === params.template)
  return found(asked, notFound)
}

async function writeTemplate({
  db,
  principal,
  params,
  body,
  operationId,
}: Call<unknown, z.output<typeof wordsForm>>) {
  const template = templateIn(params, principal)
  refuseUnknownPlaceholders(template, body)
  const words: MailWords = {
    subject: body.subject,
    paragraphs: body.paragraphs,
    actionLabel: body.action_label ?? null,
  }
  const { partnerId } = principal
  await inTransaction(db, (trx) =>
    recordMailTemplate(trx, { id: operationId, partnerId, template, ...words }),
  )
  return { status: 200, body: presentTemplate(template, words) }
}

/** @throws DomainError `invalid_request` that points at every word which stands for nothing. */
function refuseUnknownPlaceholders(template: MailTemplate, body: z.output<typeof wordsForm>): void {
  const places = [
    { pointer: '/subject', words: body.subject },
    ...body.paragraphs.map((words, i) => ({ pointer: `/paragraphs/${i}`, words })),
  ]
  const known = placeholdersOf(template)
    .map((name) => `{${name}}`)
    .join(', ')
  const fields = places.flatMap(({ pointer, words }) =>
    unknownPlaceholders(template, words).map((name) => ({
      pointer,
      code: 'unknown_placeholder',
      detail: `{${name}} stands for nothing here; this mail knows ${known}`,
    })),
  )
  if (fields.length === 0) return
  throw new DomainError('invalid_request', 'a word in braces stands for nothing', { fields })
}

async function preview({
  db,
  principal,
  params,
  query,
}: Call<z.output<typeof previewQuery>, unknown>) {
  const template = templateIn(params, principal)
  const own = await findMailTemplate(db, { partnerId: principal.partnerId, template })
  const { partnerId } = principal
  const looks = partnerId ? await findBrandingOf(db, partnerId) : undefined
  const brand = dressedAs((await findProgrammeBrand(db)) ?? plainBrand, looks)
  const standard = sampleMail(template)
  const content = own ? inOwnWords(standard, own) : standard
  if (query.format === 'text') {
    const headers = { 'Content-Type': 'text/plain; charset=utf-8' }
    return { status: 200, body: Buffer.from(renderText(content, brand)), headers }
  }
  const headers = {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Security-Policy': "default-src 'none'; img-src https:; style-src 'unsafe-inline'",
  }
  return { status: 200, body: Buffer.from(renderHtml(content, brand)), headers }
}

function presentTemplate(template: MailTemplate, own: MailWords | undefined) {
  const { subject, paragraphs, action }: MailContent = standardWords(template)
  return {
    template,
    subject: own?.subject ?? subject,
    paragraphs: own?.paragraphs ?? paragraphs,
    action_label: own?.actionLabel ?? action?.label ?? null,
    placeholders: placeholdersOf(template),
    own: own !== undefined,
  }
}
