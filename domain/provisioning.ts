/** Tenants: their names on the platform's domain, what is prepared for them, how much they hold. */

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

export const tenantStatuses = ['provisioning', 'active', 'failed', 'suspended', 'erased'] as const
export type TenantStatus = (typeof tenantStatuses)[number]

/** What provisioning does, in this order; each step is undone after those behind it. */
export const provisioningSteps = [
  'environment',
  'customer',
  'subscription',
  'invitation',
  'check',
] as const
export type ProvisioningStep = (typeof provisioningSteps)[number]

export const stepStates = ['pending', 'done', 'failed', 'undone'] as const
export type StepState = (typeof stepStates)[number]

/** What the last step looks for, in our own database and at Stripe. */
export const tenantParts = [
  'subdomain',
  'branding',
  'quotas',
  'customer',
  'subscription',
  'invitation',
] as const
export type TenantPart = (typeof tenantParts)[number]

/** How much a tenant may hold; null is no limit. */
export interface TenantQuotas {
  customers: number | null
  members: number | null
  apiKeys: number | null
  storageBytes: number | null
  apiPerMinute: number | null
}

/** What is counted when somebody makes one more of it. */
export type CountedQuota = 'customers' | 'members' | 'apiKeys'
