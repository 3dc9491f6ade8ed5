/** Names of tenants on the platform's domain. */

const reserved = new Set([
  'admin',
  'api',
  'app',
  'billing',
  'docs',
  'help',
  'mail',
  'status',
  'support',
  'www',
])

const longest = 40

/**
 * The subdomain that a partner's name suggests: lower-case letters, digits and hyphens, within
 * DNS limits, never a reserved word. A further attempt gets a number behind the name.
 */
export function subdomainFor(name: string, attempt = 1): string {
  const slug = name
    .normalize('NFKD')
    .replace(/\p{Mark}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, longest)
    .replace(/-+$/, '')
  const base = slug === '' || reserved.has(slug) ? `partner-${slug}`.replace(/-$/, '') : slug
  return attempt === 1 ? base : `${base}-${attempt}`
}

export const tenantStatuses = ['provisioning', 'active', 'failed', 'suspended'] as const
export type TenantStatus = (typeof tenantStatuses)[number]
