/**
 * How often partners are settled, and the names of what a run is about: a month `2026-11`, a
 * quarter `2026-Q4`, an ISO 8601 week `2026-W47`. All are half-open stretches in UTC. Accounting
 * periods are months whatever the cadence is.
 */
import { isPeriod, nextPeriod, periodEnd, periodOf, periodStart } from './period.ts'

export const cadences = ['weekly', 'monthly', 'quarterly'] as const
export type Cadence = (typeof cadences)[number]

/** Months from one up to and including another, as accounting periods. */
export interface Months {
  since: string
  period: string
}

export interface Stretch {
  from: Date
  /** The first instant that is no longer in it. */
  until: Date
}

const dayMs = 86_400_000
const weekMs = 7 * dayMs

export const quarterPattern = /^\d{4}-Q[1-4]$/
export const weekPattern = /^\d{4}-W(0[1-9]|[1-4]\d|5[0-3])$/

/** Days since Monday. */
const weekday = (at: Date) => (at.getUTCDay() + 6) % 7

function mondayOf(at: Date): Date {
  const day = Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate())
  return new Date(day - weekday(at) * dayMs)
}

/** Of a year by ISO 8601, whose first week is the one that holds January 4. */
function weekStart(name: string): Date {
  const first = mondayOf(new Date(Date.UTC(Number(name.slice(0, 4)), 0, 4)))
  return new Date(first.getTime() + (Number(name.slice(6)) - 1) * weekMs)
}

function weekOf(at: Date): string {
  const thursday = new Date(mondayOf(at).getTime() + 3 * dayMs)
  const year = thursday.getUTCFullYear()
  const first = mondayOf(new Date(Date.UTC(year, 0, 4)))
  const number = Math.round((mondayOf(at).getTime() - first.getTime()) / weekMs) + 1
  return `${String(year).padStart(4, '0')}-W${String(number).padStart(2, '0')}`
}

const quarterOf = (at: Date) =>
  `${at.toISOString().slice(0, 4)}-Q${Math.floor(at.getUTCMonth() / 3) + 1}`

/** The months of a quarter. */
function monthsOfQuarter(name: string): Months {
  const last = Number(name.slice(6)) * 3
  const month = (number: number) => `${name.slice(0, 4)}-${String(number).padStart(2, '0')}`
  return { since: month(last - 2), period: month(last) }
}

/** The cadence whose stretches are named like this; null where nothing is. */
export function cadenceOf(name: string): Cadence | null {
  if (isPeriod(name)) return 'monthly'
  if (quarterPattern.test(name)) return 'quarterly'
  // Most years have 52 weeks.
  if (weekPattern.test(name) && weekOf(weekStart(name)) === name) return 'weekly'
  return null
}

/** The one that holds the instant. */
export function nameAt(cadence: Cadence, at: Date): string {
  if (cadence === 'weekly') return weekOf(at)
  return cadence === 'quarterly' ? quarterOf(at) : periodOf(at)
}

/** @throws RangeError where nothing is named like this. */
export function stretchOf(name: string): Stretch {
  const cadence = cadenceOf(name)
  if (cadence === null) throw new RangeError(`expected 2026-11, 2026-Q4 or 2026-W47, not ${name}`)
  if (cadence === 'weekly') {
    const from = weekStart(name)
    return { from, until: new Date(from.getTime() + weekMs) }
  }
  const { since, period } = cadence === 'quarterly' ? monthsOfQuarter(name) : ofMonth(name)
  return { from: periodStart(since), until: periodEnd(period) }
}

const ofMonth = (period: string): Months => ({ since: period, period })

/** The months that it is about; those that a week touches are one or two. */
export function monthsOf(name: string): Months {
  const { from, until } = stretchOf(name)
  return { since: periodOf(from), period: periodOf(new Date(until.getTime() - 1)) }
}

/** By what the process of a live run goes: a month has many weeks, and ends one other run only. */
export const processPeriod = ({ name, period }: { name: string; period: string }): string =>
  cadenceOf(name) === 'weekly' ? name : period

/** Of some months, those that have ended with what has this name. */
export function monthsEnded(name: string, months: Months): string[] {
  const { until } = stretchOf(name)
  return eachMonth(months).filter((month) => periodEnd(month) <= until)
}

/** Every month from one to another, in their order. */
export function eachMonth({ since, period }: Months): string[] {
  const months = [since]
  for (let month = since; month < period; ) {
    month = nextPeriod(month)
    months.push(month)
  }
  return months
}

export function nextName(name: string): string {
  return nameAt(cadenceOf(name) ?? 'monthly', stretchOf(name).until)
}

export function previousName(name: string): string {
  return nameAt(cadenceOf(name) ?? 'monthly', new Date(stretchOf(name).from.getTime() - 1))
}

/** The one before that which holds the instant: what a schedule that fires then settles. */
export const lastEnded = (cadence: Cadence, at: Date): string => previousName(nameAt(cadence, at))
