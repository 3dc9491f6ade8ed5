import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import { recordEvent } from '../../db/inbox.ts'
import { getApplication, listTimeline, markApplication } from '../../db/onboarding/applications.ts'
import { findIdentityCheck } from '../../db/onboarding/identity-checks.ts'
import { findPayoutAccount, markPayoutAccountOwner } from '../../db/onboarding/payout-accounts.ts'
import { listHolds } from '../../db/partner-holds.ts'
import { findPartnerVerification, recordExtension } from '../../db/partner-verifications.ts'
import { workflowIds } from '../../domain/process-names.ts'
import { makeApplication, makeMember, makePartner } from '../support/factories.ts'
import { failureOf, type Steps, startSteps } from '../support/steps.ts'

let kit: Steps
beforeAll(async () => {
  kit = await startSteps()
})
afterEach(async () => {
  await fetch(`${kit.sandbox.url}/_sandbox/faults`, { method: 'DELETE' })
  await setIdentity('none')
})
afterAll(() => kit.stop())

const dueAt = '2030-01-01T00:00:00.000Z'

const setIdentity = (identityCheck: 'none' | 'contact', tries = 3) =>
  sql`update programmes set onboarding = onboarding ||
    ${JSON.stringify({ identityCheck, verificationTries: tries })}::jsonb`.execute(kit.db)

interface Session {
  id: string
  status: string
  client_reference_id: string
  redaction: { status: string } | null
}

const sandbox = <T>(path: string, body?: object) => kit.story.sandbox<T>(path, body)

async function sessions(check: { id: string } | undefined): Promise<Session[]> {
  const { data } = await sandbox<{ data: (Session & { metadata: Record<string, string> })[] }>(
    '/verification_sessions',
  )
  return data.filter(({ metadata }) => metadata.check === check?.id)
}

async function opened(): Promise<{ applicationId: string; accountId: string }> {
  const applicationId = await makeApplication(kit.db)
  await kit.steps.openPayoutAccount({ applicationId, dueAt })
  const account = await findPayoutAccount(kit.db, applicationId)
  return { applicationId, accountId: account?.vendorAccountId ?? '' }
}

const kyc = (accountId: string, result: object) => sandbox(`/accounts/${accountId}/kyc`, result)

/** An active partner whose account, opened by its application, is verified. */
async function verifiedPartner(): Promise<{ partnerId: string; accountId: string }> {
  const { applicationId, accountId } = await opened()
  await makePartner(kit.db, { id: applicationId })
  await kyc(accountId, { result: 'pass' })
  await kit.steps.readVerification({ applicationId })
  await inTransaction(kit.db, (trx) => markPayoutAccountOwner(trx, applicationId, applicationId))
  return { partnerId: applicationId, accountId }
}

describe('an applicant', () => {
  it('may hand in as often as the programme says, and each refusal is told once', async () => {
    await setIdentity('none', 1)
    const { applicationId, accountId } = await opened()
    const read = () => kit.steps.readVerification({ applicationId })
    await kyc(accountId, { result: 'fail' })
    const seen = [await read(), await read()]
    await kyc(accountId, { result: 'fail' })
    seen.push(await read(), await read())
    expect(seen).toEqual(['needs_input', 'needs_input', 'out_of_tries', 'out_of_tries'])
    const told = (await listTimeline(kit.db, applicationId, 'decider')).filter(
      ({ what }) => what === 'identity check needs another try',
    )
    expect(told).toHaveLength(2)
  })

  it('whose application ended has no account any more, however often that is asked', async () => {
    const { applicationId, accountId } = await opened()
    await kit.steps.closePayoutAccount({ applicationId })
    await kit.steps.closePayoutAccount({ applicationId })
    const { data } = await sandbox<{ data: { id: string; closed: boolean }[] }>('/accounts')
    expect(data.find(({ id }) => id === accountId)?.closed).toBe(true)
    expect(await findPayoutAccount(kit.db, applicationId)).toMatchObject({
      status: 'expired',
      payable: false,
    })
  })

  it('whose account was opened and never answered for has that one closed, and no other', async () => {
    const applicationId = await makeApplication(kit.db)
    await kit.fault({
      vendor: 'stripe',
      kind: 'timeout_after_commit',
      path: '/v2/core/accounts',
      count: 2,
    })
    await failureOf(kit.steps.openPayoutAccount({ applicationId, dueAt }))
    await kit.steps.closePayoutAccount({ applicationId })
    const account = await findPayoutAccount(kit.db, applicationId)
    const { data } = await sandbox<{ data: { id: string; closed: boolean }[] }>('/accounts')
    const own = data.filter(({ id }) => id === account?.vendorAccountId)
    expect([account?.status, own.map(({ closed }) => closed)]).toEqual(['expired', [true]])
  })

  it('that was refused keeps its account, which stays refused', async () => {
    const { applicationId, accountId } = await opened()
    await kyc(accountId, { result: 'fail', final: true })
    await kit.steps.readVerification({ applicationId })
    await kit.steps.closePayoutAccount({ applicationId })
    const { data } = await sandbox<{ data: { id: string; closed: boolean }[] }>('/accounts')
    expect(data.find(({ id }) => id === accountId)?.closed).toBe(false)
    expect((await findPayoutAccount(kit.db, applicationId))?.status).toBe('rejected')
  })
})

