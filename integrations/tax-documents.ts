/** What is filed about a tax year, as a table. */
import { stringify } from 'csv-stringify/sync'
import { decimalAmount } from '../domain/currencies.ts'
import { outwardId } from '../domain/ids.ts'
import { type Compensation, layoutOf, reportReason, type TaxYear } from '../domain/tax.ts'
import { formulaSafe } from './documents.ts'

/** The sums of a year, a row for each partner; words are guarded against being formulas. */
export function compensationCsv(year: number, rules: TaxYear, lines: Compensation[]): string {
  const { columns } = layoutOf(year)
  const rows = lines.map((line) => {
    const reason = reportReason(line, rules)
    const told = { ...line, partnerId: outwardId('partner', line.partnerId), year, reason }
    return columns.map(([, cell]) => {
      const value = cell(told)
      return typeof value === 'bigint' ? decimalAmount(value, rules.currency) : formulaSafe(value)
    })
  })
  return stringify([columns.map(([name]) => name), ...rows], {
    bom: true,
    record_delimiter: 'windows',
    quoted_match: /[\r\n]/,
  })
}
