/**
 * Two months of a small programme in which what is awkward happens: a refund after the payout, a
 * dispute that is lost after a tier change, a partner below the minimum, a bank that sends money
 * back, and a move between masters.
 */
import type { Client } from '@temporalio/client'
import type { NewProgramme } from '../../db/programmes.ts'
import { newestClosable, periodStart, previousPeriod } from '../../domain/period.ts'
import { demoProgramme } from '../stack/programme.ts'
import { eventually, type Story } from './client.ts'
import type { Stage } from './demo.ts'
import { type OnboardedPartner, onboardPartner, payPlatformFee } from './partners.ts'
import { type CompletedSale, charge, refund, type Sale, sell } from './sales.ts'
import { reviewEnds, settle } from './settlement.ts'

/** Silver sells at 25 %, everybody else at 20 %; a changed bank is paid at once. */
export const twoMonthsProgramme: Partial<NewProgramme> = {
  deadlines: { ...demoProgramme.deadlines, bankChangeHold: 0 },
  rules: [...demoProgramme.rules, { depth: 0, rateNum: 2_500n, rateDen: 10_000n, tier: 'silver' }],
}

export interface TwoMonthsInput {
  story: Story
  temporal: Client
  owners: { first: string; second: string }
  stage: Stage
}

export const names = {
  harbor: 'Harbor Agency',
  alpine: 'Alpine Partners',
  bright: 'Bright Web',
  delta: 'Delta Systems',
  corner: 'Corner Shop',
  echo: 'Echo Works',
} as const
export type Who = keyof typeof names
type Cast = Record<Who, OnboardedPartner>

const above: Partial<Record<Who, Who>> = {
  bright: 'harbor',
  corner: 'harbor',
  echo: 'harbor',
  delta: 'alpine',
}

export interface Months {
  first: string
  second: string
}

const at = (period: string, day: number) =>
  `${period}-${String(day).padStart(2, '0')}T10:00:00.000Z`

async function bringInPartners({ story, owners }: TwoMonthsInput, { first }: Months) {
  await story.sandbox('/clock', { now: at(first, 2) })
  const cast: Partial<Cast> = {}
  for (const [who, name] of Object.entries(names) as [Who, string][]) {
    const parent = above[who] && cast[above[who]]
    const level = parent ? 'reseller' : 'master_reseller'
    const email = `owner@${name.toLowerCase().replace(' ', '-')}.example`
    cast[who] = await onboardPartner(
      story,
      { name, level, type: parent ? 'white_label' : 'distributor', email, ...inside(parent) },
      {
        approver: owners.first,
        reason: 'fits the programme',
        effectiveFrom: periodStart(first).toISOString(),
      },
    )
    await payPlatformFee(story, cast[who].partner)
  }
  return cast as Cast
}

const inside = (parent: OnboardedPartner | undefined) => (parent ? { parent: parent.partner } : {})

/** One sale of one package to one customer, at that day. */
type Sell = (who: Who, amount: number, paidAt: string | null) => Promise<CompletedSale>

function seller({ story, owners }: TwoMonthsInput, cast: Cast): Sell {
  let number = 0
  return async (who, amount, paidAt) => {
    number += 1
    const customer = `Customer ${number}`
    const email = `customer-${number}@customer.example`
    const sale: Sale = { customer, email, package: `Package ${number}`, amount, paidAt }
    return sell(story, sale, { owner: owners.first, seller: cast[who].key })
  }
}

/** The first month: everybody sells, one payment is disputed, and one seller stays below 5.00. */
async function firstMonth({ story }: TwoMonthsInput, { first }: Months, sells: Sell) {
  const refunded = await sells('bright', 20_000, at(first, 5))
  const disputed = await sells('delta', 60_000, at(first, 7))
  await sells('delta', 70_000, at(first, 9))
  await sells('corner', 2_000, at(first, 12))
  await sells('echo', 15_000, at(first, 14))
  await story.sandbox('/clock', { now: at(first, 20) })
  const { id } = await charge(story, disputed.subscriptionId)
  const { id: dispute } = await story.sandbox<{ id: string }>(`/charges/${id}/dispute`, {
    amount: disputed.amount,
  })
  return { refunded, dispute }
}

