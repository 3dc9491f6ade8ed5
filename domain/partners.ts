/** Who stands where in the hierarchy, and who may bring in whom. */

export const partnerLevels = ['master_reseller', 'reseller'] as const
export type PartnerLevel = (typeof partnerLevels)[number]

/** The place of a person or a key: the platform itself or a partner of a level. */
export type ActorLevel = 'super_admin' | PartnerLevel

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

const ranks: Record<ActorLevel, number> = { super_admin: 3, master_reseller: 2, reseller: 1 }

/** A partner may bring in partners of a lower level only; nobody brings in an equal. */
export function mayHaveBelow(parent: ActorLevel, child: PartnerLevel): boolean {
  return ranks[parent] > ranks[child]
}

/** Who decides on an application: the master reseller it names as parent, else the platform. */
export function deciderOf(application: { parentId: string | null }): ActorLevel {
  return application.parentId === null ? 'super_admin' : 'master_reseller'
}
