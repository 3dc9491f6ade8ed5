/** Exact fractions of whole numbers: what money arithmetic is measured against. */

export interface Fraction {
  num: bigint
  den: bigint
}

function gcd(a: bigint, b: bigint): bigint {
  return b === 0n ? a : gcd(b, a % b)
}

export function fraction(num: bigint, den = 1n): Fraction {
  const sign = den < 0n ? -1n : 1n
  const common = gcd(num < 0n ? -num : num, den < 0n ? -den : den) || 1n
  return { num: (sign * num) / common, den: (sign * den) / common }
}

export function plus(a: Fraction, b: Fraction): Fraction {
  return fraction(a.num * b.den + b.num * a.den, a.den * b.den)
}

export function minus(a: Fraction, b: Fraction): Fraction {
  return plus(a, fraction(-b.num, b.den))
}

export function times(a: Fraction, b: Fraction): Fraction {
  return fraction(a.num * b.num, a.den * b.den)
}

export function isLess(a: Fraction, b: Fraction): boolean {
  return minus(a, b).num < 0n
}

/** Towards minus infinity, unlike the division of bigint. */
export function floorOf({ num, den }: Fraction): bigint {
  const cut = num / den
  return num % den < 0n ? cut - 1n : cut
}

export function total(fractions: Fraction[]): Fraction {
  return fractions.reduce(plus, fraction(0n))
}

/**
 * Whole units for exact amounts that add up to a whole amount: the floors, and one unit more for
 * the largest lost fractions; the first of equals wins. Chosen one by one, without any sorting.
 */
export function byLargestRemainder(exact: Fraction[]): bigint[] {
  const units = exact.map(floorOf)
  const lost = exact.map((amount, i) => minus(amount, fraction(units[i] ?? 0n)))
  let missing = floorOf(total(lost))
  while (missing > 0n) {
    let winner = 0
    for (const [i, remainder] of lost.entries()) {
      if (isLess(lost[winner] ?? fraction(0n), remainder)) winner = i
    }
    units[winner] = (units[winner] ?? 0n) + 1n
    lost[winner] = fraction(-1n)
    missing -= 1n
  }
  return units
}
