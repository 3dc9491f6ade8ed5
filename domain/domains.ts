/** Domains of tenants' own: what a name may be, and what becomes of it. */

export const domainStates = [
  'pending',
  'proven',
  'certificate_pending',
  'active',
  'failing',
  'expired',
  'removed',
] as const
export type DomainState = (typeof domainStates)[number]

/** Proven, and not yet let go: exclusive, and certificates may be got for it. */
export const heldStates = ['proven', 'certificate_pending', 'active', 'failing'] as const

/** Names below which everybody registers, though they have a dot; no full list of such names. */
const publicSuffixes = new Set(
  ['co', 'com', 'org', 'net', 'gov', 'ac', 'edu'].flatMap((second) =>
    ['uk', 'jp', 'nz', 'za', 'in', 'br', 'au', 'kr', 'tr', 'mx', 'il'].map(
      (country) => `${second}.${country}`,
    ),
  ),
)

const special = /(^|\.)(localhost|local|internal|test|example|invalid|onion|arpa)$/

/**
 * What is wrong with a name in ASCII, in words; undefined for one that may be claimed.
 * @param ours the domain on which tenants have their subdomains.
 */
export function domainFault(
  domain: string,
  { ours, sandbox }: { ours: string; sandbox: boolean },
): string | undefined {
  const labels = domain.split('.')
  const label = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
  if (domain.length > 230 || !labels.every((part) => label.test(part))) {
    return 'expected a domain like shop.example.com'
  }
  if (labels.length < 2 || /^\d+$/.test(labels.at(-1) ?? '')) return 'expected a whole domain name'
  if (domain === ours || domain.endsWith(`.${ours}`)) {
    return 'this is on the domain of the platform, where you have a subdomain'
  }
  if (publicSuffixes.has(domain)) return 'below this name everybody registers domains'
  if (!sandbox && special.test(domain)) return 'this name does not exist in the public DNS'
  return undefined
}

/** Where the proof stands. */
export const challengeName = (domain: string) => `_tributary-challenge.${domain}`
