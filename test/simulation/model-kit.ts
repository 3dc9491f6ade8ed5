/** Exact fractions and UTC time for the reference model; the product shares none of it. */
import type { Scenario } from '../../simulation/scenario.ts'

export type Rule = Scenario['rules'][number]
export type Event = Scenario['events'][number]
export type Tier = Scenario['partners'][number]['tier']
export type Payment = Extract<Event, { type: 'payment' }>

export interface Fraction {
  num: bigint
  den: bigint
}

export const fraction = (num: bigint, den = 1n): Fraction => ({ num, den })
export const zero = fraction(0n)
export const plus = (a: Fraction, b: Fraction) =>
  fraction(a.num * b.den + b.num * a.den, a.den * b.den)
export const times = (a: Fraction, whole: bigint) => fraction(a.num * whole, a.den)

/** Towards minus infinity, as the word says. */
export function floorOf({ num, den }: Fraction): bigint {
  const quotient = num / den
  return num % den < 0n ? quotient - 1n : quotient
}

export function least(a: bigint, b: bigint): bigint {
  if (a < b) return a
  return b
}
export const most = (a: bigint, b: bigint) => -least(-a, -b)
export const sum = (values: bigint[]) => values.reduce((a, b) => a + b, 0n)

const dayMs = 86_400_000

export const monthOf = (at: Date) => at.toISOString().slice(0, 7)

export function monthEnd(period: string): Date {
  return new Date(
    Date.UTC(Number(period.slice(0, 4)), Number(period.slice(5)) /* the month after */, 1),
  )
}

export const monthAfter = (period: string) => monthOf(monthEnd(period))

/** Three days after the end. */
export const closeTime = (period: string) => monthEnd(period).getTime() + 3 * dayMs

export const daysAfter = (at: Date, days: number) => at.getTime() + days * dayMs

/** Counted from the anchor's day; a day that the month does not have is its last one. */
export function monthsAfter(at: Date, months: number): Date {
  const first = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth() + months, 1))
  const last = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0)).getUTCDate()
  const result = new Date(at)
  result.setUTCFullYear(
    first.getUTCFullYear(),
    first.getUTCMonth(),
    Math.min(at.getUTCDate(), last),
  )
  return result
}

/** The day, the week from its Monday, the month, or all of time, as a name. */
export function spanOf(at: Date, per: 'day' | 'week' | 'month' | 'all'): string {
  const day = (time: number) => new Date(time).toISOString().slice(0, 10)
  if (per === 'day') return day(at.getTime())
  if (per === 'week') return day(at.getTime() - ((at.getUTCDay() + 6) % 7) * dayMs)
  return per === 'month' ? monthOf(at) : 'ever'
}

/** What a map holds at a key, made where it is missing. */
export function entry<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key)
  if (known !== undefined) return known
  const made = make()
  map.set(key, made)
  return made
}
