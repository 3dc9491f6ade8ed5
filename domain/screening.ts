/** Screening: names of companies and people, looked up on lists of sanctioned parties. */
import type { NamedKind } from './name-match.ts'

export const screeningStatuses = ['clear', 'review', 'confirmed', 'overridden'] as const
export type ScreeningStatus = (typeof screeningStatuses)[number]

/** What one look-up found, before anybody decides: `overridden` was decided on earlier. */
export type ScreeningOutcome = Exclude<ScreeningStatus, 'confirmed'>

/** Who a name belongs to, within its application or partner. */
export interface ScreenedName {
  kind: NamedKind
  /** `company`, `legal_name`, `contact`, or `contact:` and the id of one of several people. */
  role: string
  name: string
  country: string
}

/** An entry of a list that is alike; entries of such lists are public. */
export interface Hit {
  list: string
  entryId: string
  entryName: string
  programs: string[]
  /** From 0 to 100. */
  score: number
}

/** The answer of a provider to one name. */
export interface ScreeningResult {
  provider: ScreeningProvider
  /** The lists that were looked at. */
  list: string
  /** Changes whenever the lists do. */
  listVersion: string
  hits: Hit[]
}

export type ScreeningProvider = 'file' | 'watchman' | 'none'

/** Two hits are the same finding as long as the list says the same about it. */
export function hitKey({ list, entryId, entryName }: Omit<Hit, 'score' | 'programs'>): string {
  return JSON.stringify([list, entryId, entryName])
}

/**
 * What a look-up comes to. Where nothing was looked up, somebody has to look; what two persons
 * overrode before is not asked of them again.
 */
export function outcomeOf(result: ScreeningResult, overridden: ReadonlySet<string>) {
  if (result.provider === 'none') return 'review' satisfies ScreeningOutcome
  if (result.hits.length === 0) return 'clear' satisfies ScreeningOutcome
  const known = result.hits.every((hit) => overridden.has(hitKey(hit)))
  return (known ? 'overridden' : 'review') satisfies ScreeningOutcome
}
