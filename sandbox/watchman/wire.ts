export const entityTypes = ['person', 'business', 'organization', 'vessel', 'aircraft'] as const
export type EntityType = (typeof entityTypes)[number]

/** A party on a list, as a control put it there. */
export interface ListedParty {
  id: string
  name: string
  entity_type: EntityType
  list: string
  programs: string[]
}