describe('a check of the contact', () => {
  it('is one session, also when an answer was lost, and both have to be green', async () => {
    await setIdentity('contact')
    const applicationId = await makeApplication(kit.db)
    await kit.fault({
      vendor: 'stripe',
      kind: 'timeout_after_commit',
      path: '/v1/identity/verification_sessions',
      count: 2,
    })
    const lost = await failureOf(kit.steps.openPayoutAccount({ applicationId, dueAt }))
    expect(lost).toBe('vendor_unknown')
    await kit.steps.openPayoutAccount({ applicationId, dueAt })
    const account = await findPayoutAccount(kit.db, applicationId)
    const check = await findIdentityCheck(kit.db, applicationId)
    expect(await sessions(check)).toHaveLength(1)

    const read = () => kit.steps.readVerification({ applicationId })
    await kyc(account?.vendorAccountId ?? '', { result: 'pass' })
    expect(await read()).toBe('in_progress')
    await kit.steps.issueVerificationLink({ applicationId })
    const link = (await findPayoutAccount(kit.db, applicationId))?.linkUrl
    expect(link).toMatch(/\/identity\/vs_/)
    await sandbox(`/verification_sessions/${check?.vendorSessionId}/fail`, {})
    expect(await read()).toBe('needs_input')
    await sandbox(`/verification_sessions/${check?.vendorSessionId}/verify`, {})
    expect(await read()).toBe('verified')
    expect(await getApplication(kit.db, applicationId)).toMatchObject({
      identityStatus: 'verified',
      nextActor: 'system',
    })
  })

  it('keeps the outcome and nothing of the person', async () => {
    await setIdentity('contact')
    const { applicationId } = await opened()
    const before = await findIdentityCheck(kit.db, applicationId)
    await sandbox(`/verification_sessions/${before?.vendorSessionId}/fail`, {
      error: 'selfie_face_mismatch',
    })
    await kit.steps.readVerification({ applicationId })
    const check = await findIdentityCheck(kit.db, applicationId)
    expect(check).toMatchObject({ lastError: 'selfie_face_mismatch', refusals: 1 })
    expect(JSON.stringify(check, (_, v) => (typeof v === 'bigint' ? '' : v))).not.toMatch(/secret/)
  })

  it('that was canceled at the vendor is followed by another one', async () => {
    await setIdentity('contact')
    const { applicationId } = await opened()
    const first = await findIdentityCheck(kit.db, applicationId)
    await kit.deps.identity.cancelSession(first?.vendorSessionId ?? '')
    await kit.steps.readVerification({ applicationId })
    const second = await findIdentityCheck(kit.db, applicationId)
    expect([second?.attempt, second?.vendorSessionId]).toEqual([2, expect.stringMatching(/^vs_/)])
    expect(second?.vendorSessionId).not.toBe(first?.vendorSessionId)
  })
})

