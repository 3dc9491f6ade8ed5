/** Ten ways that an application can go, each played by those whose turn it is. */
import type { NewProgramme } from '../../db/programmes.ts'
import {
  type Applicant,
  type Application,
  apply,
  comesBefore,
  type Form,
  type TimelineEntry,
} from './applicants.ts'
import { eventually, type Story } from './client.ts'

/** Deadlines of seconds: nobody in this story is ever slower than it is meant to be. */
export const quickProgramme: Partial<NewProgramme> = {
  deadlines: {
    agreementReminders: [3],
    agreementExpiry: 8,
    verificationReminders: [20],
    verificationExpiry: 60,
    approvalReminder: 3,
    approvalEscalation: 6,
    approvalLapse: 60,
    undo: 0,
  },
  onboarding: { agreementResends: 0 },
}

export interface PathsInput {
  story: Story
  owners: { first: string; second: string }
}

/** How an application ended, and how it was meant to. */
export interface Ended {
  name: string
  path: string
  status: string
  decided_by: string | null
  expected: string
  timeline: TimelineEntry[]
}

type Path = (applicant: Applicant, input: PathsInput) => Promise<string>

interface Play extends Form {
  path: string
  play: Path
}

const closed = async (applicant: Applicant) => (await applicant.reaches('done')).status

async function becomesActive(applicant: Applicant, reason = 'fits the programme') {
  await comesBefore(applicant)
  await applicant.decide('approve', reason)
  return closed(applicant)
}

const happy: Path = (applicant) => becomesActive(applicant)

const declined: Path = async (applicant) => {
  await applicant.decline()
  return closed(applicant)
}

const expired: Path = (applicant) => closed(applicant)

const resubmitted: Path = async (applicant, { story, owners }) => {
  await applicant.sign()
  await applicant.verify('fail')
  await eventually('Stripe asks again', async () => {
    const { timeline, next_actor } = await story.api<Application>(
      `/v1/applications/${applicant.id}`,
      { key: owners.first },
    )
    return next_actor === 'applicant' && timeline.length > 0 ? true : undefined
  })
  await applicant.verify('pass')
  await applicant.decide('approve', 'the second document is fine')
  return closed(applicant)
}

const rejected: Path = async (applicant) => {
  await comesBefore(applicant)
  await applicant.decide('reject', 'no sales force in this country')
  return closed(applicant)
}

const withdrawn: Path = async (applicant) => {
  await applicant.reaches('agreement')
  await applicant.withdraw()
  return closed(applicant)
}

/** The master reseller above it does not decide, so the platform does. */
const escalated: Path = async (applicant) => {
  await comesBefore(applicant)
  await eventually('the decision is escalated', async () =>
    (await applicant.read()).next_actor === 'super_admin' ? true : undefined,
  )
  await applicant.decide('approve', 'decided by the platform after the escalation')
  return closed(applicant)
}

const duplicate: Path = async (applicant) => {
  await comesBefore(applicant)
  const { duplicates = [] } = await applicant.read()
  if (duplicates.length === 0) throw new Error('the twin was not found')
  await applicant.decide('reject', 'the company is a partner already')
  return closed(applicant)
}

const territoryConflict: Path = async (applicant, { story, owners }) => {
  await comesBefore(applicant)
  const { territories = [] } = await applicant.read()
  const conflicts = territories.flatMap(({ conflict }) => (conflict ? [conflict] : []))
  if (conflicts.length === 0) throw new Error('the conflict was not found')
  for (const { id } of conflicts) {
    await story.api(`/v1/territory-conflicts/${id}/ruling`, {
      method: 'POST',
      key: owners.first,
      body: { ruling: 'share', reason: 'room for two in this state' },
    })
  }
  await applicant.decide('approve', 'shares its territory')
  return closed(applicant)
}

/** Two persons end the partnership. */
const terminated: Path = async (applicant, { story, owners }) => {
  await becomesActive(applicant)
  const { partner } = await applicant.read()
  const { id, payload_hash } = await story.api<{ id: string; payload_hash: string }>(
    `/v1/partners/${partner}/termination`,
    {
      method: 'POST',
      key: owners.first,
      body: { reason_code: 'mutual', reason: 'the company closes its shop' },
    },
  )
  await story.api(`/v1/approvals/${id}/approve`, {
    method: 'POST',
    key: owners.second,
    body: { payload_hash },
  })
  return eventually('the partner is terminated', async () => {
    const { status } = await story.api<{ status: string }>(`/v1/partners/${partner}`, {
      key: owners.first,
    })
    return status === 'terminated' ? status : undefined
  })
}

const area = { territories: ['US-CA'], territory_mode: 'exclusive' }
const registered = { registration_number: 'CA-4711' }

/** Those whose ways others cross come first. */
const first: Play[] = [
  { name: 'Anchor Trading', path: 'happy', form: area, company: registered, play: happy },
]

const others = (parent: string): Play[] => [
  { name: 'Beacon Resale', path: 'declined', play: declined },
  { name: 'Cedar Works', path: 'expired', play: expired },
  { name: 'Delta Supply', path: 'resubmitted_kyc', play: resubmitted },
  { name: 'Ember Sales', path: 'rejected', play: rejected },
  { name: 'Fjord Digital', path: 'withdrawn', play: withdrawn },
  { name: 'Grove Media', path: 'escalated', form: { parent }, play: escalated },
  { name: 'Anchor Trade Group', path: 'duplicate', company: registered, play: duplicate },
  { name: 'Harvest Online', path: 'territory_conflict', form: area, play: territoryConflict },
  { name: 'Iris Software', path: 'terminated', play: terminated },
]

const endings: Record<string, string> = {
  happy: 'active',
  declined: 'withdrawn',
  expired: 'lapsed',
  resubmitted_kyc: 'active',
  rejected: 'rejected',
  withdrawn: 'withdrawn',
  escalated: 'active',
  duplicate: 'rejected',
  territory_conflict: 'active',
  terminated: 'terminated',
}

async function playOut(input: PathsInput, play: Play): Promise<Ended> {
  const applicant = await apply(input.story, input.owners.first, play)
  const status = await play.play(applicant, input)
  const { timeline, decided_by } = await applicant.read()
  const expected = endings[play.path] ?? ''
  return {
    ...{ name: play.name, path: play.path, status, expected, timeline },
    decided_by: decided_by ?? null,
  }
}

/** Brings in a master reseller, and then plays the ten ways, most of them at once. */
export async function playPaths(input: PathsInput): Promise<Ended[]> {
  const above: Play = {
    name: 'Northern Masters',
    path: 'master',
    form: { level: 'master_reseller', type: 'distributor' },
    play: happy,
  }
  const master = await apply(input.story, input.owners.first, above)
  await becomesActive(master)
  const parent = (await master.read()).partner ?? ''
  const begun = await Promise.all(first.map((play) => playOut(input, play)))
  const rest = await Promise.all(others(parent).map((play) => playOut(input, play)))
  return [...begun, ...rest]
}
