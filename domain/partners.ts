/** Who stands where in the hierarchy, and who may bring in whom. */

export const partnerLevels = ['master_reseller', 'reseller'] as const
export type PartnerLevel = (typeof partnerLevels)[number]

/** The place of a person or a key: the platform itself, a partner of a level, or a customer. */
export const actorLevels = ['super_admin', ...partnerLevels, 'customer'] as const
export type ActorLevel = (typeof actorLevels)[number]

/** What a package may make of who buys it. */
export const createdLevels = [...partnerLevels, 'customer'] as const
export type CreatedLevel = (typeof createdLevels)[number]

export const partnerTypes = [
  'authorized_dealer',
  'value_added_reseller',
  'system_integrator',
  'distributor',
  'technology_partner',
  'referral_partner',
  'white_label',
  'franchise',
] as const
export type PartnerType = (typeof partnerTypes)[number]

export const partnerStatuses = ['approved', 'active', 'suspended', 'terminated'] as const
export type PartnerStatus = (typeof partnerStatuses)[number]

const ranks: Record<ActorLevel, number> = {
  super_admin: 4,
  master_reseller: 3,
  reseller: 2,
  customer: 1,
}

/**
 * Who may bring in whom, and sell what makes one: a lower level only, but for resellers below
 * resellers in a programme that has such chains. A customer brings in nobody.
 */
export function mayCreate(
  actor: ActorLevel,
  created: CreatedLevel,
  programme: { resellerChains: boolean },
): boolean {
  if (actor === 'reseller' && created === 'reseller') return programme.resellerChains
  return ranks[actor] > ranks[created]
}

/** Who decides on an application: the master reseller it names as parent, else the platform. */
export function deciderOf(application: { parentId: string | null }) {
  return application.parentId === null ? 'super_admin' : 'master_reseller'
}
