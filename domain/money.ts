/**
 * Arithmetic of money: whole minor units as bigint, rates as fractions of whole numbers. Nothing
 * here knows a float, and every split adds up to what was split.
 */

export interface Rate {
  num: bigint
  den: bigint
}

export interface Money {
  amount: bigint
  currency: string
}

export function basisPoints(bps: number): Rate {
  return { num: BigInt(bps), den: 10_000n }
}

/** Of everything nothing. */
export const noRate: Rate = { num: 0n, den: 1n }

/** Two fractions together. */
export function plus(a: Rate, b: Rate): Rate {
  if (a.den === b.den) return { num: a.num + b.num, den: a.den }
  return { num: a.num * b.den + b.num * a.den, den: a.den * b.den }
}

/** The exact share rounded down; amounts are never negative here. */
export function floorShare(base: bigint, rate: Rate): bigint {
  return (base * rate.num) / rate.den
}

/** Rounded down, below zero as well; `/` on bigint rounds towards zero. */
export function floorDivided(num: bigint, den: bigint): bigint {
  const quotient = num / den
  return num % den < 0n ? quotient - 1n : quotient
}

/** Rounded to the nearest, halves to the even neighbour; the quotient is never negative here. */
export function halfEven(num: bigint, den: bigint): bigint {
  const quotient = num / den
  const twice = (num % den) * 2n
  const up = twice > den || (twice === den && quotient % 2n === 1n)
  return up ? quotient + 1n : quotient
}

/** The larger of the two; `Math.max` does not take bigint. */
export function larger(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

export function magnitude(amount: bigint): bigint {
  return amount < 0n ? -amount : amount
}

export function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b
}

export function sum(amounts: Iterable<bigint>): bigint {
  let total = 0n
  for (const amount of amounts) total += amount
  return total
}

/** Whether the rates add up to more than the whole. */
export function exceedWhole(rates: Rate[]): boolean {
  const den = rates.reduce((product, rate) => product * rate.den, 1n)
  return sum(rates.map((rate) => (rate.num * den) / rate.den)) > den
}

/**
 * Splits one whole amount by rates and keeps the rest: floors first, then the missing units by
 * largest remainder; among equal remainders the earlier rate wins and the rest comes last. For
 * amounts that do not grow only: largest remainder is not monotone (money.md).
 * @returns a share for each rate, in their order, and what is left.
 */
export function splitWhole(base: bigint, rates: Rate[]): { shares: bigint[]; rest: bigint } {
  const den = rates.reduce((product, rate) => product * rate.den, 1n)
  const nums = rates.map((rate) => (rate.num * den) / rate.den)
  const all = [...nums, den - sum(nums)]
  const shares = all.map((num) => (base * num) / den)
  const ranked = all
    .map((num, index) => ({ index, remainder: (base * num) % den }))
    .sort((a, b) => Number(b.remainder - a.remainder) || a.index - b.index)
  const missing = base - sum(shares)
  for (const { index } of ranked.slice(0, Number(missing))) {
    shares[index] = (shares[index] ?? 0n) + 1n
  }
  const rest = shares.pop() ?? 0n
  return { shares, rest }
}

/**
 * Spreads an amount over parts in proportion to what each part can still take, by largest
 * remainder; no part takes more than its room, and the parts add up to the amount.
 */
export function spread(amount: bigint, rooms: bigint[]): bigint[] {
  const total = sum(rooms)
  if (amount > total) throw new RangeError('there is less room than the amount')
  if (total === 0n) return rooms.map(() => 0n)
  const rates = rooms.map((room) => ({ num: room, den: total }))
  const shares = rates.map((rate) => floorShare(amount, rate))
  const ranked = rooms
    .map((room, index) => ({ index, remainder: (amount * room) % total }))
    .sort((a, b) => Number(b.remainder - a.remainder) || a.index - b.index)
  const missing = amount - sum(shares)
  for (const { index } of ranked.slice(0, Number(missing))) {
    shares[index] = (shares[index] ?? 0n) + 1n
  }
  return shares
}

/** What a growing total adds now: the floor of the target so far less what is booked already. */
export function growthShare(base: bigint, rate: Rate, booked: bigint): bigint {
  return floorShare(base, rate) - booked
}

/** Down to a whole number of steps; payouts in some currencies leave in steps of 10 or 100. */
export function downToStep(amount: bigint, step: bigint): bigint {
  return amount - (amount % step)
}

const largestWireAmount = BigInt(Number.MAX_SAFE_INTEGER)

/**
 * A minor-unit amount as the JSON integer of the API.
 * @throws RangeError beyond 2^53-1, where JSON numbers lose cents.
 */
export function wireAmount(amount: bigint): number {
  if (amount > largestWireAmount || amount < -largestWireAmount) {
    throw new RangeError('the amount does not fit a JSON integer')
  }
  return Number(amount)
}
