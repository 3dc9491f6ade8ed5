/** The books for those who keep them elsewhere: the trial balance of a month, and its export. */
import { Readable } from 'node:stream'
import { z } from 'zod'
import type { Db } from '../db/database.ts'
import {
  type AccountFigures,
  findPeriodStatus,
  getTrialBalance,
  type JournalLine,
  type Liability,
  listAccountFigures,
  listJournalLines,
  type PeriodStatus,
  type TrialBalance,
} from '../db/ledger-reports.ts'
import { outwardId } from '../domain/ids.ts'
import { sum, wireAmount } from '../domain/money.ts'
import { periodPattern } from '../domain/period.ts'
import { type ExportFormat, exportHead, exportRows } from '../integrations/ledger-export.ts'
import { download } from './downloads.ts'
import { type Route, route } from './route.ts'
import { currencyAnswer, found, minorAmount } from './validate.ts'

const tag = 'Ledger'
const period = z.string().regex(periodPattern, 'expected a month like 2026-10')
const notFound = 'there are no books of this month'

const figures = {
  opening: minorAmount,
  debits: minorAmount,
  credits: minorAmount,
  closing: minorAmount,
}

const trialBalanceAnswer = z.object({
  period: z.string(),
  status: z.enum(['open', 'closing', 'closed']),
  currencies: z.array(
    z.object({
      currency: currencyAnswer,
      accounts: z.array(z.object({ account: z.string(), ...figures })),
      total: z.object(figures),
      liability: z.object({
        accrued_not_due: minorAmount,
        settled_not_paid: minorAmount,
        owed_by_partners: minorAmount,
        in_transit: minorAmount,
        withheld_tax: minorAmount,
        vat_not_paid: minorAmount,
      }),
    }),
  ),
})

const accountColumns = [
  ...['record', 'period', 'account', 'partner', 'currency', 'opening', 'debits', 'credits'],
  'closing',
] as const
const journalColumns = [
  ...['journal', 'period', 'kind', 'source', 'source_id', 'effective_at', 'posted_at', 'debit'],
  ...['debit_partner', 'credit', 'credit_partner', 'currency', 'amount', 'reason'],
] as const

export function ledgerRoutes(): Route[] {
  return [
    route({
      method: 'GET',
      path: '/v1/ledger/trial-balance',
      tag,
      summary: 'Read the trial balance of a month',
      description:
        'Balances are debits less credits, so that those of a currency sum to zero; accounts ' +
        'that partners have each for itself are added up. `liability` is what partners are owed ' +
        'at the end of the month: earned and not settled yet (`accrued_not_due`), settled and ' +
        'not paid, on its way, and what partners owe in return. Final once the month is closed.',
      access: 'ledger.read',
      query: z.strictObject({ period }),
      answers: { 200: { description: 'The month', schema: trialBalanceAnswer } },
      refusals: ['not_found'],
      handle: async ({ db, query }) => {
        const status = found(await findPeriodStatus(db, query.period), notFound)
        const balance = await getTrialBalance(db, query.period)
        return { status: 200, body: presentBalance({ period: query.period, status }, balance) }
      },
    }),
    route({
      method: 'GET',
      path: '/v1/ledger/export',
      tag,
      summary: 'Export the books of a month',
      description:
        'By account, with the totals and the liability of each currency at the end; or with ' +
        '`detail=journals` posting by posting. JSON lines have minor units, the table decimal ' +
        'numbers; words are guarded against being read as formulas.',
      access: 'ledger.export',
      query: z.strictObject({
        period,
        format: z.enum(['csv', 'jsonl']).default('csv'),
        detail: z.enum(['accounts', 'journals']).default('accounts'),
      }),
      answers: { 200: { description: 'The file', mediaType: 'text/csv' } },
      refusals: ['not_found'],
      handle: async ({ db, query }) => {
        const status = found(await findPeriodStatus(db, query.period), notFound)
        const isCsv = query.format === 'csv'
        const media = isCsv ? 'text/csv; charset=utf-8' : 'application/x-ndjson; charset=utf-8'
        // A month that is still open says so in its name: it is not what will be closed.
        const name = [
          ...['ledger', query.detail, query.period],
          ...(status === 'closed' ? [] : [status]),
        ].join('-')
        const body =
          query.detail === 'journals' ? journalsFile(db, query) : await accountsFile(db, query)
        return { status: 200, body, headers: download(media, `${name}.${query.format}`) }
      },
    }),
  ]
}

