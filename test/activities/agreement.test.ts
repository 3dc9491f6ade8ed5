/** Attempts to have terms signed, on a real database and the stand-in of the vendor. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { markTermsPublished, recordTerms } from '../../db/agreement-terms.ts'
import { inTransaction } from '../../db/database.ts'
import { listManualTasks } from '../../db/manual-tasks.ts'
import { recordResend } from '../../db/onboarding/agreement-resends.ts'
import { findAgreement, listAttempts } from '../../db/onboarding/agreements.ts'
import { getApplication, listTimeline } from '../../db/onboarding/applications.ts'
import { listHolds } from '../../db/partner-holds.ts'
import { getPartner } from '../../db/partners.ts'
import { getProgramme } from '../../db/programmes.ts'
import { outwardId } from '../../domain/ids.ts'
import { workflowIds } from '../../domain/process-names.ts'
import { makeApplication, makePartner, unique } from '../support/factories.ts'
import { asSteps, failureOf, type Steps, startSteps } from '../support/steps.ts'

let kit: Steps
beforeAll(async () => {
  kit = await startSteps()
})
afterEach(async () => {
  await fetch(`${kit.sandbox.url}/_sandbox/faults`, { method: 'DELETE' })
})
afterAll(() => kit.stop())

const expiry = 30 * 86_400

interface Envelope {
  id: string
  status: string
  metadata: Record<string, string>
  signers?: { name: string; email: string; roleName?: string; tabs?: object }[]
}

async function envelopesOf(id: string): Promise<Envelope[]> {
  const { data } = await kit.story.sandbox<{ data: Envelope[] }>('/envelopes')
  return data.filter(({ metadata }) => Object.values(metadata).includes(id))
}

const ofApplication = (id: string) => envelopesOf(outwardId('application', id))
const ofPartner = (id: string) => envelopesOf(outwardId('partner', id))

async function mailsTo(address: string) {
  const { data } = await kit.story.sandbox<{ data: { to: string; kind: string }[] }>('/mails')
  return data.filter(({ to }) => to === address).map(({ kind }) => kind)
}

const send = (applicationId: string, attempt = 1, resendId: string | null = null) =>
  kit.steps.sendAgreement({ applicationId, expiry, attempt, resendId })

const setProgramme = (change: object) =>
  sql`update programmes set onboarding = onboarding || ${JSON.stringify(change)}`.execute(kit.db)

async function memberId(): Promise<string> {
  const found = await kit.db.selectFrom('members').select('id').executeTakeFirstOrThrow()
  return found.id
}

describe('an attempt', () => {
  it('follows another only when that has ended: never two live envelopes', async () => {
    const applicationId = await makeApplication(kit.db)
    await send(applicationId)
    expect(await failureOf(send(applicationId, 2))).toBe('conflict')
    expect(await kit.steps.withdrawAgreement({ applicationId })).toBe('voided')
    await send(applicationId, 2)
    await send(applicationId, 2)
    const statuses = (await ofApplication(applicationId)).map(({ status }) => status)
    expect(statuses.sort()).toEqual(['sent', 'voided'])
    const attempts = await listAttempts(kit.db, applicationId)
    expect(attempts.map(({ attempt, status }) => [attempt, status])).toEqual([
      [1, 'voided'],
      [2, 'sent'],
    ])
    const [first, second] = attempts
    expect(first?.transactionId).not.toBe(second?.transactionId)
  })

  it('of a process that was begun anew follows the last one that is over, or is that one', async () => {
    const applicationId = await makeApplication(kit.db)
    await send(applicationId)
    await kit.steps.withdrawAgreement({ applicationId })
    expect((await send(applicationId)).attempt).toBe(2)
    expect((await send(applicationId)).attempt).toBe(2)
    const envelopes = await ofApplication(applicationId)
    expect(envelopes.map(({ status }) => status).sort()).toEqual(['sent', 'voided'])
  })

  it('goes to the signer whom a person has corrected', async () => {
    const applicationId = await makeApplication(kit.db)
    await send(applicationId)
    await kit.steps.withdrawAgreement({ applicationId })
    const id = randomUUIDv7()
    const email = `${id}@corrected.example`
    const wish = { id, applicationId, memberId: await memberId(), signer: { email } }
    await inTransaction(kit.db, (trx) => recordResend(trx, wish))
    await send(applicationId, 2, id)
    const agreement = await findAgreement(kit.db, applicationId)
    expect([agreement?.signerEmail, agreement?.signerName]).toEqual([email, 'Contact'])
    expect(await mailsTo(email)).toEqual(['docusign_envelope'])
  })

  it.each(['error_500', 'error_429', 'timeout_after_commit'])(
    'that meets %s is one envelope and one mail in the end',
    async (kind) => {
      const applicationId = await makeApplication(kit.db)
      const path = '/restapi/v2.1/accounts'
      await kit.fault({ vendor: 'docusign', kind, path, count: 1 })
      expect(await failureOf(send(applicationId))).toMatch(/^vendor_(unknown|throttled)$/)
      expect(await send(applicationId)).toEqual({
        sending: kind === 'timeout_after_commit' ? 'found' : 'sent',
        embedded: false,
        attempt: 1,
      })
      expect(await ofApplication(applicationId)).toHaveLength(1)
      const { contactEmail } = await getApplication(kit.db, applicationId)
      expect(await mailsTo(contactEmail)).toEqual(['docusign_envelope'])
    },
  )

  it('that the vendor cannot be asked about any more is left to a person', async () => {
    const applicationId = await makeApplication(kit.db)
    await kit.fault({ vendor: 'docusign', kind: 'error_500', path: '/restapi', count: 1 })
    await failureOf(send(applicationId))
    await sql`update agreements set requested_at = clock_timestamp() - interval '8 days'
      where application_id = ${applicationId}`.execute(kit.db)
    expect((await send(applicationId)).sending).toBe('uncertain')
    expect((await send(applicationId)).sending).toBe('uncertain')
    expect(await ofApplication(applicationId)).toHaveLength(0)
    const { nextActor } = await getApplication(kit.db, applicationId)
    expect(nextActor).toBe('super_admin')
    expect(await kit.steps.withdrawAgreement({ applicationId })).toBe('voided')
    expect((await send(applicationId, 2)).sending).toBe('sent')
  })

  it('that is declined keeps what the signer wrote, sealed', async () => {
    const applicationId = await makeApplication(kit.db)
    await send(applicationId)
    const [envelope] = await ofApplication(applicationId)
    const reason = unique('our lawyers')
    await kit.story.sandbox(`/envelopes/${envelope?.id}/decline`, { reason })
    expect(await kit.steps.readAgreement({ applicationId })).toBe('declined')
    expect((await findAgreement(kit.db, applicationId))?.declinedReason).toBe(reason)
    const { rows } = await sql<{ row: string }>`
      select agreements::text as row from agreements
      where application_id = ${applicationId}`.execute(kit.db)
    expect(rows[0]?.row).not.toContain(Buffer.from(reason).toString('hex'))
    expect(
      (await listTimeline(kit.db, applicationId, 'decider')).map(({ what }) => what),
    ).toContain('agreement declined')
  })

  it('that was signed a moment before it was withdrawn is kept as signed', async () => {
    const applicationId = await makeApplication(kit.db)
    await send(applicationId)
    const [envelope] = await ofApplication(applicationId)
    await kit.story.sandbox(`/envelopes/${envelope?.id}/sign`, {})
    expect(await kit.steps.expireAgreement({ applicationId })).toBe('completed')
    const agreement = await findAgreement(kit.db, applicationId)
    expect([agreement?.status, agreement?.documentId]).toEqual(['completed', expect.any(String)])
  })

  it('is sent again after its time as often as the programme says, then lapses', async () => {
    const applicationId = await makeApplication(kit.db)
    await send(applicationId)
    expect(await kit.steps.expireAgreement({ applicationId })).toBe('resend')
    await send(applicationId, 2)
    expect(await kit.steps.expireAgreement({ applicationId })).toBe('lapsed')
    const envelopes = await ofApplication(applicationId)
    expect(envelopes.map(({ status }) => status)).toEqual(['voided', 'voided'])
  })
})

describe('an agreement that is signed on a page', () => {
  afterEach(() => setProgramme({ signing: 'mail' }))

  it('is mailed by nobody, and has a fresh page each time, which leads back', async () => {
    await setProgramme({ signing: 'embedded' })
    const applicationId = await makeApplication(kit.db)
    expect((await send(applicationId)).embedded).toBe(true)
    const { contactEmail } = await getApplication(kit.db, applicationId)
    expect(await mailsTo(contactEmail)).toEqual([])
    const open = async () => {
      await kit.steps.issueSigningPage({ applicationId })
      return (await findAgreement(kit.db, applicationId))?.signingUrl ?? ''
    }
    const [first, second] = [await open(), await open()]
    expect(first).not.toBe(second)
    const page = await fetch(second)
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('Sign')])
    const again = await fetch(second, { redirect: 'manual' })
    expect(again.headers.get('location')).toMatch(/\/v1\/applications\/app_.*event=ttl_expired/)
    await kit.steps.mailApplicant({ applicationId, kind: 'agreement_ready', occurrence: '1' })
    expect(await mailsTo(contactEmail)).toEqual(['agreement_ready'])
  })

  it('is told to the signer whom a person has corrected, and reminded of there', async () => {
    await setProgramme({ signing: 'embedded' })
    const applicationId = await makeApplication(kit.db)
    await send(applicationId)
    await kit.steps.withdrawAgreement({ applicationId })
    const id = randomUUIDv7()
    const signer = { name: 'Corrected', email: `${id}@corrected.example` }
    const wish = { id, applicationId, memberId: await memberId(), signer }
    await inTransaction(kit.db, (trx) => recordResend(trx, wish))
    await send(applicationId, 2, id)
    for (const kind of ['agreement_ready', 'agreement_reminder', 'welcome'] as const) {
      await kit.steps.mailApplicant({ applicationId, kind, occurrence: '2' })
    }
    expect(await mailsTo(signer.email)).toEqual(['agreement_ready', 'agreement_reminder'])
    const { contactEmail } = await getApplication(kit.db, applicationId)
    expect(await mailsTo(contactEmail)).toEqual(['welcome'])
  })

  it('has no page where it is signed by mail', async () => {
    const applicationId = await makeApplication(kit.db)
    await send(applicationId)
    expect(await failureOf(kit.steps.issueSigningPage({ applicationId }))).toBe('not_ready')
  })
})

async function publish(noticeSeconds: number | null, docusignTemplateId: string | null = null) {
  const { id: programmeId } = await getProgramme(kit.db)
  const version = unique('v').slice(0, 40)
  return inTransaction(kit.db, async (trx) => {
    const { id } = await recordTerms(trx, {
      ...{ id: randomUUIDv7(), programmeId, version, title: 'Terms', docusignTemplateId },
      body: 'For {company}.\n\n{commission}',
      createdBy: await memberId(),
    })
    return markTermsPublished(trx, { id, effectiveFrom: new Date(), noticeSeconds })
  })
}

describe('terms that were changed', () => {
  it('are sent to each active partner once, and signed ones are kept', async () => {
    const partnerId = await makePartner(kit.db)
    await sql`update partners set status = 'active' where id = ${partnerId}`.execute(kit.db)
    const { id: termsId } = await publish(600)
    await kit.steps.sweep()
    await kit.steps.sweep()
    const process = workflowIds.terms(termsId, partnerId)
    expect((await kit.temporal.workflow.getHandle(process).describe()).status.name).toBe('RUNNING')
    const asked = { termsId, partnerId }
    for (let i = 0; i < 2; i++) await kit.steps.sendTerms(asked)
    await kit.steps.mailTerms({ ...asked, kind: 'terms_changed' })
    const { contactEmail } = await getPartner(kit.db, partnerId)
    expect(await mailsTo(contactEmail)).toEqual(['docusign_envelope', 'terms_changed'])
    await kit.steps.markTermsAnswer({ ...asked, status: 'overdue' })
    expect((await getPartner(kit.db, partnerId)).termsOutdated).toBe(true)
    expect(await listHolds(kit.db, partnerId)).toMatchObject([{ reason: 'terms_overdue' }])
    const [envelope] = await ofPartner(partnerId)
    await kit.story.sandbox(`/envelopes/${envelope?.id}/sign`, {})
    expect(await kit.steps.readTerms(asked)).toBe('completed')
    for (let i = 0; i < 2; i++) await kit.steps.storeSignedTerms(asked)
    expect(await listHolds(kit.db, partnerId)).toEqual([])
    expect((await getPartner(kit.db, partnerId)).termsOutdated).toBe(false)
  })

  it('are replaced by later ones: what waits for a signature is withdrawn first', async () => {
    const partnerId = await makePartner(kit.db)
    await sql`update partners set status = 'active' where id = ${partnerId}`.execute(kit.db)
    const { id: first } = await publish(600)
    await kit.steps.sweep()
    await kit.steps.sendTerms({ termsId: first, partnerId })
    const { id: second } = await publish(600)
    await kit.steps.sweep()
    await kit.steps.sendTerms({ termsId: second, partnerId })
    const statuses = (await ofPartner(partnerId)).map(({ status }) => status)
    expect(statuses.sort()).toEqual(['sent', 'voided'])
  })

  it('that somebody withdrew at the vendor are still asked for, and sent again', async () => {
    const partnerId = await makePartner(kit.db)
    await sql`update partners set status = 'active' where id = ${partnerId}`.execute(kit.db)
    const asked = { termsId: (await publish(600)).id, partnerId }
    await kit.steps.sweep()
    await kit.steps.sendTerms(asked)
    await kit.steps.markTermsAnswer({ ...asked, status: 'overdue' })
    const [envelope] = await ofPartner(partnerId)
    await kit.deps.docusign.voidAgreement(envelope?.id ?? '', 'a slip')
    expect(await kit.steps.readTerms(asked)).toBe('voided')
    expect(await kit.steps.markTermsAnswer({ ...asked, status: 'superseded' })).toBe(false)
    for (let i = 0; i < 2; i++) await kit.steps.sendTerms({ ...asked, attempt: 2 })
    expect(await listHolds(kit.db, partnerId)).toMatchObject([{ reason: 'terms_overdue' }])
    const statuses = (await ofPartner(partnerId)).map(({ status }) => status)
    expect(statuses.sort()).toEqual(['sent', 'voided'])
    await publish(600)
    await kit.steps.sweep()
    expect(await kit.steps.markTermsAnswer({ ...asked, status: 'superseded' })).toBe(true)
    expect(await listHolds(kit.db, partnerId)).toEqual([])
  })

  it('that could not be sent are one task of a person, while they are asked for', async () => {
    const partnerId = await makePartner(kit.db)
    await sql`update partners set status = 'active' where id = ${partnerId}`.execute(kit.db)
    const asked = { termsId: (await publish(600)).id, partnerId, attempt: 1 }
    await kit.steps.sweep()
    for (let i = 0; i < 2; i++) {
      expect(await kit.steps.markTermsStuck(asked)).toEqual({ isWanted: true })
    }
    const { rows } = await listManualTasks(kit.db, { limit: 10, open: true })
    const mine = rows.filter(({ subject }) => subject === outwardId('partner', partnerId))
    expect(mine.map(({ kind }) => kind)).toEqual(['terms_not_sent'])
    await publish(600)
    expect(await kit.steps.markTermsStuck(asked)).toEqual({ isWanted: false })
  })

  it('that name a template the vendor does not have wait for a person', async () => {
    await publish(null, randomUUIDv7())
    const applicationId = await makeApplication(kit.db)
    expect(await failureOf(send(applicationId))).toBe('vendor_refused')
    await kit.steps.markAgreementStuck({ applicationId, attempt: 1, code: 'vendor_refused' })
    expect((await getApplication(kit.db, applicationId)).nextActor).toBe('super_admin')
    expect((await listAttempts(kit.db, applicationId))[0]?.uncertainAt).not.toBeNull()
  })
})

describe('an envelope whose message was lost', () => {
  it('is found by the daily look, once, and told to its process', async () => {
    await sql`delete from agreement_looks`.execute(kit.db)
    const applicationId = await makeApplication(kit.db)
    await publish(null)
    await send(applicationId)
    const [envelope] = await ofApplication(applicationId)
    await kit.fault({ vendor: 'docusign', kind: 'drop_webhook', count: 10 })
    await kit.story.sandbox(`/envelopes/${envelope?.id}/sign`, {})
    expect((await kit.steps.reconcileAgreements()).found).toBeGreaterThanOrEqual(1)
    expect(await kit.steps.reconcileAgreements()).toEqual({ found: 0 })
    const told: string[] = []
    const tell = ({ workflowId }: { workflowId: string }) => {
      told.push(workflowId)
      return Promise.resolve()
    }
    const processes = { ...kit.deps.processes, tell }
    await asSteps({ ...kit.deps, processes }).drainInbox({ vendor: 'docusign' })
    expect(told).toContain(workflowIds.onboarding(applicationId))
  })
})
