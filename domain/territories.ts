/** Areas that partners sell in, and what a person may rule where two want the same one. */
import { dayOf } from './period.ts'

export const territoryModes = ['exclusive', 'shared'] as const
export type TerritoryMode = (typeof territoryModes)[number]

export const territoryStatuses = [
  'reserved',
  'assigned',
  'conflict',
  'declined',
  'released',
  'expired',
] as const
export type TerritoryStatus = (typeof territoryStatuses)[number]

export const territoryRulings = ['share', 'grant_exclusive', 'decline'] as const
export type TerritoryRuling = (typeof territoryRulings)[number]

/** Why an area is nobody's any more. */
export const releaseCauses = ['by_hand', 'ended', 'moved', 'ruling', 'terminated'] as const
export type ReleaseCause = (typeof releaseCauses)[number]

const form = /^[A-Z]{2}(-[A-Z0-9]{1,3}(-[A-Z0-9]{1,10})?)?$/

/** Codes of the standard that stand for no country. */
const noCountries = new Set(['EU', 'EZ', 'QO', 'UN', 'XA', 'XB', 'ZZ'])

const countryNames = new Intl.DisplayNames('en', { type: 'region', fallback: 'none' })

/**
 * Whether a code names an area: a country (`US`), a part of one (`US-CA`), or what begins with
 * some postal digits in that part (`US-CA-94`).
 */
export function isTerritory(code: string): boolean {
  if (!form.test(code)) return false
  const country = code.slice(0, 2)
  return !noCountries.has(country) && countryNames.of(country) !== undefined
}

/** An area covers itself and what continues its code behind a hyphen. */
export function covers(wide: string, narrow: string): boolean {
  return narrow === wide || narrow.startsWith(`${wide}-`)
}

/** Whether two areas have a place in common. */
export function overlaps(one: string, other: string): boolean {
  return covers(one, other) || covers(other, one)
}

/** Areas without those that another one of them covers, and each once. */
export function widest(codes: readonly string[]): string[] {
  const all = [...new Set(codes)].sort()
  return all.filter((code) => !all.some((other) => other !== code && covers(other, code)))
}

/** One sentence on what stands in the way of an area; the holder only where one may know it. */
export function explainConflict(conflict: {
  territory: string
  mode: TerritoryMode
  since: Date
  holder: string | null
}): string {
  const { territory, mode, since, holder } = conflict
  const how = mode === 'exclusive' ? 'exclusively' : 'as one of several'
  const day = dayOf(since)
  return `${territory} is held ${how} by ${holder ?? 'another partner'} since ${day}`
}