describe('a partner of whom the vendor wants more', () => {
  it('is due, still paid, and clear again when it has answered', async () => {
    const { partnerId, accountId } = await verifiedPartner()
    const read = () => kit.steps.readReverification({ partnerId })
    expect(await read()).toMatchObject({ state: 'clear' })
    const deadline = '2030-03-01T00:00:00.000Z'
    await sandbox(`/accounts/${accountId}/requirements`, { status: 'currently_due', deadline })
    expect(await read()).toEqual({
      state: 'due',
      deadlineAt: deadline,
      heldSince: null,
      salesStopped: false,
    })
    expect((await findPayoutAccount(kit.db, partnerId))?.payable).toBe(true)
    expect(await findPartnerVerification(kit.db, partnerId)).toMatchObject({
      status: 'needs_input',
      deadline: 'currently_due',
      requirements: ['identity.individual.documents.primary_verification'],
    })
    await kyc(accountId, { result: 'pass' })
    expect(await read()).toMatchObject({ state: 'clear', deadlineAt: null })
  })

  it('is held once for one occasion, and gets back all that was held for it', async () => {
    const { partnerId, accountId } = await verifiedPartner()
    await sandbox(`/accounts/${accountId}/requirements`, { status: 'past_due' })
    const seen = await kit.steps.readReverification({ partnerId })
    expect(seen.state).toBe('restricted')
    expect((await findPayoutAccount(kit.db, partnerId))?.payable).toBe(false)
    const hold = { partnerId, source: 'run:1', reason: 'restricted' as const }
    await kit.steps.holdForVerification(hold)
    await kit.steps.holdForVerification(hold)
    await kit.steps.stopSales({ partnerId })
    expect(await listHolds(kit.db, partnerId)).toMatchObject([
      { cause: 'verification', reason: 'verification_restricted' },
    ])
    expect(await kit.steps.readReverification({ partnerId })).toMatchObject({
      heldSince: expect.any(String),
      salesStopped: true,
    })
    await kit.steps.liftVerificationHolds({ partnerId })
    expect(await listHolds(kit.db, partnerId)).toEqual([])
    expect(await findPartnerVerification(kit.db, partnerId)).toMatchObject({
      payoutsHeld: false,
      salesStopped: false,
    })
  })

  it('has more time by what a person wrote, of which the process hears no word', async () => {
    const { partnerId } = await verifiedPartner()
    const memberId = await makeMember(kit.db, { partnerId: null })
    const id = '01940000-0000-7000-8000-000000000001'
    const until = new Date(dueAt)
    const extension = { id, partnerId, memberId, lifts: true, until, reason: 'is on holiday' }
    await inTransaction(kit.db, (trx) => recordExtension(trx, extension))
    const taken = await kit.steps.takeVerificationExtension({ extensionId: id })
    expect(taken).toEqual({ until: dueAt, lifts: true })
    expect((await findPartnerVerification(kit.db, partnerId))?.extendedUntil).toEqual(until)
  })

  it('is told, once for each occasion, and so are people of the platform', async () => {
    const { partnerId } = await verifiedPartner()
    const mail = (kind: 'due' | 'held') =>
      kit.steps.mailVerification({ partnerId, kind, occurrence: 'run:0' })
    await mail('due')
    await mail('due')
    await mail('held')
    const { data } = await sandbox<{ data: { to: string; kind: string }[] }>('/mails')
    const own = data.filter(({ to }) => to === `${partnerId}@company.example`)
    const ofPartner = data.filter(({ to }) => to === `${partnerId}@partner.example`)
    expect([...own, ...ofPartner].map(({ kind }) => kind)).toEqual([
      'verification_due',
      'verification_held',
    ])
    expect(data.some(({ kind }) => kind === 'verification_drift')).toBe(true)
  })

  it('is asked for its contact again after a year, where the programme wants it', async () => {
    const { partnerId } = await verifiedPartner()
    await setIdentity('contact')
    expect(await kit.steps.readReverification({ partnerId })).toMatchObject({ state: 'clear' })
    await sql`update partners set created_at = now() - interval '2 years'
      where id = ${partnerId}`.execute(kit.db)
    expect(await kit.steps.readReverification({ partnerId })).toMatchObject({ state: 'due' })
    await kit.steps.readReverification({ partnerId })
    const check = await findIdentityCheck(kit.db, partnerId)
    expect(await sessions(check)).toHaveLength(1)
    await sandbox(`/verification_sessions/${check?.vendorSessionId}/verify`, {})
    expect(await kit.steps.readReverification({ partnerId })).toMatchObject({ state: 'clear' })
  })
})

describe('an event about a partner', () => {
  const drain = () => kit.steps.drainInbox({ vendor: 'stripe' })
  const type = 'v2.core.account[requirements].updated'
  const record = (eventId: string, objectId: string) =>
    recordEvent(kit.db, { vendor: 'stripe', eventId, type, objectId, occurredAt: new Date() })

  it('starts one process where something is missing, however often it comes', async () => {
    const { partnerId, accountId } = await verifiedPartner()
    await sandbox(`/accounts/${accountId}/requirements`, { status: 'currently_due' })
    for (const number of [1, 2, 3]) {
      await record(`evt_drift_${number}`, accountId)
      await drain()
    }
    const handle = kit.temporal.workflow.getHandle(workflowIds.reverification(partnerId))
    const { events } = await handle.fetchHistory()
    const signals = events?.filter(({ workflowExecutionSignaledEventAttributes: one }) => one)
    expect([(await handle.describe()).status.name, signals?.length]).toEqual(['RUNNING', 1])
  })

  it('starts nothing where nothing is missing', async () => {
    const { partnerId, accountId } = await verifiedPartner()
    await record('evt_quiet', accountId)
    await drain()
    const handle = kit.temporal.workflow.getHandle(workflowIds.reverification(partnerId))
    await expect(handle.describe()).rejects.toThrow(/not found/i)
  })
})

