/**
 * Currencies as the books and the processor count them. `exponent` is ISO 4217's, `stripeExponent`
 * is the one Stripe's amounts use, and both steps are in minor units of the ledger: a charge or a
 * payout is a whole number of them. The table `currencies` holds the same rows for foreign keys.
 */
import { halfEven, wireAmount } from './money.ts'

export interface Currency {
  code: string
  exponent: number
  stripeExponent: number
  chargeStep: bigint
  payoutStep: bigint
}

const twoDecimals =
  'AED AUD BRL CAD CHF CZK DKK EUR GBP HKD ILS INR MXN MYR NOK NZD PHP PLN RON SEK SGD THB ' +
  'TRY USD ZAR'
const noDecimals = 'CLP JPY KRW PYG VND XAF XOF'
const threeDecimals = 'BHD JOD KWD OMR TND'

function currency(code: string, exponent: number, special: Partial<Currency> = {}): Currency {
  return { code, exponent, stripeExponent: exponent, chargeStep: 1n, payoutStep: 1n, ...special }
}

export const currencies: readonly Currency[] = [
  ...twoDecimals.split(' ').map((code) => currency(code, 2)),
  ...noDecimals.split(' ').map((code) => currency(code, 0)),
  ...threeDecimals
    .split(' ')
    .map((code) => currency(code, 3, { chargeStep: 10n, payoutStep: 10n })),
  currency('ISK', 0, { stripeExponent: 2 }),
  currency('UGX', 0, { stripeExponent: 2 }),
  currency('HUF', 2, { payoutStep: 100n }),
  currency('TWD', 2, { payoutStep: 100n }),
].sort((a, b) => (a.code < b.code ? -1 : 1))

const byCode = new Map(currencies.map((row) => [row.code, row]))

export const currencyCodes = currencies.map((row) => row.code)

/** @throws RangeError for a code that is not in the table. */
export function currencyOf(code: string): Currency {
  const found = byCode.get(code)
  if (!found) throw new RangeError(`unknown currency ${code}`)
  return found
}

/**
 * Ledger minor units to the integer that Stripe expects (ISK 5 is sent as 500).
 * @throws RangeError for what no JSON integer holds.
 */
export function toStripeAmount(amount: bigint, code: string): number {
  const { exponent, stripeExponent } = currencyOf(code)
  return wireAmount(amount * 10n ** BigInt(stripeExponent - exponent))
}

/** Stripe's integer to ledger minor units. */
export function fromStripeAmount(amount: number, code: string): bigint {
  const { exponent, stripeExponent } = currencyOf(code)
  return BigInt(amount) / 10n ** BigInt(stripeExponent - exponent)
}

/** `1234567n, 'USD'` as `12,345.67 USD`; the form of mails, documents and explanations. */
export function formatMoney(amount: bigint, code: string): string {
  return `${formatAmount(amount, code)} ${code}`
}

/** The amount alone with its decimals and groups of three. */
export function formatAmount(amount: bigint, code: string): string {
  const { whole, fraction } = digitsOf(amount, currencyOf(code).exponent)
  return fraction === '' ? whole : `${whole}.${fraction}`
}

/** The sign and the groups of three before the point, and the digits behind it. */
function digitsOf(amount: bigint, decimals: number): { whole: string; fraction: string } {
  const digits = (amount < 0n ? -amount : amount).toString().padStart(decimals + 1, '0')
  const point = digits.length - decimals
  const grouped = digits.slice(0, point).replace(/\B(?=(\d{3})+$)/g, ',')
  return { whole: `${amount < 0n ? '-' : ''}${grouped}`, fraction: digits.slice(point) }
}

const extraDigits = 4

/** A fraction of minor units with up to four more decimals: `1999.8` of USD is `19.998 USD`. */
export function formatFraction(minor: { num: bigint; den: bigint }, code: string): string {
  const { exponent } = currencyOf(code)
  const scaled = (minor.num * 10n ** BigInt(extraDigits)) / minor.den
  const { whole, fraction } = digitsOf(scaled, exponent + extraDigits)
  const kept = fraction.slice(0, exponent) + fraction.slice(exponent).replace(/0+$/, '')
  return `${whole}${kept === '' ? '' : `.${kept}`} ${code}`
}

/** The amount as a plain decimal number without groups; the form of CSV. */
export function decimalAmount(amount: bigint, code: string): string {
  return formatAmount(amount, code).replaceAll(',', '')
}

/**
 * Converts minor units at a decimal rate, half-even to a minor unit of the other currency.
 * @param rate one whole unit of `from` in whole units of `to`, like `0.92341`.
 */
export function convert(
  amount: bigint,
  rate: string,
  { from, to }: { from: string; to: string },
): bigint {
  const [whole = '0', fraction = ''] = rate.split('.')
  const num = BigInt(whole + fraction) * 10n ** BigInt(currencyOf(to).exponent)
  const den = 10n ** BigInt(fraction.length + currencyOf(from).exponent)
  return amount < 0n ? -halfEven(-amount * num, den) : halfEven(amount * num, den)
}

/** One whole unit, and a hundred of a currency that has no smaller ones. */
export function wholeUnit(code: string): bigint {
  const { exponent } = currencyOf(code)
  return 10n ** BigInt(exponent === 0 ? 2 : exponent)
}
