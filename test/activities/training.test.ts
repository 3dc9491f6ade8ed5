/** The steps of territories and training, on real rows. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { relayActivities } from '../../activities/relay.ts'
import { listPlatformMembers } from '../../db/access.ts'
import { inTransaction } from '../../db/database.ts'
import { listTimeline } from '../../db/onboarding/applications.ts'
import { recordDecisionNote } from '../../db/onboarding/decisions.ts'
import { getPartner } from '../../db/partners.ts'
import { expireReservations } from '../../db/territories.ts'
import { workflowIds } from '../../domain/process-names.ts'
import {
  makeGreenApplication,
  makeMember,
  makePartner,
  makeTerritory,
  unique,
} from '../support/factories.ts'
import { type Steps, startSteps } from '../support/steps.ts'
import { makeCertificate, makeCourse } from '../support/training.ts'

let kit: Steps
beforeAll(async () => {
  kit = await startSteps()
})
afterAll(() => kit.stop())

const dueAt = '2030-01-01T00:00:00.000Z'

async function applicationFor(...codes: string[]): Promise<string> {
  const id = await makeGreenApplication(kit.db)
  await sql`update applications set territory_codes = ${codes} where id = ${id}`.execute(kit.db)
  return id
}

const areasOf = async (holderId: string) => {
  const { rows } = await sql<{ territory: string; status: string; partnerId: string | null }>`
    select territory, status, partner_id from territory_assignments
    where holder_id = ${holderId} order by territory, id`.execute(kit.db)
  return rows.map(({ territory, status }) => `${territory} ${status}`)
}

async function decide(applicationId: string, decision: 'approve' | 'reject' = 'approve') {
  const [member] = await listPlatformMembers(kit.db)
  const noteId = randomUUIDv7()
  await inTransaction(kit.db, (trx) =>
    recordDecisionNote(trx, {
      id: noteId,
      applicationId,
      memberId: member?.id ?? '',
      decision,
      reason: 'a reason',
      effectiveFrom: new Date(),
    }),
  )
  return kit.steps.recordDecision({ applicationId, noteId })
}

const mailsTo = async (address: string) => {
  const { data } = await kit.story.sandbox<{ data: { to: string; kind: string }[] }>('/mails')
  return data.filter(({ to }) => to === address).map(({ kind }) => kind)
}

describe('the areas of an application', () => {
  it('are reserved once when the decision is asked for, and assigned with the approval', async () => {
    const applicationId = await applicationFor('PT-11', 'PT', 'LU')
    await kit.steps.requestDecision({ applicationId, dueAt })
    await kit.steps.requestDecision({ applicationId, dueAt })
    expect(await areasOf(applicationId)).toEqual(['LU reserved', 'PT reserved'])
    await decide(applicationId)
    expect(await areasOf(applicationId)).toEqual(['LU assigned', 'PT assigned'])
  })

  it('that others have are conflicts, of which the applicant’s timeline says nothing', async () => {
    await makeTerritory(kit.db, { partnerId: await makePartner(kit.db), code: 'GR' })
    const applicationId = await applicationFor('GR-A', 'CY')
    await kit.steps.requestDecision({ applicationId, dueAt })
    expect(await areasOf(applicationId)).toEqual(['CY reserved', 'GR-A conflict'])
    const told = await listTimeline(kit.db, applicationId, 'applicant')
    expect(JSON.stringify(told)).not.toMatch(/territor/)
    const shown = await listTimeline(kit.db, applicationId, 'decider')
    expect(JSON.stringify(shown)).toMatch(/territory is held by another partner/)
  })

  it('are let go when it ends early, however often the step runs', async () => {
    const applicationId = await applicationFor('RO')
    await kit.steps.requestDecision({ applicationId, dueAt })
    await decide(applicationId, 'reject')
    for (let i = 0; i < 2; i++) await kit.steps.releaseTerritories({ applicationId })
    expect(await areasOf(applicationId)).toEqual(['RO released'])
    const other = await applicationFor('RO')
    await kit.steps.requestDecision({ applicationId: other, dueAt })
    expect(await areasOf(other)).toEqual(['RO reserved'])
  })

  it('whose reservation ran out are tried again by the approval', async () => {
    const applicationId = await applicationFor('BG', 'HU')
    await kit.steps.requestDecision({ applicationId, dueAt })
    await sql`update territory_assignments set expires_at = clock_timestamp()
      where application_id = ${applicationId}`.execute(kit.db)
    await expireReservations(kit.db)
    await makeTerritory(kit.db, { partnerId: await makePartner(kit.db), code: 'HU' })
    await decide(applicationId)
    expect(await areasOf(applicationId)).toEqual([
      'BG expired',
      'BG assigned',
      'HU expired',
      'HU conflict',
    ])
  })
})

const require = (...steps: string[]) =>
  sql`update programmes set onboarding = jsonb_set(onboarding, '{certificationRequiredFor}',
    ${JSON.stringify(steps)}::jsonb)`.execute(kit.db)

async function approved(): Promise<string> {
  const applicationId = await makeGreenApplication(kit.db)
  await decide(applicationId)
  return applicationId
}

describe('a partner that is prepared', () => {
  afterEach(() => require())

  it('starts at once where the programme asks for no certificate', async () => {
    const applicationId = await approved()
    expect(await kit.steps.activatePartner({ applicationId })).toBe('active')
    expect((await getPartner(kit.db, applicationId)).status).toBe('active')
    // A step that is repeated after its answer was lost changes nothing, whatever is asked now.
    await require('activation')
    expect(await kit.steps.activatePartner({ applicationId })).toBe('active')
  })

  it('waits for the platform owner where no course is published for it', async () => {
    await require('activation')
    const applicationId = await approved()
    expect(await kit.steps.activatePartner({ applicationId })).toBe('training')
    const { rows } = await sql`select stage, next_actor from applications
      where id = ${applicationId}`.execute(kit.db)
    expect(rows).toEqual([{ stage: 'training', nextActor: 'super_admin' }])
  })

  it('has its first member enrolled, is told, and starts with the certificate', async () => {
    await require('activation')
    const code = unique('start').replace('_', '-')
    const courseId = await makeCourse(kit.db, { code, certifies: ['activation'] })
    const applicationId = await approved()
    expect(await kit.steps.activatePartner({ applicationId })).toBe('training')
    const memberId = await makeMember(kit.db, { partnerId: applicationId })
    for (let i = 0; i < 2; i++) await kit.steps.activatePartner({ applicationId })
    const { rows } = await sql<{ memberId: string; courseId: string }>`
      select member_id, course_id from enrolments where partner_id = ${applicationId}`.execute(
      kit.db,
    )
    expect(rows).toEqual([{ memberId, courseId }])
    const { contactEmail } = await getPartner(kit.db, applicationId)
    const mail = { applicationId, escalated: false }
    await kit.steps.mailTraining({ ...mail, number: 0 })
    await kit.steps.mailTraining({ ...mail, number: 0 })
    await kit.steps.mailTraining({ ...mail, number: 3, escalated: true })
    expect(await mailsTo(contactEmail)).toEqual(['training_requested', 'training_reminder'])
    await sql`delete from enrolments where partner_id = ${applicationId}`.execute(kit.db)
    await makeCertificate(kit.db, { partnerId: applicationId, memberId, courseId })
    expect(await kit.steps.activatePartner({ applicationId })).toBe('active')
    expect((await getPartner(kit.db, applicationId)).status).toBe('active')
    await sql`update courses set status = 'retired' where id = ${courseId}`.execute(kit.db)
  })
})

describe('a certificate', () => {
  const certified = async (seconds: number) => {
    const partnerId = await makePartner(kit.db)
    const email = `${unique('learner')}@partner.example`
    const memberId = await makeMember(kit.db, { partnerId, email })
    const courseId = await makeCourse(kit.db)
    const learner = { partnerId, memberId, courseId }
    return { email, certificateId: await makeCertificate(kit.db, { ...learner, seconds }) }
  }

  it('that has run out is noted once, with its round, and told to its member', async () => {
    const { email, certificateId } = await certified(-1)
    for (let i = 0; i < 2; i++) {
      expect(await kit.steps.expireCertificate({ certificateId })).toBe('expired')
      await kit.steps.mailCertificate({ certificateId, kind: 'expired' })
    }
    const { rows } = await sql`select enrolments.state from certificates
      join enrolments on enrolments.id = enrolment_id
      where certificates.id = ${certificateId}`.execute(kit.db)
    expect(rows).toEqual([{ state: 'expired' }])
    expect(await mailsTo(email)).toEqual(['certificate_expired'])
  })

  it('that is good is left alone', async () => {
    const { certificateId } = await certified(3_600)
    expect(await kit.steps.expireCertificate({ certificateId })).toBe('valid')
    expect(await kit.steps.readCertificate({ certificateId })).toBe('valid')
  })

  it('that no process watches gets one from the sweeper, once', async () => {
    const { certificateId } = await certified(3_600)
    const started: string[] = []
    const processes = {
      ensureRunning: async ({ workflowId }: { workflowId: string }) => {
        started.push(workflowId)
      },
      wake: async () => {},
      tell: async () => {},
    }
    const { sweep } = relayActivities({ ...kit.deps, processes })
    const id = workflowIds.certification(certificateId)
    await sweep()
    expect(started).toContain(id)
    await kit.steps.watchCertificate({ certificateId })
    started.length = 0
    await sweep()
    expect(started).not.toContain(id)
  })
})
