/** Ways of an application whose end does not depend on how long anything takes. */
import type { NewProgramme } from '../../db/programmes.ts'
import { type Applicant, apply, comesBefore } from '../story/applicants.ts'
import { eventually, type Story } from '../story/client.ts'
import { snapshot, type Traces } from '../story/traces.ts'

/** What a message that was lost costs are the seconds until a reminder asks the vendor. */
export const patientProgramme: Partial<NewProgramme> = {
  deadlines: {
    agreementReminders: [8, 16, 24, 32],
    agreementExpiry: 45,
    verificationReminders: [8, 16, 24, 32, 48, 64, 96],
    verificationExpiry: 600,
    approvalReminder: 600,
    approvalEscalation: 700,
    approvalLapse: 800,
    informationReminders: [8, 16, 32],
    informationExpiry: 600,
    undo: 0,
  },
  onboarding: { agreementResends: 0 },
}

const patience = 240_000

type Way = (applicant: Applicant) => Promise<void>

const approved: Way = async (applicant) => {
  await comesBefore(applicant)
  await applicant.decide('approve', 'fits the programme')
}

const ways: Record<string, Way> = {
  happy: approved,
  second: approved,
  third: approved,
  declined: (applicant) => applicant.decline(),
  async expired() {},
  async rejected(applicant) {
    await comesBefore(applicant)
    await applicant.decide('reject', 'no sales force')
  },
  async withdrawn(applicant) {
    await comesBefore(applicant)
    await applicant.withdraw()
  },
  async resubmitted(applicant) {
    await applicant.sign()
    await applicant.verify('fail')
    await timelineSays(applicant, /another try/)
    await applicant.verify('pass')
    await applicant.decide('approve', 'the second document is fine')
  },
  async asked(applicant) {
    await comesBefore(applicant)
    await applicant.post('/information-requests', { questions: ['Who sells?'] })
    await applicant.link('/information-requests/1/answer', { answers: ['All of us.'] })
    await timelineSays(applicant, /the applicant answered/)
    await applicant.decide('approve', 'answered')
  },
}

const timelineSays = (applicant: Applicant, what: RegExp) =>
  eventually(
    `${applicant.name}: ${what}`,
    async () => {
      const { timeline } = await applicant.read()
      return timeline.some((entry) => what.test(entry.what)) || undefined
    },
    patience,
  )

/** How one ended and what it left, without what depends on how long things took. */
export interface Outcome {
  way: string
  status: string
  stage: string
  partner: boolean
  tenants: number
  traces: Traces
}

export interface Round {
  outcomes: Outcome[]
  /** Mails that arrived more than once under their own name, which receivers show once. */
  copies: number
}

/** Reminders come as often as time passes; each of them is looked at for copies elsewhere. */
const ofTime = /reminder/

async function outcomeOf(
  story: Story,
  owner: string,
  { way, applicant }: { way: string; applicant: Applicant },
): Promise<Outcome> {
  const { status, stage, partner } = await applicant.read()
  const tenants = await story.all<{ partner: string }>('/v1/tenants', owner)
  const traces = (await snapshot(story)).of(applicant, partner)
  const mails = Object.entries(traces.mails).filter(([kind]) => !ofTime.test(kind))
  return {
    ...{ way, status, stage, partner: partner !== null },
    tenants: tenants.filter((tenant) => tenant.partner === partner).length,
    traces: { ...traces, mails: Object.fromEntries(mails) },
  }
}

/** Plays every way at once. @param label tells the companies of one round from those of others. */
export async function playWays(story: Story, owner: string, label: string): Promise<Round> {
  const played = await Promise.all(
    Object.entries(ways).map(async ([way, play]) => {
      const applicant = await apply(story, owner, { name: `${label} ${way}`, patience })
      await play(applicant)
      await applicant.reaches('done')
      return { way, applicant }
    }),
  )
  await settled(story, played)
  const outcomes = await Promise.all(played.map((one) => outcomeOf(story, owner, one)))
  const { mails } = await snapshot(story)
  return { outcomes, copies: mails.filter(({ copies }) => copies > 1).length }
}

/** The last word to each applicant follows the end of its application. */
async function settled(story: Story, played: { applicant: Applicant }[]): Promise<void> {
  let before = ''
  await eventually(
    'no more mails',
    async () => {
      const { mails } = await snapshot(story)
      const own = mails.filter(({ to }) => played.some(({ applicant }) => applicant.email === to))
      const now = String(own.length)
      await new Promise((resolve) => setTimeout(resolve, 12_000))
      const same = now === before
      before = now
      return same || undefined
    },
    120_000,
  )
}
