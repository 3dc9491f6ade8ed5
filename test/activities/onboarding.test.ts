import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import { listManualTasks } from '../../db/manual-tasks.ts'
import { findAgreement } from '../../db/onboarding/agreements.ts'
import { getApplication, listTimeline, markApplication } from '../../db/onboarding/applications.ts'
import { findDocument } from '../../db/onboarding/documents.ts'
import { findPayoutAccount } from '../../db/onboarding/payout-accounts.ts'
import { outwardId } from '../../domain/ids.ts'
import { VendorError } from '../../integrations/vendor-error.ts'
import { makeApplication } from '../support/factories.ts'
import { asSteps, failureOf, type Steps, startSteps } from '../support/steps.ts'

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

  it('for which no account is opened waits for a person, and leaves nothing to close', async () => {
    const applicationId = await makeApplication(kit.db)
    const refusal = { vendor: 'stripe', failure: 'rejected', code: 'country_unsupported' } as const
    const openPayoutAccount = (status: number) => () =>
      Promise.reject(new VendorError({ ...refusal, status, message: `answered ${status}` }))
    const refusing = (status: number) => {
      const connect = { ...kit.deps.connect, openPayoutAccount: openPayoutAccount(status) }
      return asSteps({ ...kit.deps, connect })
    }
    const open = refusing(400).openPayoutAccount({ applicationId, dueAt })
    expect(await failureOf(open)).toBe('vendor_refused')
    for (let i = 0; i < 2; i++) {
      await kit.steps.markVerificationStuck({ applicationId, dueAt, code: 'vendor_refused' })
    }
    expect(await getApplication(kit.db, applicationId)).toMatchObject({
      ...{ stage: 'verification', nextActor: 'super_admin', dueAt: new Date(dueAt) },
    })
    const told = (await listTimeline(kit.db, applicationId, 'decider')).map(({ what }) => what)
    expect(told.filter((what) => what.includes('refused the payout account'))).toHaveLength(1)
    expect(JSON.stringify(await listTimeline(kit.db, applicationId, 'applicant'))).not.toContain(
      'refused',
    )
    // A key of ours that is not let in says nothing of an account.
    expect(await failureOf(refusing(401).closePayoutAccount({ applicationId }))).toBe(
      'vendor_refused',
    )
    await refusing(400).closePayoutAccount({ applicationId })
    expect((await findPayoutAccount(kit.db, applicationId))?.closedAt).not.toBeNull()
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

describe('a rejection', () => {
  it('tells the reason of a rule that rejected, and never that of one that flagged', async () => {
    const told = async (outcome: 'reject' | 'review') => {
      const applicationId = await makeApplication(kit.db)
      await inTransaction(kit.db, (trx) =>
        markApplication(trx, applicationId, {
          ...{ stage: 'done', status: 'rejected', nextActor: null },
          ...{ preScreen: outcome, preScreenReason: `words of the rule to ${outcome}` },
        }),
      )
      await kit.steps.mailApplicant({ applicationId, kind: 'application_rejected' })
      const { contactEmail } = await getApplication(kit.db, applicationId)
      const { data } = await kit.story.sandbox<{ data: { to: string; text: string }[] }>('/mails')
      return data.find(({ to }) => to === contactEmail)?.text
    }
    expect(await told('reject')).toContain('words of the rule to reject')
    const flagged = await told('review')
    expect(flagged).toContain('We cannot accept')
    expect(flagged).not.toContain('words of the rule')
  })
})

describe('what cannot be taken back', () => {
  it('is one task of a person, however often the step is repeated', async () => {
    const applicationId = await makeApplication(kit.db)
    const left = ['close the payout account', 'withdraw the agreement']
    for (let i = 0; i < 2; i++) await kit.steps.recordUndosLeft({ applicationId, left })
    const { rows } = await listManualTasks(kit.db, { limit: 10, open: true })
    const mine = rows.filter(({ subject }) => subject === outwardId('application', applicationId))
    expect(mine.map(({ kind, what }) => [kind, what]).sort()).toEqual([
      ['undo_failed', 'close_the_payout_account'],
      ['undo_failed', 'withdraw_the_agreement'],
    ])
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
