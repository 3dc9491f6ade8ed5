import { invalid } from './errors.ts'

/** How the vendor writes amounts; where a currency is not listed, in hundredths. */
const zeroDecimal = new Set(
  'bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf'.split(' '),
)
const threeDecimal = new Set('bhd jod kwd omr tnd'.split(' '))

/** Sent in hundredths for old times' sake, though the currency itself has none. */
const wholeUnitsInHundredths = new Set(['isk', 'ugx'])

const twoDecimal =
  'aed afn all amd ang aoa ars aud awg azn bam bbd bdt bmd bnd bob brl bsd bwp byn bzd cad cdf ' +
  'chf cny cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg ' +
  'huf idr ils inr isk jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur ' +
  'mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd ' +
  'scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah ugx usd uyu uzs wst xcd ' +
  'xcg yer zar zmw'

export const currencies: string[] = [
  ...twoDecimal.split(' '),
  ...zeroDecimal,
  ...threeDecimal,
].sort()

const known = new Set(currencies)

export function readCurrency(given: string, param = 'currency'): string {
  const currency = given.toLowerCase()
  if (known.has(currency)) return currency
  throw invalid(
    `Invalid currency: ${given}. Stripe currently supports these currencies: ` +
      currencies.join(', '),
    { param },
  )
}

export function decimalsOf(currency: string): number {
  if (zeroDecimal.has(currency)) return 0
  return threeDecimal.has(currency) ? 3 : 2
}

/** The smallest amount that the vendor moves in a currency, in the units that it counts in. */
export function stepOf(currency: string): number {
  if (threeDecimal.has(currency)) return 10
  return wholeUnitsInHundredths.has(currency) ? 100 : 1
}

export function checkStep(amount: number, currency: string, param = 'amount'): void {
  const step = stepOf(currency)
  if (amount % step === 0) return
  throw invalid(
    `Invalid amount: ${amount}. Amounts in ${currency.toUpperCase()} must be a multiple of ` +
      `${step} (the currency's smallest unit that can be moved).`,
    { code: 'parameter_invalid_integer', param },
  )
}

/** For people: 123456 usd is "1,234.56 USD". */
export function showMoney(amount: number, currency: string): string {
  const decimals = decimalsOf(currency)
  const digits = String(Math.abs(amount)).padStart(decimals + 1, '0')
  const whole = digits.slice(0, digits.length - decimals).replace(/\B(?=(\d{3})+$)/g, ',')
  const rest = decimals === 0 ? '' : `.${digits.slice(-decimals)}`
  return `${amount < 0 ? '-' : ''}${whole}${rest} ${currency.toUpperCase()}`
}
