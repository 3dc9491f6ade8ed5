/**
 * The main story: two partners come in, four customers pay, one is half refunded, the month is
 * closed by two persons, transfers go out, and a tier is reached.
 */
import type { Client } from '@temporalio/client'
import { newestClosable, periodStart } from '../../domain/period.ts'
import type { Story } from './client.ts'
import { onboardPartner, payPlatformFee } from './partners.ts'
import {
  reportClawbacks,
  reportEarnings,
  reportMails,
  reportPartners,
  reportStatements,
  reportTierChanges,
  reportTransfers,
  reportWorkflows,
} from './report.ts'
import { refund, type Sale, sell } from './sales.ts'
import { preview, type Refusal, type Run, reviewEnds, settle } from './settlement.ts'

export type Stage = <T>(name: string, why: string, work: () => Promise<T>) => Promise<T>

export interface DemoInput {
  story: Story
  temporal: Client
  owners: { first: string; second: string }
  /** Where statements are kept after the demo has ended. */
  documents: string
  stage: Stage
}

const dayOf = (period: string, day: number, hour = 10) =>
  `${period}-${String(day).padStart(2, '0')}T${String(hour).padStart(2, '0')}:00:00.000Z`

/** 678.49 USD in all; with 74.75 given back, 603.74 remain: more than Silver asks for. */
function salesOf(period: string): Sale[] {
  return [
    { customer: "Joe's Pizza", package: 'Professional', amount: 9_999, day: 5 },
    { customer: 'Corner Bakery', package: 'Enterprise', amount: 24_900, day: 9 },
    { customer: 'Lakeside Dental', package: 'Clinic', amount: 14_950, day: 14, refund: 7_475 },
    { customer: 'North Gym', package: 'Studio', amount: 18_000, day: 21 },
  ].map(({ day, ...sale }) => ({
    ...sale,
    email: `${sale.customer.toLowerCase().replace(/[^a-z]+/g, '-')}@customer.example`,
    paidAt: dayOf(period, day),
  }))
}

async function bringInPartners({ story, owners }: DemoInput, period: string) {
  const effectiveFrom = periodStart(period).toISOString()
  await story.sandbox('/clock', { now: dayOf(period, 2) })
  const harbor = await onboardPartner(
    story,
    {
      name: 'Harbor Agency',
      level: 'master_reseller',
      type: 'distributor',
      email: 'owner@harbor-agency.example',
    },
    { approver: owners.first, reason: 'knows the market', effectiveFrom },
  )
  await payPlatformFee(story, harbor.partner)
  const bright = await onboardPartner(
    story,
    {
      name: 'Bright Web',
      level: 'reseller',
      type: 'value_added_reseller',
      email: 'owner@bright-web.example',
      parent: harbor.partner,
    },
    { approver: harbor.key, reason: 'recommended by two customers', effectiveFrom },
  )
  await payPlatformFee(story, bright.partner)
  return { harbor, bright }
}

async function sellAndRefund(input: DemoInput, period: string, sellerKey: string) {
  const { story, owners } = input
  for (const sale of salesOf(period)) {
    const done = await sell(story, sale, { owner: owners.first, seller: sellerKey })
    if (done.refund === undefined) continue
    await story.sandbox('/clock', { now: dayOf(period, 17) })
    await refund(story, { ...done, refund: done.refund }, sellerKey)
  }
}

export interface DemoStory {
  period: string
  run: Run
  refused: Refusal[]
  /** A key of a partner's member; it is in no report. */
  memberKey: string
}

/** Plays the story; every step goes through the API or a vendor's webhook. */
export async function playDemo(input: DemoInput): Promise<DemoStory> {
  const { story, temporal, owners, stage } = input
  const period = newestClosable(new Date())
  const { bright } = await stage('onboarding', 'two partners, from form to first key', () =>
    bringInPartners(input, period),
  )
  await stage('sales', 'four customers pay, one gets half of it back', () =>
    sellAndRefund(input, period, bright.key),
  )
  const { run, refused } = await stage('settlement', `${period} is closed by two persons`, () =>
    preview(story, period, owners.first).then(() => settle(story, temporal, { period, owners })),
  )
  await stage('tiers', 'the review moves a partner up', () => reviewEnds(temporal, period))
  await story.sandbox('/clock', { now: null })
  return { period, run, refused, memberKey: bright.key }
}

/** Everything that the story left behind, as anyone could read it. */
export async function reportDemo(
  { story, temporal, owners, documents }: DemoInput,
  played: DemoStory,
) {
  const key = owners.first
  const partners = await reportPartners(story, key)
  const nameOf = (id: string) => partners.find((partner) => partner.id === id)?.name ?? id
  const members = new Map(
    await Promise.all(
      Object.entries(owners).map(async ([role, ownerKey]) => {
        const me = await story.api<{ member: string }>('/v1/me', { key: ownerKey })
        return [me.member, role === 'first' ? 'super_admin' : 'super_admin_2'] as const
      }),
    ),
  )
  const { run, period, refused } = played
  return {
    workflows: await reportWorkflows(temporal),
    partners,
    ...(await reportEarnings(story, key, nameOf)),
    clawbacks: await reportClawbacks(story, key, nameOf),
    settlement: {
      run: run.id,
      period,
      reviewed_by: members.get(run.reviewed_by ?? '') ?? run.reviewed_by,
      released_by: members.get(run.released_by ?? '') ?? run.released_by,
      refused,
    },
    statements: await reportStatements(story, key, { directory: documents, nameOf }),
    transfers: await reportTransfers(story, nameOf),
    tier_changes: await reportTierChanges(story, key, nameOf),
    mails: await reportMails(story),
  }
}
