/** How much of a line, and of the commission on it, comes back when the money does. */
import { floorDivided, floorShare, smaller, spread, sum } from './money.ts'

/** One line of a payment that money goes back on. */
export interface ReversibleLine {
  linePaymentId: string
  base: bigint
  /** Base and tax together: what the customer paid for this line. */
  gross: bigint
  reversedGross: bigint
}

export interface ReversedLine {
  linePaymentId: string
  reversedGross: bigint
  /** Base given back in all, this reversal included; never above the base. */
  reversedBase: bigint
}

/**
 * Spreads money that went back over the lines of its payment, in proportion to what is left of
 * each; a negative amount is money that came in again (a refund that failed, a dispute won after
 * it was lost). What exceeds the payment stays without effect, so that no line is reversed twice.
 */
export function reverseLines(amount: bigint, lines: ReversibleLine[]): ReversedLine[] {
  const back = amount >= 0n
  const rooms = lines.map(({ gross, reversedGross }) =>
    back ? gross - reversedGross : reversedGross,
  )
  const parts = spread(smaller(back ? amount : -amount, sum(rooms)), rooms)
  return lines.map((line, i) => {
    const part = parts[i] ?? 0n
    const reversedGross = line.reversedGross + (back ? part : -part)
    const reversedBase = baseGivenBack(line, reversedGross)
    return { linePaymentId: line.linePaymentId, reversedGross, reversedBase }
  })
}

function baseGivenBack(line: ReversibleLine, reversedGross: bigint): bigint {
  if (line.gross === 0n) return 0n
  return floorShare(line.base, { num: reversedGross, den: line.gross })
}

/**
 * What is taken back of one accrual now: the floor of its target so far less what was taken
 * before. Only stored amounts enter, never today's rules; negative where money is restored.
 */
export function clawBack(accrual: {
  amount: bigint
  base: bigint
  reversedBase: bigint
  clawedBack: bigint
}): bigint {
  if (accrual.base === 0n) return 0n
  const rate = { num: accrual.reversedBase, den: accrual.base }
  return floorShare(accrual.amount, rate) - accrual.clawedBack
}

/**
 * What is taken back of a period's true-up when its lines go back after the close: the floor of
 * the target so far less what was taken before. The true-up, and so the result, may be negative.
 */
export function clawBackTrueUp(trueUp: {
  amount: bigint
  volume: bigint
  reversed: bigint
  clawedBack: bigint
}): bigint {
  const reversed = smaller(trueUp.reversed, trueUp.volume)
  return floorDivided(trueUp.amount * reversed, trueUp.volume) - trueUp.clawedBack
}
