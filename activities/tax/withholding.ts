/** What is withheld of payouts for the tax authority, computed on what is payable. */
import type { Trx } from '../../db/database.ts'
import { type Journal, recordJournals } from '../../db/ledger.ts'
import { bookingPeriod } from '../../db/periods.ts'
import type { Programme } from '../../db/programmes.ts'
import { listTaxStandings } from '../../db/tax/standing.ts'
import { findTaxYear } from '../../db/tax/years.ts'
import { currencyOf } from '../../domain/currencies.ts'
import { isWithheldFrom, withheldOf } from '../../domain/tax.ts'

export interface Withheld {
  bps: number
  amount: bigint
}

/** What is withheld of an amount, in its currency; null of who owes none. */
export type Withholding = (
  partnerId: string,
  gross: { amount: bigint; currency: string },
) => Withheld | null

/** Of some partners, as the year of an instant says. Nothing is read where nothing is withheld. */
export async function readWithholding(
  trx: Trx,
  given: { programme: Programme; partnerIds: string[]; at: Date },
): Promise<Withholding> {
  const { onboarding } = given.programme
  const year = onboarding.backupWithholding
    ? await findTaxYear(trx, given.at.getUTCFullYear())
    : undefined
  if (!year || year.backupWithholdingBps === 0) return () => null
  const bps = year.backupWithholdingBps
  const standings = await listTaxStandings(trx, given.partnerIds)
  return (partnerId, { amount, currency }) => {
    const standing = standings.get(partnerId)
    if (amount === 0n || !standing || !isWithheldFrom(standing, onboarding)) return null
    const { payoutStep: step } = currencyOf(currency)
    return { bps, amount: withheldOf(amount, { bps, step }) }
  }
}

interface Withholder {
  id: string
  partnerId: string
  currency: string
  payoutCurrency: string | null
  withheldMinor: bigint
}

/** Moves what is withheld from what the partner is owed to what the authority is. */
export async function bookWithholding(
  trx: Trx,
  statements: Withholder[],
  effectiveAt: Date,
): Promise<void> {
  const due = statements.filter(({ withheldMinor }) => withheldMinor > 0n)
  if (due.length === 0) return
  const period = await bookingPeriod(trx, effectiveAt)
  await recordJournals(
    trx,
    due.map(
      ({ id, partnerId, currency, payoutCurrency, withheldMinor }): Journal => ({
        kind: 'withholding',
        sourceType: 'statement',
        sourceId: id,
        period,
        effectiveAt,
        postings: [
          {
            debit: { purpose: 'partner_payable', partnerId },
            credit: { purpose: 'tax_withheld' },
            currency: payoutCurrency ?? currency,
            amount: withheldMinor,
          },
        ],
      }),
    ),
  )
}
