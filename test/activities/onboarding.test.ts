import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { findAgreement } from '../../db/onboarding/agreements.ts'
import { getApplication } from '../../db/onboarding/applications.ts'
import { findDocument } from '../../db/onboarding/documents.ts'
import { findPayoutAccount } from '../../db/onboarding/payout-accounts.ts'
import { outwardId } from '../../domain/ids.ts'
import { makeApplication } from '../support/factories.ts'
import { failureOf, type Steps, startSteps } from '../support/steps.ts'

let kit: Steps
beforeAll(async () => {
  kit = await startSteps()
})
afterEach(async () => {
  await fetch(`${kit.sandbox.url}/_sandbox/faults`, { method: 'DELETE' })
})
afterAll(() => kit.stop())

const dueAt = '2030-01-01T00:00:00.000Z'
const expiry = 30 * 86_400

interface Found {
  id: string
  status: string
  metadata: Record<string, string>
}

async function ofApplication(kind: 'envelopes' | 'accounts', applicationId: string) {
  const { data } = await kit.story.sandbox<{ data: Found[] }>(`/${kind}`)
  const id = outwardId('application', applicationId)
  return data.filter(({ metadata }) => metadata.application === id)
}

async function mailsTo(address: string) {
  const { data } = await kit.story.sandbox<{ data: { to: string; kind: string }[] }>('/mails')
  return data.filter(({ to }) => to === address).map(({ kind }) => kind)
}

describe('screening', () => {
  it('sends a new company on, and says so', async () => {
    const applicationId = await makeApplication(kit.db)
    expect(await kit.steps.screenApplication({ applicationId })).toBe('clear')
    expect(await getApplication(kit.db, applicationId)).toMatchObject({
      screening: 'clear',
      status: 'in_review',
      stage: 'agreement',
    })
  })
})

describe('the agreement', () => {
  it('is sent once, however often the step is repeated', async () => {
    const applicationId = await makeApplication(kit.db)
    for (let i = 0; i < 3; i++) await kit.steps.sendAgreement({ applicationId, expiry })
    expect(await ofApplication('envelopes', applicationId)).toHaveLength(1)
    expect(await kit.steps.readAgreement({ applicationId })).toBe('sent')
    const { nextActor, dueAt: due } = await getApplication(kit.db, applicationId)
    const left = (due?.getTime() ?? 0) - Date.now()
    expect([nextActor, Math.round(left / 86_400_000)]).toEqual(['applicant', 30])
  })

  it('is found again when the answer of its sending was lost', async () => {
    const applicationId = await makeApplication(kit.db)
    await kit.fault({
      vendor: 'docusign',
      kind: 'timeout_after_commit',
      path: '/restapi/v2.1/accounts',
      count: 1,
    })
    const lost = await failureOf(kit.steps.sendAgreement({ applicationId, expiry }))
    expect(lost).toBe('vendor_unknown')
    await kit.steps.sendAgreement({ applicationId, expiry })
    expect(await ofApplication('envelopes', applicationId)).toHaveLength(1)
  })

  it('is kept as a whole PDF with its hash once it is signed', async () => {
    const applicationId = await makeApplication(kit.db)
    await kit.steps.sendAgreement({ applicationId, expiry })
    const [envelope] = await ofApplication('envelopes', applicationId)
    await kit.story.sandbox(`/envelopes/${envelope?.id}/sign`, {})
    expect(await kit.steps.readAgreement({ applicationId })).toBe('completed')
    await kit.steps.storeSignedAgreement({ applicationId })
    await kit.steps.storeSignedAgreement({ applicationId })
    const agreement = await findAgreement(kit.db, applicationId)
    expect(agreement?.status).toBe('completed')
    const kept = async (id: string | null | undefined) => findDocument(kit.db, id ?? '')
    const signed = await kept(agreement?.documentId)
    expect(signed?.content.subarray(0, 5).toString()).toBe('%PDF-')
    const certificate = await kept(agreement?.certificateId)
    expect(certificate?.content.subarray(0, 5).toString()).toBe('%PDF-')
    expect(certificate?.content.equals(signed?.content ?? Buffer.alloc(0))).toBe(false)
    const audit = JSON.parse(String((await kept(agreement?.auditId))?.content))
    expect(JSON.stringify(audit.auditEvents)).toContain('Signed')
    const { rows } = await sql<{ n: number }>`
      select count(*)::int as n from documents where holder_id = ${applicationId}`.execute(kit.db)
    expect(rows[0]?.n).toBe(3)
    expect((await getApplication(kit.db, applicationId)).stage).toBe('verification')
  })

  it('that ran out of time is withdrawn at the vendor', async () => {
    const applicationId = await makeApplication(kit.db)
    await kit.steps.sendAgreement({ applicationId, expiry })
    expect(await kit.steps.expireAgreement({ applicationId })).toBe('resend')
    expect(await kit.steps.expireAgreement({ applicationId })).toBe('resend')
    const [envelope] = await ofApplication('envelopes', applicationId)
    expect(envelope?.status).toBe('voided')
    expect((await findAgreement(kit.db, applicationId))?.status).toBe('expired')
  })
})

