/** What decisions, questions and withdrawals write, and what they never write twice. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import { getApplication, listTimeline } from '../../db/onboarding/applications.ts'
import { listGivenNotes, recordDecisionNote } from '../../db/onboarding/decisions.ts'
import {
  listInformationRequests,
  recordInformationAnswer,
  recordInformationRequest,
} from '../../db/onboarding/information.ts'
import { getPartner } from '../../db/partners.ts'
import { findTenantOf } from '../../db/provisioning.ts'
import { makeGreenApplication, makeMember, makePartner, unique } from '../support/factories.ts'
import { failureOf, type Steps, startSteps } from '../support/steps.ts'

let kit: Steps
beforeAll(async () => {
  kit = await startSteps()
})
afterAll(() => kit.stop())

const dueAt = '2030-01-01T00:00:00.000Z'
const soon = '2030-01-01T00:00:10.000Z'

async function someMember(): Promise<string> {
  return makeMember(kit.db, { partnerId: null })
}

async function noteFor(
  applicationId: string,
  note: { decision?: 'approve' | 'reject'; memberId?: string } = {},
): Promise<string> {
  const id = randomUUIDv7()
  const memberId = note.memberId ?? (await someMember())
  await inTransaction(kit.db, (trx) =>
    recordDecisionNote(trx, {
      id,
      applicationId,
      memberId,
      decision: note.decision ?? 'approve',
      reason: 'because',
      effectiveFrom: new Date('2026-10-01T00:00:00Z'),
    }),
  )
  return id
}

async function mailsTo(address: string) {
  const { data } = await kit.story.sandbox<{ data: { to: string; kind: string; text: string }[] }>(
    '/mails',
  )
  return data.filter(({ to }) => to === address)
}

const whatOf = async (applicationId: string) =>
  (await listTimeline(kit.db, applicationId, 'decider')).map(({ what }) => what)

describe('the decision', () => {
  it('to approve makes one partner with its tenant, however often it is recorded', async () => {
    const applicationId = await makeGreenApplication(kit.db)
    const noteId = await noteFor(applicationId)
    const first = await kit.steps.recordDecision({ applicationId, noteId })
    const again = await kit.steps.recordDecision({ applicationId, noteId })
    expect(again).toEqual(first)
    expect(first.decision).toBe('approve')
    expect(await getPartner(kit.db, applicationId)).toMatchObject({
      status: 'approved',
      tier: 'bronze',
    })
    expect((await findTenantOf(kit.db, applicationId))?.id).toBe(first.tenantId)
    const timeline = await whatOf(applicationId)
    expect(timeline.filter((what) => what === 'approved')).toHaveLength(1)
  })

  it('is taken once: a second one does not count', async () => {
    const applicationId = await makeGreenApplication(kit.db)
    const yes = await noteFor(applicationId)
    const no = await noteFor(applicationId, { decision: 'reject' })
    await kit.steps.recordDecision({ applicationId, noteId: yes })
    const second = await kit.steps.recordDecision({ applicationId, noteId: no })
    expect(second).toEqual({ decision: 'refused', code: 'already_decided', tenantId: null })
    const given = await listGivenNotes(kit.db, applicationId)
    expect(given.map(({ id }) => id)).toEqual([yes])
  })

  it('to reject ends the application once, and says why', async () => {
    const applicationId = await makeGreenApplication(kit.db)
    const noteId = await noteFor(applicationId, { decision: 'reject' })
    await kit.steps.recordDecision({ applicationId, noteId })
    const closing = { applicationId, status: 'rejected', what: 'rejected' } as const
    await kit.steps.closeApplication(closing)
    await kit.steps.mailApplicant({ applicationId, kind: 'application_rejected' })
    const row = await getApplication(kit.db, applicationId)
    expect(row).toMatchObject({ status: 'rejected', stage: 'done', partnerId: null })
    const [mail, ...more] = await mailsTo(row.contactEmail)
    expect([mail?.kind, more]).toEqual(['application_rejected', []])
    expect(mail?.text).toContain('because')
    expect((await whatOf(applicationId)).filter((what) => what === 'rejected')).toHaveLength(1)
  })

  it.each([
    ['agreements', "update agreements set status = 'sent', completed_at = null", 'agreement'],
    ['accounts', "update payout_accounts set status = 'needs_input'", 'verification'],
    ['screenings', 'update applications set screening = null', 'screening'],
  ])('approves nothing while something is open: %s', async (_what, change) => {
    const applicationId = await makeGreenApplication(kit.db)
    const column = change.includes('applications') ? 'id' : 'application_id'
    await sql`${sql.raw(change)} where ${sql.ref(column)} = ${applicationId}`.execute(kit.db)
    const noteId = await noteFor(applicationId)
    const refused = { decision: 'refused', code: 'not_ready', tenantId: null }
    expect(await kit.steps.recordDecision({ applicationId, noteId })).toEqual(refused)
    const no = await noteFor(applicationId, { decision: 'reject' })
    const rejected = await kit.steps.recordDecision({ applicationId, noteId: no })
    expect(rejected.decision).toBe('reject')
  })

  it('is that of an administrator at the moment when it is taken', async () => {
    const [master, other] = [
      await makePartner(kit.db, { level: 'master_reseller' }),
      await makePartner(kit.db, { level: 'master_reseller' }),
    ]
    const outcomeOf = async (memberId: string) => {
      const applicationId = await makeGreenApplication(kit.db, { parentId: master })
      const noteId = await noteFor(applicationId, { memberId })
      const { decision, code } = await kit.steps.recordDecision({ applicationId, noteId })
      return code ?? decision
    }
    const disabled = await makeMember(kit.db, { partnerId: master })
    await sql`update members set status = 'disabled', disabled_at = now()
      where id = ${disabled}`.execute(kit.db)
    const outcomes = [
      await outcomeOf(await makeMember(kit.db, { partnerId: master })),
      await outcomeOf(await makeMember(kit.db, { partnerId: null })),
      await outcomeOf(await makeMember(kit.db, { partnerId: master, role: 'finance' })),
      await outcomeOf(await makeMember(kit.db, { partnerId: other })),
      await outcomeOf(disabled),
    ]
    expect(outcomes).toEqual(['approve', 'approve', 'forbidden', 'forbidden', 'forbidden'])
    await sql`update partners set status = 'suspended' where id = ${master}`.execute(kit.db)
    expect(await outcomeOf(await someMember())).toBe('parent_not_active')
  })
})

const large = { expectedVolume: { amountMinor: 5_000_000n, currency: 'USD' } }

describe('an application that expects to sell for 50,000.00 USD a month', () => {
  it('takes two persons, under whatever memberships', async () => {
    const applicationId = await makeGreenApplication(kit.db, large)
    const email = `${unique('one')}@platform.example`
    const one = await makeMember(kit.db, { partnerId: null, email })
    const record = async (memberId: string) =>
      kit.steps.recordDecision({
        applicationId,
        noteId: await noteFor(applicationId, { memberId }),
      })
    expect(await record(one)).toEqual({ decision: 'wait', tenantId: null })
    const row = await getApplication(kit.db, applicationId)
    expect([row.status, row.stage]).toEqual(['in_review', 'approval'])
    expect((await record(one)).code).toBe('second_person_required')
    expect((await record(await someMember())).decision).toBe('approve')
    const timeline = await listTimeline(kit.db, applicationId, 'applicant')
    expect(timeline.map(({ what }) => what)).toEqual(['application submitted', 'approved'])
  })

  it('counts a person once that is a member here and at the master reseller', async () => {
    const master = await makePartner(kit.db, { level: 'master_reseller' })
    const applicationId = await makeGreenApplication(kit.db, { ...large, parentId: master })
    const email = `${unique('both')}@people.example`
    const here = await makeMember(kit.db, { partnerId: master, email })
    const there = await makeMember(kit.db, { partnerId: null, email: email.toUpperCase() })
    const record = async (memberId: string) =>
      kit.steps.recordDecision({
        applicationId,
        noteId: await noteFor(applicationId, { memberId }),
      })
    expect((await record(here)).decision).toBe('wait')
    expect((await record(there)).code).toBe('second_person_required')
  })

  it('is rejected by one, also after a first approval', async () => {
    const applicationId = await makeGreenApplication(kit.db, large)
    const yes = await noteFor(applicationId)
    const no = await noteFor(applicationId, { decision: 'reject' })
    const first = await kit.steps.recordDecision({ applicationId, noteId: yes })
    const second = await kit.steps.recordDecision({ applicationId, noteId: no })
    expect([first.decision, second.decision]).toEqual(['wait', 'reject'])
  })

  it('begins anew after both approvals were taken back', async () => {
    const applicationId = await makeGreenApplication(kit.db, large)
    const members = [await someMember(), await someMember()]
    for (const memberId of members) {
      const noteId = await noteFor(applicationId, { memberId })
      await kit.steps.recordDecision({ applicationId, noteId, undoUntil: soon })
    }
    const [memberId = ''] = members
    await kit.steps.undoDecision({ applicationId, memberId, dueAt, escalated: false })
    const noteId = await noteFor(applicationId, { memberId })
    expect((await kit.steps.recordDecision({ applicationId, noteId })).decision).toBe('wait')
  })
})

describe('a rule that approves', () => {
  const rule = { name: 'known country', countries: ['US'] }
  const setRules = (rules: object[]) =>
    sql`update programmes set onboarding = onboarding
      || jsonb_build_object('autoApproval', ${JSON.stringify(rules)}::jsonb)`.execute(kit.db)
  beforeAll(() => setRules([rule]))
  afterAll(() => setRules([]))

  const request = (applicationId: string) => kit.steps.requestDecision({ applicationId, dueAt })

  it('does so once where everything is green, and is named to those who decide alone', async () => {
    const applicationId = await makeGreenApplication(kit.db)
    const noteId = await request(applicationId)
    expect(await request(applicationId)).toBe(noteId)
    const recorded = await kit.steps.recordDecision({ applicationId, noteId: noteId ?? '' })
    expect(recorded.decision).toBe('approve')
    const [given] = await listGivenNotes(kit.db, applicationId)
    expect(given).toMatchObject({ memberId: null, rule: 'known country' })
    expect(await whatOf(applicationId)).toContain('approved by the rule known country')
    const told = await listTimeline(kit.db, applicationId, 'applicant')
    expect(told.map(({ what }) => what).join()).not.toContain('known country')
  })

  it.each<[string, () => Promise<string>]>([
    ['that it does not fit', () => makeGreenApplication(kit.db, { country: 'PT' })],
    ['that takes two persons', () => makeGreenApplication(kit.db, large)],
    [
      'of which something is open',
      async () => {
        const id = await makeGreenApplication(kit.db)
        await sql`update payout_accounts set status = 'needs_input'
          where application_id = ${id}`.execute(kit.db)
        return id
      },
    ],
    [
      'that another rule wants to be looked at',
      async () => {
        const id = await makeGreenApplication(kit.db)
        await sql`update applications set pre_screen = 'review', pre_screen_reason = 'new'
          where id = ${id}`.execute(kit.db)
        return id
      },
    ],
    [
      'that resembles another one',
      async () => {
        const [id, other] = [await makeGreenApplication(kit.db), await makeGreenApplication(kit.db)]
        await sql`insert into application_twins (application_id, other_id, reason)
          values (${id}, ${other}, 'name_and_domain')`.execute(kit.db)
        return id
      },
    ],
  ])('leaves to a person an application %s', async (_what, make) => {
    expect(await request(await make())).toBeNull()
  })
})

describe('an approval that can be taken back', () => {
  async function approved() {
    const applicationId = await makeGreenApplication(kit.db)
    const noteId = await noteFor(applicationId)
    const recorded = { applicationId, noteId, undoUntil: soon }
    const first = await kit.steps.recordDecision(recorded)
    expect(await kit.steps.recordDecision(recorded)).toEqual(first)
    return { applicationId, noteId, first }
  }

  it('makes no partner before its time is over, and one after', async () => {
    const { applicationId, first } = await approved()
    expect(first).toEqual({ decision: 'approve', tenantId: null })
    const row = await getApplication(kit.db, applicationId)
    expect(row).toMatchObject({ status: 'approved', stage: 'approval', partnerId: null })
    expect(row.undoUntil?.toISOString()).toBe(soon)
    await expect(getPartner(kit.db, applicationId)).rejects.toThrow()
    const tenantId = await kit.steps.admitPartner({ applicationId })
    expect(await kit.steps.admitPartner({ applicationId })).toBe(tenantId)
    expect((await findTenantOf(kit.db, applicationId))?.id).toBe(tenantId)
    const after = await getApplication(kit.db, applicationId)
    expect([after.partnerId, after.undoUntil]).toEqual([applicationId, null])
  })

  it('leaves the application to be decided again, and keeps what was said', async () => {
    const { applicationId, noteId } = await approved()
    const memberId = await someMember()
    const undone = { applicationId, memberId, dueAt, escalated: false }
    await kit.steps.undoDecision(undone)
    await kit.steps.undoDecision(undone)
    expect(await getApplication(kit.db, applicationId)).toMatchObject({
      status: 'in_review',
      stage: 'approval',
      nextActor: 'super_admin',
      undoUntil: null,
    })
    const second = await noteFor(applicationId, { decision: 'reject' })
    const { decision } = await kit.steps.recordDecision({ applicationId, noteId: second })
    expect(decision).toBe('reject')
    const given = await listGivenNotes(kit.db, applicationId)
    expect(given.map(({ id, undoneAt }) => [id, undoneAt !== null])).toEqual([
      [noteId, true],
      [second, false],
    ])
    expect(await failureOf(kit.steps.admitPartner({ applicationId }))).toBe('not_ready')
  })

  it('goes with an application that is withdrawn meanwhile', async () => {
    const { applicationId } = await approved()
    await kit.steps.closeApplication({
      applicationId,
      status: 'withdrawn',
      what: 'withdrawn by the applicant',
      actor: 'applicant',
    })
    const row = await getApplication(kit.db, applicationId)
    expect(row).toMatchObject({ status: 'withdrawn', undoUntil: null, partnerId: null })
    expect(await failureOf(kit.steps.admitPartner({ applicationId }))).toBe('not_ready')
    const noteId = await noteFor(applicationId)
    const late = await kit.steps.recordDecision({ applicationId, noteId })
    expect(late.code).toBe('already_decided')
  })
})

describe('questions to an applicant', () => {
  async function asked(questions: string[]) {
    const applicationId = await makeGreenApplication(kit.db)
    const requestId = randomUUIDv7()
    const memberId = await someMember()
    const request = { id: requestId, applicationId, memberId, questions }
    await inTransaction(kit.db, (trx) => recordInformationRequest(trx, request))
    for (let i = 0; i < 2; i++) await kit.steps.askApplicant({ applicationId, requestId, dueAt })
    return { applicationId, requestId }
  }

  it('are numbered, mailed with their words, and the applicant acts next', async () => {
    const question = unique('Who sells for you')
    const { applicationId, requestId } = await asked([question, 'Since when?'])
    const row = await getApplication(kit.db, applicationId)
    expect([row.nextActor, row.dueAt?.toISOString()]).toEqual(['applicant', dueAt])
    const mail = { applicationId, kind: 'information_requested', occurrence: requestId } as const
    await kit.steps.mailApplicant(mail)
    const [sent] = await mailsTo(row.contactEmail)
    expect(sent?.text).toContain(question)
    expect(sent?.text).toContain('Since when?')
    const [request] = await listInformationRequests(kit.db, applicationId)
    expect([request?.number, request?.answers]).toEqual([1, null])
  })

  it('are answered once, and the decision goes on', async () => {
    const { applicationId, requestId } = await asked(['Who?'])
    expect(await kit.steps.findAnswer({ requestId })).toBe(false)
    for (const answers of [['We do.'], ['Somebody else.']]) {
      const answer = { id: randomUUIDv7(), applicationId, requestId, answers }
      await inTransaction(kit.db, (trx) => recordInformationAnswer(trx, answer))
    }
    expect(await kit.steps.findAnswer({ requestId })).toBe(true)
    const resumed = { applicationId, requestId, dueAt: soon, escalated: true }
    await kit.steps.resumeDecision(resumed)
    await kit.steps.resumeDecision(resumed)
    const row = await getApplication(kit.db, applicationId)
    expect([row.nextActor, row.dueAt?.toISOString()]).toEqual(['super_admin', soon])
    const [request] = await listInformationRequests(kit.db, applicationId)
    expect(request?.answers).toEqual(['We do.'])
    const said = (await whatOf(applicationId)).filter((what) => what.includes('answered'))
    expect(said).toHaveLength(1)
  })

  it('and their answers are sealed where they lie', async () => {
    const secret = unique('Marker')
    const { applicationId, requestId } = await asked([secret])
    const answer = { id: randomUUIDv7(), applicationId, requestId, answers: [secret] }
    await inTransaction(kit.db, (trx) => recordInformationAnswer(trx, answer))
    const { rows } = await sql<{ text: string }>`
      select encode(questions_sealed, 'escape') || encode(answers_sealed, 'escape') as text
      from information_requests request
      join information_answers on request_id = request.id
      where request.id = ${requestId}`.execute(kit.db)
    expect(rows).toHaveLength(1)
    expect(rows[0]?.text).not.toContain(secret)
  })
})

describe('those who decide', () => {
  it('are the administrators of the master reseller, or its contact while it has none', async () => {
    const master = await makePartner(kit.db, { level: 'master_reseller' })
    const { contactEmail } = await getPartner(kit.db, master)
    const applicationId = await makeGreenApplication(kit.db, { parentId: master })
    await kit.steps.mailApprovers({ applicationId, occurrence: 'first' })
    expect(await mailsTo(contactEmail)).toHaveLength(1)
    const [admin, finance] = [`${unique('admin')}@p.example`, `${unique('finance')}@p.example`]
    await makeMember(kit.db, { partnerId: master, role: 'admin', email: admin })
    await makeMember(kit.db, { partnerId: master, role: 'finance', email: finance })
    await kit.steps.mailApprovers({ applicationId, occurrence: 'second' })
    expect((await mailsTo(admin)).map(({ kind }) => kind)).toEqual(['decision_needed'])
    expect(await mailsTo(finance)).toEqual([])
    expect(await mailsTo(contactEmail)).toHaveLength(1)
  })
})
