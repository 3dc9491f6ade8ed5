/** What the login page at a tenant's host needs before anybody has signed in. */
import { z } from 'zod'
import type { Db } from '../../db/database.ts'
import { findBranding, findImage, findTenantAt } from '../../db/tenant-branding.ts'
import { findTenantByDomain } from '../../db/tenant-domains.ts'
import { type ImageKind, imageKinds, textOn } from '../../domain/branding.ts'
import type { ApiDeps } from '../deps.ts'
import { openRoute, type Route } from '../route.ts'
import { found } from '../validate.ts'

const tag = 'Tenants'
const nobody = 'there is no tenant at this host'

const hostQuery = z.strictObject({
  host: z
    .string()
    .max(253)
    .regex(/^[A-Za-z0-9.-]+$/, 'expected a host name, an international one as xn--…')
    .toLowerCase(),
})

const pageAnswer = z.object({
  name: z.string(),
  primary_color: z.string(),
  background_color: z.string(),
  text_color: z.string(),
  on_primary_color: z.string(),
  css: z.string(),
  header_text: z.string(),
  footer_text: z.string(),
  login_text: z.string(),
  support_address: z.string().nullable(),
  logo_url: z.url().nullable(),
  favicon_url: z.url().nullable(),
})

export function loginPageRoutes(deps: ApiDeps): Route[] {
  return [
    openRoute({
      method: 'GET',
      path: '/v1/tenants/by-host',
      tag,
      summary: 'Read how the login page at a host looks',
      description: 'Of active tenants only, and nothing but what the page shows to anybody.',
      access: 'public',
      query: hostQuery,
      answers: { 200: { description: 'The look of the page', schema: pageAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, query: { host } }) => {
        const row = found(await findBranding(db, await tenantAt(deps, db, host)), nobody)
        const imageUrl = (kind: ImageKind, there: unknown) =>
          there ? deps.links.imageUrl(host, kind) : null
        const body = {
          name: row.displayName,
          primary_color: row.primaryColor,
          background_color: row.backgroundColor,
          text_color: row.textColor,
          on_primary_color: textOn(row.primaryColor),
          css: row.css,
          header_text: row.headerText,
          footer_text: row.footerText,
          login_text: row.loginText,
          support_address: row.supportAddress,
          logo_url: imageUrl('logo', row.logoSha256),
          favicon_url: imageUrl('favicon', row.faviconSha256),
        }
        return { status: 200, body }
      },
    }),
    ...imageKinds.map((kind) => imageRoute(deps, kind)),
  ]
}

function imageRoute(deps: ApiDeps, kind: ImageKind): Route {
  return openRoute({
    method: 'GET',
    path: `/v1/tenants/by-host/${kind}`,
    tag,
    summary: `Read the ${kind} of the tenant at a host`,
    access: 'public',
    query: hostQuery,
    answers: { 200: { description: 'PNG, JPEG or WebP', mediaType: 'image/*' } },
    refusals: ['not_found'],
    handle: async ({ db, query: { host } }) => {
      const image = found(await findImage(db, await tenantAt(deps, db, host), kind), nobody)
      return { status: 200, body: image.content, headers: { 'Content-Type': image.mediaType } }
    },
  })
}

/** @throws DomainError `not_found`, the same for a host that is none of ours. */
async function tenantAt({ links }: ApiDeps, db: Db, host: string): Promise<string> {
  const subdomain = links.subdomainOf(host)
  const tenant =
    subdomain === null ? await findTenantByDomain(db, host) : await findTenantAt(db, subdomain)
  return found(tenant, nobody).id
}