describe('the identity check', () => {
  it('opens one account, also when the first answer was lost', async () => {
    const applicationId = await makeApplication(kit.db)
    await kit.fault({
      vendor: 'stripe',
      kind: 'timeout_after_commit',
      path: '/v2/core/accounts',
      count: 2,
    })
    const lost = await failureOf(kit.steps.openPayoutAccount({ applicationId, dueAt }))
    expect(lost).toBe('vendor_unknown')
    await kit.steps.openPayoutAccount({ applicationId, dueAt })
    await kit.steps.openPayoutAccount({ applicationId, dueAt })
    expect(await ofApplication('accounts', applicationId)).toHaveLength(1)
  })

  it('follows the processor: to be done, to be corrected, done; each change once', async () => {
    const applicationId = await makeApplication(kit.db)
    await kit.steps.openPayoutAccount({ applicationId, dueAt })
    const [account] = await ofApplication('accounts', applicationId)
    const check = (result: object) => kit.story.sandbox(`/accounts/${account?.id}/kyc`, result)
    const read = () => kit.steps.readVerification({ applicationId })
    const seen = [await read(), await read()]
    await check({ result: 'fail' })
    seen.push(await read())
    await check({ result: 'pass' })
    seen.push(await read(), await read())
    expect(seen).toEqual(['link_issued', 'link_issued', 'needs_input', 'verified', 'verified'])
    const events = await kit.db
      .selectFrom('verificationEvents')
      .innerJoin('payoutAccounts', 'payoutAccounts.id', 'verificationEvents.payoutAccountId')
      .select('verificationEvents.status')
      .where('applicationId', '=', applicationId)
      .orderBy('verificationEvents.id')
      .execute()
    expect(events.map(({ status }) => status)).toEqual(['link_issued', 'needs_input', 'verified'])
  })

  it('is refused for good where the processor rejects the owner', async () => {
    const applicationId = await makeApplication(kit.db)
    await kit.steps.openPayoutAccount({ applicationId, dueAt })
    const [account] = await ofApplication('accounts', applicationId)
    const final = { result: 'fail', final: true }
    await kit.story.sandbox(`/accounts/${account?.id}/kyc`, final)
    expect(await kit.steps.readVerification({ applicationId })).toBe('rejected')
  })

  it('has a fresh link each time one is wanted', async () => {
    const applicationId = await makeApplication(kit.db)
    await kit.steps.openPayoutAccount({ applicationId, dueAt })
    const link = async () => {
      await kit.steps.issueVerificationLink({ applicationId })
      return (await findPayoutAccount(kit.db, applicationId))?.linkUrl
    }
    const first = await link()
    expect(first).toMatch(/\/connect\/onboarding\//)
    expect(await link()).not.toBe(first)
  })
})

describe('mails', () => {
  it('go out once for each kind and occasion', async () => {
    const applicationId = await makeApplication(kit.db)
    const { contactEmail } = await getApplication(kit.db, applicationId)
    const send = (occurrence: string) =>
      kit.steps.mailApplicant({ applicationId, kind: 'agreement_reminder', occurrence })
    await send('1')
    await send('1')
    await send('2')
    expect(await mailsTo(contactEmail)).toEqual(['agreement_reminder', 'agreement_reminder'])
  })
})

describe('a failed step', () => {
  it('tells the engine a code and no word of what a person wrote', async () => {
    const applicationId = randomUUIDv7()
    expect(await failureOf(kit.steps.readAgreement({ applicationId }))).toBe('not_ready')
    const error = await kit.steps.screenApplication({ applicationId }).catch((e: unknown) => e)
    expect(String(error)).not.toMatch(/contact|@|Company/)
    expect(error).toMatchObject({ type: 'not_found', nonRetryable: true })
  })
})
