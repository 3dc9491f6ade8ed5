/** How a tenant looks: words and colors in one row, images beside it. */
import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import type { ImageKind, ImageType } from '../domain/branding.ts'
import { DomainError } from '../domain/errors.ts'
import type { Db, Trx } from './database.ts'
import { findProgrammeBrand } from './mail-templates.ts'

interface OfTenant {
  id: string
  partnerId: string
  name: string
}

/** The look that the programme gives a new tenant; a repeated step leaves what is there. */
export async function recordBranding(trx: Trx, { id, partnerId, name }: OfTenant): Promise<void> {
  const brand = await findProgrammeBrand(trx)
  await trx
    .insertInto('tenantBranding')
    .values({
      tenantId: id,
      partnerId,
      displayName: name.slice(0, 200),
      emailSenderName: name.slice(0, 100),
      primaryColor: brand?.accent ?? '#0f4c5c',
      backgroundColor: '#ffffff',
      textColor: '#1a1a1a',
      footerText: brand?.footer ?? '',
      supportAddress: brand?.supportAddress ?? null,
    })
    .onConflict((conflict) => conflict.column('tenantId').doNothing())
    .execute()
}

export type BrandingRow = NonNullable<Awaited<ReturnType<typeof findBranding>>>

export async function findBranding(db: Db, tenantId: string) {
  return db
    .selectFrom('tenantBranding')
    .selectAll()
    .select([imageOf('logo').as('logoSha256'), imageOf('favicon').as('faviconSha256')])
    .where('tenantId', '=', tenantId)
    .executeTakeFirst()
}

const imageOf = (kind: ImageKind) =>
  sql<Buffer | null>`(select sha256 from tenant_images image
    where image.tenant_id = tenant_branding.tenant_id and image.kind = ${kind})`

/** In whose clothes the mails of a partner go out; undefined before its tenant is prepared. */
export async function findBrandingOf(db: Db, partnerId: string) {
  return db
    .selectFrom('tenantBranding')
    .select(['emailSenderName', 'primaryColor', 'footerText', 'supportAddress'])
    .where('partnerId', '=', partnerId)
    .executeTakeFirst()
}

/** Its version, for this transaction alone. @throws DomainError `not_found` */
export async function lockBranding(trx: Trx, tenantId: string) {
  const row = await trx
    .selectFrom('tenantBranding')
    .selectAll()
    .where('tenantId', '=', tenantId)
    .forUpdate()
    .executeTakeFirst()
  if (!row) throw new DomainError('not_found', 'this tenant has no branding yet')
  return row
}

export interface BrandingChange {
  displayName?: string
  primaryColor?: string
  backgroundColor?: string
  textColor?: string
  css?: string
  headerText?: string
  footerText?: string
  loginText?: string
  emailSenderName?: string
  supportAddress?: string | null
}

export async function markBranding(
  trx: Trx,
  tenantId: string,
  change: BrandingChange,
): Promise<void> {
  await trx
    .updateTable('tenantBranding')
    .set({ ...change, changedAt: sql<Date>`clock_timestamp()` })
    .where('tenantId', '=', tenantId)
    .execute()
}

/** The newest image of a kind takes the place of the one before. */
export async function recordImage(
  trx: Trx,
  tenant: Pick<OfTenant, 'id' | 'partnerId'>,
  image: { kind: ImageKind; mediaType: ImageType; content: Buffer },
): Promise<void> {
  const sha256 = createHash('sha256').update(image.content).digest()
  const { mediaType, content } = image
  await trx
    .insertInto('tenantImages')
    .values({ tenantId: tenant.id, partnerId: tenant.partnerId, sha256, ...image })
    .onConflict((conflict) =>
      conflict.columns(['tenantId', 'kind']).doUpdateSet({
        mediaType,
        content,
        sha256,
        changedAt: sql<Date>`clock_timestamp()`,
      }),
    )
    .execute()
}

export async function findImage(db: Db, tenantId: string, kind: ImageKind) {
  return db
    .selectFrom('tenantImages')
    .select(['mediaType', 'content', 'sha256'])
    .where('tenantId', '=', tenantId)
    .where('kind', '=', kind)
    .executeTakeFirst()
}

/** The active tenant at a subdomain of ours. */
export async function findTenantAt(db: Db, subdomain: string) {
  return db
    .selectFrom('tenants')
    .select(['id', 'partnerId', 'name'])
    .where('subdomain', '=', subdomain)
    .where('status', '=', 'active')
    .executeTakeFirst()
}
