/** What is found of applicants and partners, what follows from it, and for how long. */
import { randomUUIDv7 } from 'node:crypto'
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs'
import { sql } from 'kysely'
import { recordMember } from '../../db/access.ts'
import { recordDecision, recordProposal } from '../../db/approvals.ts'
import { inTransaction } from '../../db/database.ts'
import { getApplication, listTimeline } from '../../db/onboarding/applications.ts'
import { recordDecisionNote } from '../../db/onboarding/decisions.ts'
import { listHolds } from '../../db/partner-holds.ts'
import {
  countOpenScreenings,
  findScreening,
  listScreenings,
  recordScreeningDecision,
} from '../../db/screenings.ts'
import { createScreening } from '../../integrations/screening/screening.ts'
import { makeApplication, makeGreenApplication, makePartner, unique } from '../support/factories.ts'
import { makeScreening } from '../support/screenings.ts'
import { asSteps, failureOf, type Steps, startSteps } from '../support/steps.ts'

let kit: Steps
let listFile: string
let first: string
let second: string
beforeAll(async () => {
  kit = await startSteps()
  listFile = kit.config.screening.listFile ?? ''
  first = await member()
  second = await member()
})
afterAll(() => kit.stop())

const member = () =>
  inTransaction(kit.db, (trx) =>
    recordMember(trx, {
      ...{ id: randomUUIDv7(), partnerId: null, name: 'Person' },
      email: `${unique('person')}@platform.example`,
    }),
  )

const listed = 'Obsidian Lantern Shipping Ltd'
const all = async (subject: { applicationId?: string; partnerId?: string }) =>
  (await listScreenings(kit.db, { ...subject, limit: 50 })).rows
const timeline = async (id: string, audience: 'applicant' | 'decider') =>
  (await listTimeline(kit.db, id, audience)).map(({ what }) => what)

/** Puts a company on the list, which is another version from then on. */
function enlist(name: string, kind = 'company'): void {
  appendFileSync(listFile, `${randomUUIDv7()},${name},${kind},,,example\n`)
}

async function rescreen(): Promise<{ screened: number; findings: number }> {
  const sum = { screened: 0, findings: 0 }
  let after: string | null = null
  do {
    const page: Awaited<ReturnType<typeof kit.steps.rescreenPage>> = await kit.steps.rescreenPage({
      after,
    })
    sum.screened += page.screened
    sum.findings += page.findings
    after = page.last
  } while (after)
  return sum
}

/** Two persons say that it is somebody else. */
async function override(id: string): Promise<void> {
  const row = await findScreening(kit.db, id)
  if (!row) throw new Error('there is no such screening')
  const { partnerId, listVersion, hits } = row
  await inTransaction(kit.db, async (trx) => {
    const proposal = await recordProposal(trx, {
      ...{ kind: 'screening_override', id: randomUUIDv7(), concernedId: partnerId },
      ...{ screeningId: id, listVersion, hits, reason: 'another company', proposedBy: first },
    })
    const { payloadHash } = proposal
    await recordDecision(trx, {
      id: proposal.id,
      memberId: second,
      verdict: 'approved',
      payloadHash,
    })
  })
}

const mailsAbout = async (company: string) => {
  const { data } = await kit.story.sandbox<{ data: { to: string; subject: string }[] }>('/mails')
  return data.filter(({ subject }) => subject.includes(company)).length
}

