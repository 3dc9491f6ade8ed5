/** A mailbox that refuses for good keeps nobody else from what they have to know. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { listPlatformMembers } from '../../db/access.ts'
import { getPartner } from '../../db/partners.ts'
import type { Mail } from '../../integrations/email.ts'
import { VendorError } from '../../integrations/vendor-error.ts'
import { makeApplication, makeMember, makePartner, unique } from '../support/factories.ts'
import { makeScreening } from '../support/screenings.ts'
import { asSteps, type Steps, startSteps } from '../support/steps.ts'

let kit: Steps
beforeAll(async () => {
  kit = await startSteps()
})
afterAll(() => kit.stop())

/** Steps whose mail server refuses one recipient for good, and what it took. */
function refusing(address: string) {
  const sent: Pick<Mail, 'to' | 'kind'>[] = []
  const send = async ({ to, kind }: Mail) => {
    if (to === address) {
      throw new VendorError({ vendor: 'mail', failure: 'rejected', code: '550', message: 'no' })
    }
    sent.push({ to, kind })
  }
  const steps = asSteps({ ...kit.deps, mailer: { ...kit.deps.mailer, send } })
  return { steps, to: (kind: string) => sent.filter((mail) => mail.kind === kind) }
}

describe('the first of several recipients that is refused', () => {
  it('keeps no other approver from hearing of a decision that waits', async () => {
    const master = await makePartner(kit.db, { level: 'master_reseller' })
    const applicationId = await makeApplication(kit.db, { parentId: master })
    const emails = [unique('first'), unique('second')].map((name) => `${name}@master.example`)
    for (const email of emails) await makeMember(kit.db, { partnerId: master, email })
    const { steps, to } = refusing(emails[0] ?? '')
    await steps.mailApprovers({ applicationId, occurrence: 'first' })
    expect(to('decision_needed').map((mail) => mail.to)).toEqual([emails[1]])
  })

  it('keeps nobody of the platform from hearing of a finding, and is not asked every night', async () => {
    for (let n = 0; n < 2; n++) await makeMember(kit.db, { partnerId: null })
    const applicationId = await makeApplication(kit.db)
    await makeScreening(kit.db, { applicationId })
    const [first, ...others] = await listPlatformMembers(kit.db)
    const { steps, to } = refusing(first?.email ?? '')
    await steps.mailScreenings({ subjectId: applicationId })
    expect(to('screening_open')).toHaveLength(others.length)
    const { steps: later, to: toLater } = refusing('nobody')
    await later.mailScreenings({ subjectId: applicationId })
    expect(toLater('screening_open')).toEqual([])
  })

  it('is not one who has left: findings are told to those who are there', async () => {
    const gone = `${unique('gone')}@platform.example`
    const id = await makeMember(kit.db, { partnerId: null, email: gone })
    await sql`update members set status = 'disabled', disabled_at = now()
      where id = ${id}`.execute(kit.db)
    const applicationId = await makeApplication(kit.db)
    await makeScreening(kit.db, { applicationId })
    const { steps, to } = refusing('nobody')
    for (let night = 0; night < 2; night++) await steps.mailScreenings({ subjectId: applicationId })
    const told = to('screening_open').map((mail) => mail.to)
    expect(told).not.toContain(gone)
    expect(told.length).toBeGreaterThan(0)
    expect(new Set(told).size).toBe(told.length)
  })

  it('keeps nobody of the platform from hearing of a partner whose payouts are held', async () => {
    const partnerId = await makePartner(kit.db)
    await makeApplication(kit.db, { id: partnerId })
    await sql`insert into payout_accounts (application_id, partner_id, status, vendor_account_id)
      values (${partnerId}, ${partnerId}, 'restricted', ${randomUUIDv7()})`.execute(kit.db)
    const { contactEmail } = await getPartner(kit.db, partnerId)
    const { steps, to } = refusing(contactEmail)
    await steps.mailVerification({ partnerId, kind: 'held', occurrence: '1' })
    const platform = await listPlatformMembers(kit.db)
    expect(to('verification_drift')).toHaveLength(platform.length)
  })
})
