/** An application on its way, and what those involved in it may do; for stories of many of them. */
import { eventually, type Story } from './client.ts'

export interface TimelineEntry {
  at: string
  stage: string
  actor: string
  what: string
  due_at: string | null
}

export interface Application {
  id: string
  status: string
  stage: string
  next_actor: string | null
  partner: string | null
  decided_by?: string | null
  duplicates?: unknown[]
  territories?: { conflict: { id: string } | null }[]
  timeline: TimelineEntry[]
}

export interface SandboxObject {
  id: string
  status?: string
  metadata: Record<string, string>
}

/** What a company fills in, as far as it is not what all companies of stories fill in. */
export interface Form {
  name: string
  form?: Record<string, unknown>
  company?: Record<string, string>
  /** Milliseconds in which each stage has to be reached. */
  patience?: number
}

export interface Applicant {
  id: string
  name: string
  email: string
  statusUrl: string
  /** What the applicant may do behind its link. */
  link<T>(path: string, body?: unknown): Promise<T>
  /** Posts as somebody of the platform. */
  post<T>(path: string, body: unknown): Promise<T>
  read(): Promise<Application>
  reaches(stage: string): Promise<Application>
  /** The one at the vendor, as soon as it is there. */
  object(kind: string): Promise<SandboxObject>
  sign(): Promise<void>
  decline(reason?: string): Promise<void>
  verify(result: 'pass' | 'fail'): Promise<void>
  decide(decision: 'approve' | 'reject', reason: string): Promise<void>
  withdraw(): Promise<void>
}

/** Each stage is waited for so long. */
const patienceMs = 60_000

/** @param owner key of a person of the platform. */
export async function apply(story: Story, owner: string, play: Form): Promise<Applicant> {
  const { name, patience = patienceMs } = play
  const slug = name.toLowerCase().replace(/[^a-z0-9]+/g, '-')
  const email = `owner@${slug}.example`
  const { id, status_url } = await story.api<{ id: string; status_url: string }>(
    '/v1/applications',
    {
      method: 'POST',
      body: {
        company: {
          name,
          country: 'US',
          website: `https://${slug}.example`,
          ...play.company,
        },
        contact: { name: `${name} contact`, email },
        type: 'value_added_reseller',
        level: 'reseller',
        ...play.form,
      },
    },
  )
  const { search } = new URL(status_url)
  const base = `/v1/applications/${id}`
  const read = () => story.api<Application>(base, { key: owner })
  const reaches = (stage: string) =>
    eventually(
      `${name} reaches ${stage}`,
      async () => {
        const application = await read()
        return application.stage === stage ? application : undefined
      },
      patience,
    )
  const post = <T>(path: string, body: unknown) =>
    story.api<T>(`${base}${path}`, { method: 'POST', key: owner, body })
  const link = <T>(path: string, body?: unknown) =>
    story.api<T>(`${base}${path}${search}`, body === undefined ? {} : { method: 'POST', body })
  const acts = vendorActs(story, { id, name, reaches, patience })
  return {
    ...{ id, name, email, statusUrl: status_url, read, reaches, post, link, ...acts },
    async decide(decision, reason) {
      await reaches('approval')
      await post('/decision', { decision, reason })
    },
    async withdraw() {
      await link('/withdrawal', {})
    },
  }
}

type Reaches = Pick<Applicant, 'id' | 'name' | 'reaches'> & { patience: number }

/** What is done at the vendors' pages, by whoever the vendor asks. */
function vendorActs(story: Story, { id, name, reaches, patience }: Reaches) {
  const object = (kind: string) =>
    eventually(
      `the sandbox has ${kind} of ${name}`,
      async () => {
        const { data } = await story.sandbox<{ data: SandboxObject[] }>(`/${kind}`)
        return data.findLast(({ metadata }) => metadata.application === id)
      },
      patience,
    )
  const envelope = async (act: string, body: object) => {
    await story.sandbox(`/envelopes/${(await object('envelopes')).id}/${act}`, body)
  }
  return {
    object,
    sign: () => envelope('sign', {}),
    decline: (reason?: string) => envelope('decline', reason ? { reason } : {}),
    async verify(result: 'pass' | 'fail') {
      await reaches('verification')
      await story.sandbox(`/accounts/${(await object('accounts')).id}/kyc`, { result })
    },
  }
}

/** Signed, known to Stripe, and before those who decide. */
export async function comesBefore(applicant: Applicant): Promise<void> {
  await applicant.sign()
  await applicant.verify('pass')
  await applicant.reaches('approval')
}