describe('the daily round', () => {
  it('finds events that no webhook brought, and knows those that came', async () => {
    const { accountId } = await opened()
    await sql`truncate webhook_events`.execute(kit.db)
    await kyc(accountId, { result: 'pass' })
    const first = await kit.steps.recoverVerificationEvents()
    const again = await kit.steps.recoverVerificationEvents()
    expect(first.found).toBeGreaterThan(0)
    expect(again.found).toBe(0)
    const { rows } = await sql<{ type: string }>`select type from webhook_events
      where object_id = ${accountId}`.execute(kit.db)
    expect(rows.map(({ type }) => type)).toContain('v2.core.account[requirements].updated')
  })

  it('looks at open checks after a day and at partners after a year, once a day', async () => {
    await sql`update payout_accounts set checked_at = now(), created_at = now()`.execute(kit.db)
    const open = await opened()
    const [young, old] = [await verifiedPartner(), await verifiedPartner()]
    const looks = async () => {
      await sql`truncate webhook_events`.execute(kit.db)
      const { done } = await kit.steps.recheckVerifications({ after: null })
      await kit.steps.recheckVerifications({ after: null })
      const { rows } = await sql<{
        id: string
      }>`select object_id as id from webhook_events`.execute(kit.db)
      expect(rows).toHaveLength(done)
      return rows.map(({ id }) => id).sort()
    }
    expect(await looks()).toEqual([])
    await sql`update payout_accounts set created_at = now() - interval '21 hours',
      checked_at = now() - case when vendor_account_id = ${old.accountId}
        then interval '367 days' else interval '21 hours' end
      where vendor_account_id in (${open.accountId}, ${young.accountId}, ${old.accountId})`.execute(
      kit.db,
    )
    expect(await looks()).toEqual([open.accountId, old.accountId].sort())
  })

  it('has what was found forgotten at the vendor when its time is over, with a proof', async () => {
    await setIdentity('contact')
    const { applicationId } = await opened()
    const check = await findIdentityCheck(kit.db, applicationId)
    const session = check?.vendorSessionId ?? ''
    await sandbox(`/verification_sessions/${session}/verify`, {})
    await kit.steps.readVerification({ applicationId })
    const round = () => kit.steps.redactVerifications({ after: null })
    await round()
    expect((await sessions(check))[0]?.redaction).toBeNull()
    await sql`update identity_checks set verified_at = now() - interval '366 days'
      where id = ${check?.id}`.execute(kit.db)
    await round()
    await round()
    expect((await sessions(check))[0]?.redaction).toEqual({ status: 'processing' })
    expect((await findIdentityCheck(kit.db, applicationId))?.redactedAt).toBeNull()
    await sandbox(`/verification_sessions/${session}/finish_redaction`, {})
    await round()
    expect(await findIdentityCheck(kit.db, applicationId)).toMatchObject({
      status: 'redacted',
      redactedAt: expect.any(Date),
    })
    const { rows } = await sql<{ status: string; detail: string | null }>`
      select status, detail from identity_check_events
      where identity_check_id = ${check?.id} order by id`.execute(kit.db)
    expect(rows.slice(-2)).toEqual([
      { status: 'verified', detail: 'redaction_asked' },
      { status: 'redacted', detail: null },
    ])
  })

  it('has that of an application that came to nothing forgotten, also after one that is lost', async () => {
    await setIdentity('contact')
    const { applicationId: lost } = await opened()
    await sql`update identity_checks set vendor_session_id = 'vs_lost',
      verified_at = now() - interval '366 days' where application_id = ${lost}`.execute(kit.db)
    const { applicationId } = await opened()
    const check = await findIdentityCheck(kit.db, applicationId)
    await kit.steps.closePayoutAccount({ applicationId })
    await inTransaction(kit.db, (trx) =>
      markApplication(trx, applicationId, { stage: 'done', status: 'lapsed', nextActor: null }),
    )
    await sql`update applications set closed_at = now() - interval '366 days'
      where id = ${applicationId}`.execute(kit.db)
    const left = await opened()
    await makePartner(kit.db, { id: left.applicationId })
    const partnerId = left.applicationId
    await sql`update identity_checks set partner_id = ${partnerId},
      checked_at = now() - interval '366 days' where application_id = ${partnerId}`.execute(kit.db)
    const open = await findIdentityCheck(kit.db, partnerId)
    await kit.steps.redactVerifications({ after: null })
    expect((await sessions(open))[0]?.redaction).toBeNull()
    await sql`update partners set status = 'terminated' where id = ${partnerId}`.execute(kit.db)
    await kit.steps.redactVerifications({ after: null })
    expect((await sessions(open))[0]?.redaction).toEqual({ status: 'processing' })
    expect((await sessions(check))[0]).toMatchObject({
      status: 'canceled',
      redaction: { status: 'processing' },
    })
  })
})