/** The second month: what was paid is refunded, the dispute is lost, and a reseller moves. */
async function secondMonth(
  { story, owners }: TwoMonthsInput,
  { months: { second }, cast, sells, before }: Play,
) {
  await story.sandbox('/clock', { now: at(second, 6) })
  await story.sandbox(`/disputes/${before.dispute}/close`, { outcome: 'lost' })
  await story.sandbox('/clock', { now: at(second, 8) })
  await refund(story, { ...before.refunded, refund: 5_000 }, cast.bright.key)
  await sells('bright', 10_000, at(second, 10))
  await story.api(`/v1/partners/${cast.bright.partner}/moves`, {
    method: 'POST',
    key: owners.first,
    body: { parent: cast.alpine.partner, effective_from: at(second, 16) },
  })
  await sells('bright', 8_000, at(second, 20))
  await sells('corner', 3_000, at(second, 21))
}

interface Play {
  months: Months
  cast: Cast
  sells: Sell
  before: { refunded: CompletedSale; dispute: string }
}

export interface PayoutHistory {
  status: string
  transfer: string | null
  bank_payouts: { status: string; failure_code: string | null }[]
  timeline: { at: string; what: string; detail: string | null }[]
}

/** The bank sends it back, the partner names another one, and it arrives: with one transfer. */
async function returnedByBank({ story, owners }: TwoMonthsInput, partner: string) {
  const key = owners.first
  const [payout] = await story.all<{ id: string }>(`/v1/payouts?partner=${partner}`, key)
  const path = `/v1/payouts/${payout?.id}`
  const read = () => story.api<PayoutHistory>(path, { key })
  const has = (what: string, is: (seen: PayoutHistory) => boolean) =>
    eventually(`the payout ${what}`, async () => (is(await read()) ? true : undefined), 120_000)
  const { data } = await story.sandbox<{ data: Transfer[] }>('/transfers')
  const account = data.find(({ metadata }) => metadata.partner === partner)?.destination
  await story.sandbox(`/accounts/${account}/bank`, {})
  const first = await story.sandbox<{ id: string }>(`/accounts/${account}/payouts`, {})
  await has('is on its way to the bank', (seen) => seen.bank_payouts.length === 1)
  await story.sandbox(`/payouts/${first.id}/fail`, { code: 'account_closed' })
  await has('was sent back', ({ status }) => status === 'bank_failed')
  await story.sandbox(`/accounts/${account}/bank`, {})
  await whileRefused(() =>
    story.api(`${path}/retry`, {
      method: 'POST',
      key,
      body: { reason: 'the partner has named another bank account' },
    }),
  )
  const again = await eventually('the second try of the bank', async () => {
    const { data: tries } = await story.sandbox<{ data: BankPayout[] }>('/payouts')
    return tries.find((one) => one.account === account && one.id !== first.id)
  })
  await story.sandbox(`/payouts/${again.id}/pay`, {})
  await has('has arrived', (seen) => seen.bank_payouts.some(({ status }) => status === 'paid'))
  return read()
}

interface Transfer {
  destination: string
  metadata: { partner: string }
}

interface BankPayout {
  id: string
  account: string
}

/** The case may be open a moment later than the payout says so, and the hold end a moment later. */
async function whileRefused(decide: () => Promise<unknown>): Promise<void> {
  await eventually(
    'the decision is taken',
    () =>
      decide().then(
        () => true,
        () => undefined,
      ),
    120_000,
  )
}

export interface TwoMonths {
  months: Months
  cast: Cast
  payout: PayoutHistory
  /** The subscription that was sold when its seller had become silver. */
  later: string
}

/** Plays it all; every step goes through the API or a webhook of a vendor. */
export async function playTwoMonths(input: TwoMonthsInput): Promise<TwoMonths> {
  const { story, temporal, owners, stage } = input
  const second = newestClosable(new Date())
  const months = { first: previousPeriod(second), second }
  const cast = await stage('partners', 'two masters and four resellers come in', () =>
    bringInPartners(input, months),
  )
  const sells = seller(input, cast)
  const close = async (period: string) => {
    await settle(story, temporal, { period, owners })
    await reviewEnds(temporal, period)
  }
  const before = await stage(months.first, 'everybody sells, one payment is disputed', () =>
    firstMonth(input, months, sells),
  )
  await stage(`close ${months.first}`, 'statements, two persons, payouts, tiers', async () => {
    await story.sandbox('/clock', { now: at(second, 5) })
    await close(months.first)
  })
  const payout = await stage('bank', 'a payout comes back and is paid again', () =>
    returnedByBank(input, cast.echo.partner),
  )
  await stage(second, 'a refund, a lost dispute, a move', () =>
    secondMonth(input, { months, cast, sells, before }),
  )
  await stage(`close ${second}`, 'statements, two persons, payouts, tiers', async () => {
    await story.sandbox('/clock', { now: null })
    await close(second)
  })
  const later = await stage('today', 'what the new tier earns', () => sells('delta', 10_000, null))
  return { months, cast, payout, later: later.subscriptionId }
}
