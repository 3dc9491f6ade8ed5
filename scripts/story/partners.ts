/** How a partner comes in: it applies, signs, proves who it is, is approved, takes up access. */
import { eventually, type Story } from './client.ts'

export interface Applicant {
  name: string
  level: 'master_reseller' | 'reseller'
  type: string
  email: string
  parent?: string
}

export interface OnboardedPartner {
  application: string
  partner: string
  key: string
}

interface Application {
  id: string
  status: string
  stage: string
  partner: string | null
}

interface SandboxObject {
  id: string
  status?: string
  metadata: Record<string, string>
}

/**
 * Brings a partner from the form to its first key. Every step asks where things stand and uses a
 * key of its own, so that a story that was cut off goes on where it stopped.
 */
export async function onboardPartner(
  story: Story,
  applicant: Applicant,
  by: { approver: string; reason: string; effectiveFrom: string },
): Promise<OnboardedPartner> {
  const idempotencyKey = `story:${applicant.email}`
  const { id } = await story.api<Application>('/v1/applications', {
    method: 'POST',
    idempotencyKey,
    body: {
      company: { name: applicant.name, country: 'US', website: 'https://partner.example' },
      contact: { name: `${applicant.name} contact`, email: applicant.email },
      type: applicant.type,
      level: applicant.level,
      ...(applicant.parent ? { parent: applicant.parent } : {}),
    },
  })
  const read = () => story.api<Application>(`/v1/applications/${id}`, { key: by.approver })
  const reaches = (stages: string[]) =>
    eventually(`${applicant.name} reaches ${stages.join(' or ')}`, async () => {
      const application = await read()
      return stages.includes(application.stage) ? application : undefined
    })
  const later = ['provisioning', 'training', 'done']

  const first = await reaches(['agreement', 'verification', 'approval', ...later])
  if (first.stage === 'agreement') await sign(story, id)
  const second = await reaches(['verification', 'approval', ...later])
  if (second.stage === 'verification') await passIdentityCheck(story, id)
  const third = await reaches(['approval', ...later])
  if (third.stage === 'approval') {
    await story.api(`/v1/applications/${id}/decision`, {
      method: 'POST',
      key: by.approver,
      idempotencyKey,
      body: { decision: 'approve', reason: by.reason, effective_from: by.effectiveFrom },
    })
  }
  const key = await takeUpAccess(story, applicant.email)
  const done = await eventually(`${applicant.name} is active`, async () => {
    const application = await read()
    return application.status === 'active' ? application : undefined
  })
  return { application: id, partner: done.partner ?? '', key }
}

async function findFor(story: Story, kind: string, application: string) {
  return eventually(`the sandbox has ${kind} of ${application}`, async () => {
    const { data } = await story.sandbox<{ data: SandboxObject[] }>(`/${kind}`)
    return data.find((object) => object.metadata.application === application)
  })
}

async function sign(story: Story, application: string): Promise<void> {
  const envelope = await findFor(story, 'envelopes', application)
  if (envelope.status !== 'completed') await story.sandbox(`/envelopes/${envelope.id}/sign`, {})
}

async function passIdentityCheck(story: Story, application: string): Promise<void> {
  const account = await findFor(story, 'accounts', application)
  await story.sandbox(`/accounts/${account.id}/kyc`, { result: 'pass' })
}

/** Takes the token out of the invitation mail and gives it for the first key. */
async function takeUpAccess(story: Story, email: string): Promise<string> {
  const token = await eventually(`the invitation of ${email}`, async () => {
    const { data } = await story.sandbox<{ data: { to: string; kind: string; text: string }[] }>(
      '/mails',
    )
    const mail = data.find(({ to, kind }) => to === email && kind === 'invitation')
    return mail ? /\?token=([\w-]+)/.exec(mail.text)?.[1] : undefined
  })
  const { api_key } = await story.api<{ api_key: string }>('/v1/invitations/accept', {
    method: 'POST',
    idempotencyKey: `story:${email}`,
    body: { token },
  })
  return api_key
}

/** Pays the platform's monthly fee of a partner with a card of the sandbox. */
export async function payPlatformFee(story: Story, partner: string): Promise<void> {
  const invoice = await eventually(`the platform invoice of ${partner}`, async () => {
    const { data } = await story.sandbox<{ data: SandboxObject[] }>('/invoices')
    return data.find(({ metadata }) => metadata.kind === 'platform' && metadata.partner === partner)
  })
  if (invoice.status !== 'paid') await story.sandbox(`/invoices/${invoice.id}/pay`, {})
}