interface Wanted {
  period: string
  format: ExportFormat
}

/** Read at one moment, whatever is booked meanwhile: its text is kept until it is sent. */
async function accountsFile(db: Db, { period: month, format }: Wanted): Promise<Buffer> {
  const parts = [Buffer.from(exportHead(format, accountColumns))]
  const add = (rows: Parameters<typeof exportRows>[2]) =>
    parts.push(Buffer.from(exportRows(format, accountColumns, rows)))
  const balance = await listAccountFigures(db, month, (accounts) => {
    add(accounts.map((account) => ({ record: 'account', period: month, ...named(account) })))
  })
  for (const [currency, liability] of balance.liability) {
    const common = { period: month, partner: null, currency }
    add([
      { record: 'total', account: null, ...common, ...totalOf(balance, currency) },
      ...Object.entries(presentLiability(liability)).map(([account, closing]) => ({
        ...{ record: 'liability', account, ...common },
        ...{ opening: null, debits: null, credits: null, closing },
      })),
    ])
  }
  return Buffer.concat(parts)
}

const partnerOf = (id: string | null) => id && outwardId('partner', id)

const named = ({ partnerId, ...account }: AccountFigures) => ({
  ...account,
  partner: partnerOf(partnerId),
})

/** As long as the month is: page by page, while it is sent. */
function journalsFile(db: Db, { period: month, format }: Wanted): Readable {
  async function* text() {
    yield exportHead(format, journalColumns)
    for await (const lines of listJournalLines(db, month)) {
      const rows = lines.map((line) => ({ period: month, ...presentLine(line) }))
      yield exportRows(format, journalColumns, rows)
    }
  }
  return Readable.from(text())
}

function presentLine(line: JournalLine) {
  return {
    journal: line.journal.toString(),
    kind: line.kind,
    source: line.sourceType,
    source_id: line.sourceId,
    effective_at: line.effectiveAt.toISOString(),
    posted_at: line.postedAt.toISOString(),
    debit: line.debit,
    debit_partner: partnerOf(line.debitPartnerId),
    credit: line.credit,
    credit_partner: partnerOf(line.creditPartnerId),
    currency: line.currency,
    amount: line.amount,
    reason: line.reason,
  }
}

const presentLiability = (liability: Liability) => ({
  accrued_not_due: liability.accruedNotDue,
  settled_not_paid: liability.settledNotPaid,
  owed_by_partners: liability.owedByPartners,
  in_transit: liability.inTransit,
  withheld_tax: liability.withheldTax,
  vat_not_paid: liability.vatNotPaid,
})

function totalOf({ rows }: TrialBalance, currency: string) {
  const ours = rows.filter((row) => row.currency === currency)
  const of = (figure: keyof typeof figures) => sum(ours.map((row) => row[figure]))
  return {
    opening: of('opening'),
    debits: of('debits'),
    credits: of('credits'),
    closing: of('closing'),
  }
}

type OnWire<T> = { [Name in keyof T]: number }

function onWire<T extends Record<string, bigint>>(amounts: T): OnWire<T> {
  const entries = Object.entries(amounts).map(([name, amount]) => [name, wireAmount(amount)])
  return Object.fromEntries(entries)
}

function presentBalance(month: { period: string; status: PeriodStatus }, balance: TrialBalance) {
  const currencies = [...balance.liability].map(([currency, liability]) => ({
    currency,
    accounts: balance.rows
      .filter((row) => row.currency === currency)
      .map(({ account, currency: _currency, ...amounts }) => ({ account, ...onWire(amounts) })),
    total: onWire(totalOf(balance, currency)),
    liability: onWire(presentLiability(liability)),
  }))
  return { ...month, currencies }
}