describe('an applicant', () => {
  it('whose names are on no list is clear, with evidence of every look-up', async () => {
    const applicationId = await makeApplication(kit.db, {
      legalName: 'Very Legal Name',
      contacts: [{ role: 'owner', name: 'Olga Owner', email: 'o@company.example' }],
    })
    expect(await kit.steps.screenApplication({ applicationId })).toBe('clear')
    expect(await getApplication(kit.db, applicationId)).toMatchObject({
      screening: 'clear',
      stage: 'agreement',
    })
    const found = await all({ applicationId })
    expect(found.map(({ role, kind, status }) => [role.replace(/:.*/, ''), kind, status])).toEqual([
      ['contact', 'person', 'clear'],
      ['legal_name', 'company', 'clear'],
      ['contact', 'person', 'clear'],
      ['company', 'company', 'clear'],
    ])
    expect(found[0]).toMatchObject({ provider: 'file', list: 'example', threshold: 85, hits: [] })
    await kit.steps.screenApplication({ applicationId })
    expect(await all({ applicationId })).toHaveLength(4)
  })

  it('that is like an entry goes on and needs a look, and reads nothing of it', async () => {
    const applicationId = await makeApplication(kit.db, { companyName: listed })
    const clear = await makeApplication(kit.db)
    expect(await kit.steps.screenApplication({ applicationId })).toBe('review')
    await kit.steps.screenApplication({ applicationId: clear })
    expect(await getApplication(kit.db, applicationId)).toMatchObject({
      screening: 'review',
      stage: 'agreement',
    })
    expect(await timeline(applicationId, 'applicant')).toEqual(await timeline(clear, 'applicant'))
    expect(await timeline(applicationId, 'decider')).toContain(
      'screening needs a look: company, 1 findings',
    )
    await kit.steps.mailScreenings({ subjectId: applicationId })
    const told = await mailsAbout(listed)
    expect(told).toBeGreaterThanOrEqual(2)
    await kit.steps.mailScreenings({ subjectId: applicationId })
    expect(await mailsAbout(listed)).toBe(told)
  })

  it('waits while the lists cannot be looked at: nothing is written, nothing is clear', async () => {
    const applicationId = await makeApplication(kit.db)
    const content = readFileSync(listFile)
    writeFileSync(listFile, 'broken')
    expect(await failureOf(kit.steps.screenApplication({ applicationId }))).toBe('vendor_unknown')
    expect(await getApplication(kit.db, applicationId)).toMatchObject({
      screening: null,
      stage: 'screening',
    })
    writeFileSync(listFile, content)
    await kit.steps.screenApplication({ applicationId })
    expect((await getApplication(kit.db, applicationId)).screening).toBe('clear')
  })

  it('needs a look where nothing is looked at', async () => {
    const steps = asSteps({ ...kit.deps, screening: createScreening({}) })
    const applicationId = await makeApplication(kit.db)
    expect(await steps.screenApplication({ applicationId })).toBe('review')
    const [one] = await all({ applicationId })
    expect(one).toMatchObject({ provider: 'none', status: 'review', hits: [] })
    expect(await steps.rescreenPage({ after: null })).toEqual({
      ...{ last: null, screened: 0, findings: 0 },
    })
  })
})

describe('a decision', () => {
  it('of two persons holds for the finding, on later lists too, and for nothing new', async () => {
    const applicationId = await makeApplication(kit.db)
    const [old, fresh] = [{ entryId: 'old' }, { entryId: 'new' }].map((entry) => ({
      ...{ list: 'l', entryName: 'Entry', programs: [], score: 90 },
      ...entry,
    }))
    if (!old || !fresh) throw new Error('two hits')
    const id = await makeScreening(kit.db, { applicationId }, { hits: [old] })
    expect(await countOpenScreenings(kit.db, applicationId)).toBe(1)
    await override(id)
    expect(await findScreening(kit.db, id)).toMatchObject({
      status: 'overridden',
      decidedBy: second,
      decisionReason: 'another company',
    })
    const again = await makeScreening(kit.db, { applicationId }, { hits: [old] })
    expect(await findScreening(kit.db, again)).toMatchObject({ status: 'overridden' })
    expect(await countOpenScreenings(kit.db, applicationId)).toBe(0)
    await makeScreening(kit.db, { applicationId }, { hits: [old, fresh] })
    expect(await countOpenScreenings(kit.db, applicationId)).toBe(1)
    const name = { name: 'Another name' }
    await makeScreening(kit.db, { applicationId }, { hits: [], name })
    expect(await countOpenScreenings(kit.db, applicationId)).toBe(1)
  })

  it('is refused by the database unless two persons took it exactly so', async () => {
    const applicationId = await makeApplication(kit.db)
    const screeningId = await makeScreening(kit.db, { applicationId })
    const lone = sql`insert into screening_decisions
      (screening_id, decision, reason, decided_by, approval_id) values
      (${screeningId}, 'overridden', 'x', ${first}, ${randomUUIDv7()})`.execute(kit.db)
    await expect(lone).rejects.toThrow(/two persons|foreign key/)
    for (const statement of [
      sql`update screenings set outcome = 'clear' where id = ${screeningId}`,
      sql`delete from screening_hits where screening_id = ${screeningId}`,
    ]) {
      await expect(statement.execute(kit.db)).rejects.toThrow(/never changed/)
    }
  })
})

