/**
 * Accounting periods: half-open calendar months in UTC, written `2026-10`. Time zones are for
 * display only, so that no clock change can bill a day twice.
 */

const hourMs = 3_600_000

/** Events that reach us this long after the end of a period still belong to it. */
export const closeDelayHours = 72

export const periodPattern = /^\d{4}-(0[1-9]|1[0-2])$/

export function isPeriod(text: string): boolean {
  return periodPattern.test(text)
}

/** The day of an instant in UTC, like `2026-10-31`. */
export const dayOf = (instant: Date): string => instant.toISOString().slice(0, 10)

/** The first instant of a day like `2026-10-31`. */
export const dayStart = (day: string): Date => new Date(`${day}T00:00:00Z`)

/** The day after it. */
export function dayAfter(day: string): string {
  const next = dayStart(day)
  next.setUTCDate(next.getUTCDate() + 1)
  return dayOf(next)
}

function parts(period: string): { year: number; month: number } {
  if (!isPeriod(period)) throw new RangeError(`expected a period like 2026-10, found ${period}`)
  return { year: Number(period.slice(0, 4)), month: Number(period.slice(5, 7)) }
}

/** The month that holds the instant. */
export function periodOf(instant: Date): string {
  return instant.toISOString().slice(0, 7)
}

export function periodStart(period: string): Date {
  const { year, month } = parts(period)
  return new Date(Date.UTC(year, month - 1, 1))
}

/** The first instant that is no longer in the period. */
export function periodEnd(period: string): Date {
  const { year, month } = parts(period)
  return new Date(Date.UTC(year, month, 1))
}

export function nextPeriod(period: string): string {
  return periodOf(periodEnd(period))
}

export function previousPeriod(period: string): string {
  return periodOf(new Date(periodStart(period).getTime() - 1))
}

/** The instant from which the period may be closed: 72 hours after its end. */
export function closesAt(period: string): Date {
  return new Date(periodEnd(period).getTime() + closeDelayHours * hourMs)
}

/** The newest period whose close has come at this instant. */
export function newestClosable(now: Date): string {
  let period = previousPeriod(periodOf(now))
  while (closesAt(period) > now) period = previousPeriod(period)
  return period
}

/** The same instant of the day so many months later; the last day where the month is shorter. */
export function monthsLater(from: Date, months: number): Date {
  const target = new Date(from)
  target.setUTCMonth(from.getUTCMonth() + months, 1)
  const lastDay = new Date(Date.UTC(target.getUTCFullYear(), target.getUTCMonth() + 1, 0))
  target.setUTCDate(Math.min(from.getUTCDate(), lastDay.getUTCDate()))
  return target
}

/** The same instant of the day so many days later. */
export const daysLater = (from: Date, days: number): Date =>
  new Date(from.getTime() + days * 24 * hourMs)

/** Whether a quarter, in UTC, ends within the period or with it. */
export function endsQuarter(period: string): boolean {
  const quarter = (at: Date) => at.getUTCFullYear() * 4 + Math.floor(at.getUTCMonth() / 3)
  return quarter(periodEnd(period)) > quarter(periodStart(period))
}

/** The start of the window of so many months that ends with the period. */
export function windowStart(period: string, months: number): Date {
  const { year, month } = parts(period)
  return new Date(Date.UTC(year, month - months, 1))
}
