/** The advice of a payout: which statement it pays, and how its amount comes about. */

export interface Remittance {
  /** The id of the payout, as it is known outside. */
  payout: string
  partner: string
  paidAt: Date
  transfer: string
  statement: { number: string; period: string; sincePeriod: string | null }
  /** What the statement pays, in its own currency. */
  payable: bigint
  statementCurrency: string
  /** Null where the partner is paid in the currency of the statement. */
  rate: { rate: string; source: string; asOf: Date } | null
  /** What the payout step of the currency left of the converted amount. */
  rounding: bigint
  withheld: bigint
  /** Of self-billed documents, beside what the statement pays. */
  vat: bigint
  amount: bigint
  currency: string
}

/** The way from the statement to what was sent, in reading order. */
export function remittanceFigures(
  advice: Remittance,
): { label: string; amount: bigint; currency: string }[] {
  const { payable, statementCurrency, rate, rounding, withheld, vat, amount, currency } = advice
  const converted = { label: 'Converted', amount: amount - vat + withheld + rounding, currency }
  const rest = { label: 'Left by rounding', amount: -rounding, currency }
  return [
    { label: 'Payable by the statement', amount: payable, currency: statementCurrency },
    ...(rate ? [converted] : []),
    ...(rounding > 0n ? [rest] : []),
    ...(withheld > 0n ? [{ label: 'Tax withheld', amount: -withheld, currency }] : []),
    ...(vat > 0n ? [{ label: 'Value added tax', amount: vat, currency }] : []),
    { label: 'Paid', amount, currency },
  ]
}
