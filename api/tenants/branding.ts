/** How a tenant looks: colors, words, a style sheet and images. */
import { z } from 'zod'
import { type Db, inTransaction, type Trx } from '../../db/database.ts'
import type { TenantRow } from '../../db/provisioning.ts'
import {
  type BrandingChange,
  type BrandingRow,
  findBranding,
  lockBranding,
  markBranding,
  recordImage,
} from '../../db/tenant-branding.ts'
import { requireStorage } from '../../db/tenant-quotas.ts'
import {
  type Colors,
  cssFault,
  type ImageKind,
  imageKinds,
  imageTypeOf,
  imageTypes,
  largestImage,
  longestCss,
  textOn,
  unreadable,
} from '../../domain/branding.ts'
import { DomainError } from '../../domain/errors.ts'
import { outwardId } from '../../domain/ids.ts'
import { etagOf, requireMatch } from '../etag.ts'
import { type Route, route } from '../route.ts'
import { emailAddress, found, idAnswer, text } from '../validate.ts'
import { noTenant, ownTenant } from './own.ts'

const tag = 'Tenants'

const color = z
  .string()
  .regex(/^#[0-9a-fA-F]{6}$/, 'expected a color like #1f4e79')
  .toLowerCase()
const words = (longest: number) => z.union([z.literal(''), text(longest)])

const css = z
  .string()
  .max(longestCss)
  .check((context) => {
    const fault = cssFault(context.value)
    if (fault) context.issues.push({ code: 'custom', message: fault, input: context.value })
  })

const senderName = text(100).regex(
  /^[^\p{Cc}"<>@,;:\\]+$/u,
  'expected a name without quotes, brackets, @ and line breaks',
)

const brandingForm = z
  .strictObject({
    display_name: text(),
    primary_color: color,
    background_color: color,
    text_color: color,
    css,
    header_text: words(500),
    footer_text: words(500),
    login_text: words(2_000),
    email_sender_name: senderName,
    support_address: emailAddress.nullable(),
  })
  .partial()

const sha256 = z.string().regex(/^[0-9a-f]{64}$/)

const brandingAnswer = z.object({
  tenant: idAnswer('tenant'),
  display_name: z.string(),
  primary_color: z.string(),
  background_color: z.string(),
  text_color: z.string(),
  /** What is read best on the primary color. */
  on_primary_color: z.string(),
  css: z.string(),
  header_text: z.string(),
  footer_text: z.string(),
  login_text: z.string(),
  email_sender_name: z.string(),
  support_address: z.string().nullable(),
  logo_sha256: sha256.nullable(),
  favicon_sha256: sha256.nullable(),
})

export function brandingRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/tenants/:id/branding',
      tag,
      summary: 'Read how a tenant looks',
      access: 'tenants.read',
      answers: { 200: { description: 'With its ETag', schema: brandingAnswer } },
      refusals: ['not_found'],
      handle: async (call) => answerOf(await ownBranding(call.db, await ownTenant(call))),
    }),
    route({
      method: 'PATCH',
      path: '/v1/tenants/:id/branding',
      tag,
      summary: 'Change how a tenant looks',
      description:
        'Colors have to be readable on the background (4.5 for text, 3 for the primary color), ' +
        'and the style sheet may load and run nothing. Send the ETag that you have read as ' +
        'If-Match.',
      access: 'tenants.brand',
      effect: 'transaction',
      body: brandingForm,
      answers: { 200: { description: 'As it is now', schema: brandingAnswer } },
      refusals: ['not_found', 'precondition_required', 'precondition_failed'],
      handle: async (call) => {
        const tenant = await ownTenant(call)
        const ifMatch = call.header('If-Match')
        await inTransaction(call.db, (trx) =>
          changeBranding(trx, tenant, { ifMatch, form: call.body }),
        )
        return answerOf(await ownBranding(call.db, tenant))
      },
    }),
    ...imageKinds.map(imageRoute),
  ]
}

function imageRoute(kind: ImageKind): Route {
  return route({
    method: 'PUT',
    path: `/v1/tenants/:id/branding/${kind}`,
    tag,
    summary: `Set the ${kind} of a tenant`,
    description:
      'The body is the image: PNG, JPEG or WebP of at most 512 kB. SVG is refused, because ' +
      'it may carry scripts.',
    access: 'tenants.brand',
    rawBody: true,
    bodyTypes: [...imageTypes],
    answers: { 200: { description: 'The branding', schema: brandingAnswer } },
    refusals: ['not_found', 'quota_exceeded'],
    handle: async (call) => {
      const tenant = await ownTenant(call)
      await ownBranding(call.db, tenant)
      const content = call.rawBody
      if (content.length > largestImage) {
        throw new DomainError('payload_too_large', `an image has at most ${largestImage} bytes`)
      }
      const mediaType = imageTypeOf(content)
      if (!mediaType) {
        throw new DomainError('unsupported_media_type', 'send an image as PNG, JPEG or WebP')
      }
      await inTransaction(call.db, async (trx) => {
        await requireStorage(trx, tenant, { kind, bytes: content.length })
        await recordImage(trx, tenant, { kind, mediaType, content })
      })
      return answerOf(await ownBranding(call.db, tenant))
    },
  })
}

async function ownBranding(db: Db, { id }: TenantRow): Promise<BrandingRow> {
  return found(await findBranding(db, id), noTenant)
}

async function changeBranding(
  trx: Trx,
  { id }: TenantRow,
  { ifMatch, form }: { ifMatch: string; form: z.output<typeof brandingForm> },
): Promise<void> {
  const current = await lockBranding(trx, id)
  requireMatch(ifMatch, current.version)
  const change = changeOf(form)
  refuseUnreadable({ ...current, ...change })
  await markBranding(trx, id, change)
}

function changeOf(form: z.output<typeof brandingForm>): BrandingChange {
  const named = {
    displayName: form.display_name,
    primaryColor: form.primary_color,
    backgroundColor: form.background_color,
    textColor: form.text_color,
    css: form.css,
    headerText: form.header_text,
    footerText: form.footer_text,
    loginText: form.login_text,
    emailSenderName: form.email_sender_name,
    supportAddress: form.support_address,
  }
  return Object.fromEntries(Object.entries(named).filter(([, value]) => value !== undefined))
}

const pointers = { textColor: '/text_color', primaryColor: '/primary_color', backgroundColor: '' }

function refuseUnreadable(colors: Colors): void {
  const fields = unreadable(colors).map((name) => ({
    pointer: pointers[name],
    code: 'invalid',
    detail: 'this color cannot be read on the background: the contrast is too low',
  }))
  if (fields.length === 0) return
  throw new DomainError('invalid_request', 'body: colors that cannot be read', { fields })
}

function answerOf(row: BrandingRow) {
  const headers = { ETag: etagOf(row.version) }
  return { status: 200, body: presentBranding(row), headers }
}

function presentBranding(row: BrandingRow) {
  return {
    tenant: outwardId('tenant', row.tenantId),
    display_name: row.displayName,
    primary_color: row.primaryColor,
    background_color: row.backgroundColor,
    text_color: row.textColor,
    on_primary_color: textOn(row.primaryColor),
    css: row.css,
    header_text: row.headerText,
    footer_text: row.footerText,
    login_text: row.loginText,
    email_sender_name: row.emailSenderName,
    support_address: row.supportAddress,
    logo_sha256: row.logoSha256?.toString('hex') ?? null,
    favicon_sha256: row.faviconSha256?.toString('hex') ?? null,
  }
}