describe('a partner', () => {
  const hit = { list: 'l', entryId: '1', entryName: 'Entry', programs: [], score: 95 }

  it('with a finding is held until it is overridden', async () => {
    const partnerId = await makePartner(kit.db)
    const id = await makeScreening(kit.db, { partnerId }, { hits: [hit] })
    expect(await listHolds(kit.db, partnerId)).toMatchObject([
      { cause: 'screening', source: id, reason: 'screening_open' },
    ])
    await override(id)
    expect(await listHolds(kit.db, partnerId)).toEqual([])
  })

  it('that was found on a list while its approval could be taken back begins with a hold', async () => {
    const found = await makeGreenApplication(kit.db)
    const clean = await makeGreenApplication(kit.db)
    for (const applicationId of [found, clean]) {
      const noteId = randomUUIDv7()
      await inTransaction(kit.db, (trx) =>
        recordDecisionNote(trx, {
          ...{ id: noteId, applicationId, memberId: first, decision: 'approve' },
          ...{ reason: 'fits', effectiveFrom: new Date() },
        }),
      )
      const undoUntil = new Date(Date.now() + 60_000).toISOString()
      await kit.steps.recordDecision({ applicationId, noteId, undoUntil })
      if (applicationId === found) await makeScreening(kit.db, { applicationId })
      for (let n = 0; n < 2; n++) await kit.steps.admitPartner({ applicationId })
    }
    expect(await listHolds(kit.db, found)).toMatchObject([
      { cause: 'screening', reason: 'screening_open' },
    ])
    expect(await listHolds(kit.db, clean)).toEqual([])
  })

  it('is let go by a list that knows it no more, but not by another name of its own', async () => {
    const partnerId = await makePartner(kit.db)
    await makeScreening(kit.db, { partnerId }, { hits: [hit] })
    await makeScreening(kit.db, { partnerId }, { hits: [], name: { name: 'New Name' } })
    expect(await listHolds(kit.db, partnerId)).toHaveLength(1)
    await makeScreening(kit.db, { partnerId }, { hits: [] })
    expect(await listHolds(kit.db, partnerId)).toEqual([])
  })

  it('that was confirmed stays held, whatever lists say later', async () => {
    const partnerId = await makePartner(kit.db)
    const screeningId = await makeScreening(kit.db, { partnerId }, { hits: [hit] })
    const decision = {
      ...{ id: randomUUIDv7(), screeningId, decision: 'confirmed' as const, reason: 'it is' },
      ...{ decidedBy: first, approvalId: null },
    }
    await inTransaction(kit.db, (trx) => recordScreeningDecision(trx, decision))
    const later = await makeScreening(kit.db, { partnerId }, { hits: [hit] })
    expect(await findScreening(kit.db, later)).toMatchObject({ status: 'confirmed' })
    await makeScreening(kit.db, { partnerId }, { hits: [] })
    expect(await listHolds(kit.db, partnerId)).toHaveLength(1)
  })
})

describe('every night', () => {
  it('everybody is looked up on a new version once, and nobody on the same one', async () => {
    const [applicationId, partnerId] = [await makeApplication(kit.db), await makePartner(kit.db)]
    enlist('Somebody Else Altogether')
    await rescreen()
    expect(await rescreen()).toEqual({ screened: 0, findings: 0 })
    expect(await all({ applicationId })).toHaveLength(2)
    expect(await all({ partnerId })).toHaveLength(2)
    enlist('One More Unheard Of')
    const { screened } = await rescreen()
    expect(screened).toBeGreaterThanOrEqual(4)
    expect(await all({ partnerId })).toHaveLength(4)
  })

  it('an entry that is new holds the partner, and is told once however often lists change', async () => {
    const partnerId = await makePartner(kit.db)
    const name = `Quagga ${unique('Holding')}`
    await sql`update partners set name = ${name} where id = ${partnerId}`.execute(kit.db)
    await rescreen()
    expect(await listHolds(kit.db, partnerId)).toEqual([])
    enlist(name)
    expect((await rescreen()).findings).toBe(1)
    expect(await listHolds(kit.db, partnerId)).toHaveLength(1)
    await kit.steps.mailScreenings({ subjectId: null })
    const told = await mailsAbout(name)
    expect(told).toBeGreaterThanOrEqual(2)
    enlist('Yet Another Unheard Of')
    expect((await rescreen()).findings).toBe(0)
    await kit.steps.mailScreenings({ subjectId: null })
    expect(await mailsAbout(name)).toBe(told)
    expect(await listHolds(kit.db, partnerId)).toHaveLength(1)
  })

  it('an application that is over and a partner that is terminated are left alone', async () => {
    const [applicationId, partnerId] = [await makeApplication(kit.db), await makePartner(kit.db)]
    await sql`update applications set closed_at = now(), status = 'withdrawn'
      where id = ${applicationId}`.execute(kit.db)
    await sql`update partners set status = 'terminated' where id = ${partnerId}`.execute(kit.db)
    enlist('Nobody Of Note')
    await rescreen()
    expect([...(await all({ applicationId })), ...(await all({ partnerId }))]).toEqual([])
  })
})
