/** What is left of a tenant that has left: nothing personal, and all of the books. */
import { randomBytes, randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { listPlatformMembers } from '../../db/access.ts'
import { type Db, inTransaction } from '../../db/database.ts'
import { recordNotice } from '../../db/inbox.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { erasedTables, findErasure } from '../../db/lifecycle/erasures.ts'
import { exportSections, listExportFiles } from '../../db/lifecycle/exports.ts'
import { findOffboarding, recordOffboarding } from '../../db/lifecycle/offboardings.ts'
import { recordMailTemplate } from '../../db/mail-templates.ts'
import { recordApplicationInvitation } from '../../db/onboarding/application-invitations.ts'
import { recordDecisionNote } from '../../db/onboarding/decisions.ts'
import { findDocument, recordDocument } from '../../db/onboarding/documents.ts'
import {
  markInformationAsked,
  recordInformationAnswer,
  recordInformationRequest,
} from '../../db/onboarding/information.ts'
import { getPartner } from '../../db/partners.ts'
import { findPerson, recordPerson } from '../../db/people/credentials.ts'
import { personalTables } from '../../db/personal-fields.ts'
import { recordTenant } from '../../db/provisioning.ts'
import { findCustomer } from '../../db/subscriptions.ts'
import { findImage, markBranding, recordBranding, recordImage } from '../../db/tenant-branding.ts'
import { getDomain, markDomainProven, recordDomain } from '../../db/tenant-domains.ts'
import {
  makeApplication,
  makeKey,
  makeMember,
  makeOrder,
  makePartner,
  unique,
} from '../support/factories.ts'
import { failureOf, type Steps, startSteps } from '../support/steps.ts'

let kit: Steps
let db: Db
beforeAll(async () => {
  kit = await startSteps()
  db = kit.db
  for (const name of ['first', 'second']) {
    await makeMember(db, { partnerId: null, name, email: `${unique(name)}@platform.example` })
  }
})
afterEach(async () => {
  expect((await checkInvariants(db)).violations).toEqual([])
})
afterAll(() => kit.stop())

async function leavingTenant(legalHold = false) {
  const partnerId = randomUUIDv7()
  const contact = `${unique('contact')}@left.example`
  await makePartner(db, {
    id: partnerId,
    level: 'master_reseller',
    name: unique('Markercompany'),
    contactName: 'Markercontact',
    contactEmail: contact,
  })
  await makeApplication(db, {
    ...{ id: partnerId, contactEmail: contact, message: 'Markermessage' },
    contacts: [{ name: 'Markerperson', email: contact, role: 'owner' }],
  })
  const tenantId = await inTransaction(db, (trx) =>
    recordTenant(trx, { partnerId, name: unique('Markertenant') }),
  )
  const order = await makeOrder(db, partnerId)
  await sql`update subscriptions set status = 'canceled', canceled_at = now()
    where id = ${order.subscriptionId}`.execute(db)
  await makeKey(db, partnerId)
  const [first, second] = await listPlatformMembers(db)
  const id = randomUUIDv7()
  await inTransaction(db, (trx) =>
    recordOffboarding(trx, {
      ...{ id, tenantId, partnerId, reason: 'it leaves', exportWanted: true, legalHold },
      requestedBy: first?.id ?? '',
    }),
  )
  return {
    id,
    partnerId,
    tenantId,
    order,
    contact,
    second: second?.id ?? '',
    first: first?.id ?? '',
  }
}

type Leaving = Awaited<ReturnType<typeof leavingTenant>>

/** Every step up to the erasure; each as often as it may be repeated. */
async function erased({ id, second }: Leaving, times = 1) {
  const { steps } = kit
  const input = { offboardingId: id }
  const twice = async (step: () => Promise<unknown>) => {
    for (let i = 0; i < times; i++) await step()
  }
  await twice(() => steps.freezeTenant(input))
  await twice(() => steps.exportTenant(input))
  await twice(() => steps.enterOffboardingStage({ ...input, stage: 'confirmation', dueAt: null }))
  await twice(() => steps.recordConfirmation({ ...input, memberId: second }))
  await twice(() => steps.enterOffboardingStage({ ...input, stage: 'erasing', dueAt: null }))
  await twice(() => steps.keepAgreements(input))
  await twice(() => steps.erasePersonalData(input))
  await twice(() => steps.shredKeys(input))
  await twice(() => steps.recordErasure(input))
}

const keysLeft = async (partnerId: string) => {
  const { rows } = await sql<{ left: number }>`select count(*)::int as left from data_keys
    where partner_id = ${partnerId} and wrapped is not null`.execute(db)
  return rows[0]?.left
}

/** Sealed bytes that open for nobody any more, of everything that names the partner. */
async function sealedLeft(partnerId: string): Promise<string[]> {
  const left: string[] = []
  for (const { table, owner, columns } of erasedTables) {
    for (const column of columns) {
      const { rows } = await sql`select from ${sql.table(table)}
        where ${sql.ref(owner)} = ${partnerId} and octet_length(${sql.ref(column)}) > 0`.execute(db)
      if (rows.length > 0) left.push(`${table}.${column}`)
    }
  }
  return left
}

describe('an erasure', () => {
  it('empties every sealed column, destroys the keys and leaves the books as they were', async () => {
    const leaving = await leavingTenant()
    const { partnerId, order, contact } = leaving
    await makeMember(db, { partnerId, name: 'Markermember', email: contact })
    await recordPerson(db, contact)
    const subjectId = randomUUIDv7()
    await recordNotice(db, { kind: 'welcome', subjectId, recipient: contact })
    const books = async () =>
      (await sql`select count(*), sum(amount_minor) from ledger_postings`.execute(db)).rows
    const before = await books()
    await erased(leaving, 2)
    expect(await books()).toEqual(before)
    expect(await keysLeft(partnerId)).toBe(0)
    expect(await sealedLeft(partnerId)).toEqual([])
    expect(await findPerson(db, contact)).toBeUndefined()
    const { rows: notices } = await sql`select from notices where subject_id = ${subjectId}
      and octet_length(recipient_sealed) > 0`.execute(db)
    expect(notices).toEqual([])
    expect(await findCustomer(db, order.customerId)).toMatchObject({
      name: 'erased',
      email: 'erased@erased.invalid',
    })
    expect(await getPartner(db, partnerId)).toMatchObject({
      name: expect.stringMatching(/^erased partner prt_/),
      contactName: 'erased',
      status: 'terminated',
    })
    expect(await findErasure(db, leaving.id)).toMatchObject({
      counts: expect.objectContaining({ customers: 1, members: 2, people: 1 }),
      confirmedBy: leaving.second,
    })
  })

  it('lets its domains go, and empties its looks and what people wrote about it', async () => {
    const leaving = await leavingTenant()
    const { partnerId, tenantId, first } = leaving
    const tenant = { id: tenantId, partnerId, name: 'Markertenant' }
    const domain = `${unique('marker').replace('_', '-')}.example`
    const claim = { partnerId, domain, token: 'a'.repeat(43), expirySeconds: 3_600 }
    const domainId = randomUUIDv7()
    await inTransaction(db, async (trx) => {
      await recordDomain(trx, { ...claim, id: domainId, tenantId })
      await markDomainProven(trx, domainId)
      await recordBranding(trx, tenant)
      await markBranding(trx, tenantId, {
        loginText: 'Markertext',
        supportAddress: 'marker@left.example',
      })
      const content = Buffer.from('an image')
      await recordImage(trx, tenant, { kind: 'logo', mediaType: 'image/png', content })
      await recordMailTemplate(trx, {
        ...{ id: randomUUIDv7(), partnerId, template: 'memberInvitation' },
        ...{ subject: 'Marker', paragraphs: ['Markerwords'], actionLabel: null },
      })
      await recordDecisionNote(trx, {
        ...{ id: randomUUIDv7(), applicationId: partnerId, memberId: first },
        ...{ decision: 'approve', reason: 'Markerreason', effectiveFrom: new Date() },
      })
    })
    await erased(leaving, 2)
    expect(await getDomain(db, domainId)).toMatchObject({
      ...{ state: 'removed', domain: `${domainId}.erased.invalid`, certificateEndsAt: null },
    })
    const other = await leavingTenant()
    const next = { ...claim, partnerId: other.partnerId, tenantId: other.tenantId }
    const taken = await inTransaction(db, async (trx) => {
      const { id } = await recordDomain(trx, { ...next, id: randomUUIDv7() })
      return markDomainProven(trx, id)
    })
    expect(taken).toBe('proven')
    expect(await findImage(db, tenantId, 'logo')).toBeUndefined()
    const { rows } = await sql<{ text: string }>`select concat(
        (select jsonb_agg(row_to_json(one)) from tenant_branding one
          where partner_id = ${partnerId}),
        (select jsonb_agg(row_to_json(one)) from mail_templates one
          where partner_id = ${partnerId}),
        (select jsonb_agg(row_to_json(one)) from decision_notes one
          where application_id = ${partnerId}),
        (select jsonb_agg(row_to_json(one)) from offboardings one
          where partner_id = ${partnerId})) as text`.execute(db)
    expect(rows[0]?.text).not.toMatch(/marker|it leaves/i)
    expect(await findErasure(db, leaving.id)).toMatchObject({
      counts: expect.objectContaining({ words: 2, tenant_domains: 1, tenant_images: 1 }),
    })
  })

  it('reaches what the form said, the try before it, and the invitation of somebody else', async () => {
    const leaving = await leavingTenant()
    const { partnerId, contact, first } = leaving
    const inviter = await makePartner(db, { level: 'master_reseller' })
    const [invitationId, own] = [randomUUIDv7(), randomUUIDv7()]
    const said = { name: 'Markername', email: contact, message: 'Markermessage' }
    const invited = { ...said, invitedBy: first, level: 'reseller', type: null } as const
    const number = unique('MARKER').replace('_', '').toUpperCase()
    const company = { legalName: 'Markerlegal', registrationNumber: number }
    const form = { ...company, registrationNormalized: number, contactEmail: contact }
    await inTransaction(db, async (trx) => {
      for (const [id, by] of [[invitationId, inviter] as const, [own, partnerId] as const]) {
        const tokenHash = randomBytes(32)
        await recordApplicationInvitation(trx, { ...invited, id, partnerId: by, tokenHash })
      }
    })
    const earlier = await makeApplication(db, {
      ...form,
      ...{ companyName: 'Markerbefore', contactName: 'Markercontact', invitationId },
    })
    await sql`update applications set legal_name = 'Markerlegal', reapplies_id = ${earlier},
      registration_number = ${number}, registration_normalized = ${number}
      where id = ${partnerId}`.execute(db)
    await sql`update api_keys set allowed_ips = '{192.0.2.7}'
      where partner_id = ${partnerId}`.execute(db)
    await erased(leaving, 2)
    const { rows } = await sql<{ clear: string; sealed: number }>`
      select concat(
        (select jsonb_agg(row_to_json(one)) from applications one
          where id in (${partnerId}, ${earlier})),
        (select jsonb_agg(row_to_json(one)) from api_keys one
          where partner_id = ${partnerId})) as clear,
        (select sum(octet_length(contact_email_sealed)) from applications
          where id in (${partnerId}, ${earlier}))
        + (select sum(octet_length(email_sealed) + octet_length(message_sealed))
          from application_invitations where id in (${invitationId}, ${own})) as sealed`.execute(db)
    expect(rows[0]?.clear).not.toMatch(/marker|192\.0\.2\.7/i)
    expect(Number(rows[0]?.sealed)).toBe(0)
    expect(await keysLeft(earlier)).toBe(0)
    const { rows: found } = await sql`select from application_invitations
      where id in (${invitationId}, ${own}) and email_index <> uuid_send(id)`.execute(db)
    expect(found).toEqual([])
  })

  it('leaves the sign-in of a person that is a member elsewhere, and the words of others', async () => {
    const leaving = await leavingTenant()
    const other = await makePartner(db)
    const email = `${unique('both')}@both.example`
    await makeMember(db, { partnerId: leaving.partnerId, name: 'Both', email })
    await makeMember(db, { partnerId: other, name: 'Both', email })
    await recordPerson(db, email)
    await erased(leaving)
    expect(await findPerson(db, email)).toMatchObject({ email })
  })

  it('keeps signed agreements, sealed for the platform, and takes the export away', async () => {
    const leaving = await leavingTenant()
    const id = randomUUIDv7()
    const content = Buffer.from('a signed agreement')
    await inTransaction(db, (trx) =>
      recordDocument(trx, {
        ...{ id, kind: 'signed_agreement', mediaType: 'application/pdf', content },
        holderId: leaving.partnerId,
      }),
    )
    await erased(leaving)
    expect((await findDocument(db, id))?.content).toEqual(content)
    expect(await listExportFiles(db, leaving.id)).toEqual([])
  })

  it('that has begun is not taken for a departure that begins', async () => {
    const { id, second } = await leavingTenant()
    const input = { offboardingId: id }
    expect(await kit.steps.freezeTenant(input)).toEqual({ isErasing: false })
    await kit.steps.recordConfirmation({ ...input, memberId: second })
    await kit.steps.enterOffboardingStage({ ...input, stage: 'erasing', dueAt: null })
    expect(await kit.steps.freezeTenant(input)).toEqual({ isErasing: true })
    await kit.steps.erasePersonalData(input)
  })

  it('does not begin without another person, nor under a legal hold', async () => {
    const { id, first, second } = await leavingTenant()
    const input = { offboardingId: id }
    const alone = kit.steps.recordConfirmation({ ...input, memberId: first })
    expect(await failureOf(alone)).toBe('second_person_required')
    await kit.steps.recordLegalHold({ ...input, memberId: first, on: true, entry: 'one' })
    const held = kit.steps.recordConfirmation({ ...input, memberId: second })
    expect(await failureOf(held)).toBe('legal_hold')
    expect(await failureOf(kit.steps.erasePersonalData(input))).toBe('not_ready')
    expect(await failureOf(kit.steps.shredKeys(input))).toBe('not_ready')
  })

  it('covers every sealed column that there is', async () => {
    const { rows } = await sql<{ name: string }>`
      select table_name || '.' || column_name as name from information_schema.columns
      where table_schema = 'public' and column_name like '%\\_sealed' order by 1`.execute(db)
    const covered = erasedTables.flatMap(({ table, columns }) =>
      columns.map((column) => `${table}.${column}`),
    )
    const apart = [
      // Sealed anew for the platform, or removed.
      'documents.content_sealed',
      'idempotency_keys.answer_sealed',
      // Only added to: what was sealed there is gone with the keys.
      'agreement_resends.signer_email_sealed',
      'agreement_resends.signer_name_sealed',
    ]
    const ofPlatform = [personalTables.notices, personalTables.people].flatMap(
      ({ table, columns }) => Object.values(columns).map((column) => `${table}.${column}`),
    )
    const missing = rows.filter(({ name }) => ![...covered, ...apart, ...ofPlatform].includes(name))
    expect(missing).toEqual([])
  })
})

describe('an export', () => {
  it('has what the partner told on its way in, and nothing that was said of it', async () => {
    const leaving = await leavingTenant()
    const { partnerId: id, first } = leaving
    await sql`update applications set pre_screen = 'review', pre_screen_reason = 'Markerflag',
      screening = 'review' where id = ${id}`.execute(db)
    const [asked, unasked] = [randomUUIDv7(), randomUUIDv7()]
    await inTransaction(db, async (trx) => {
      for (const [request, question] of [
        [asked, 'Markerasked'] as const,
        [unasked, 'Draft'] as const,
      ]) {
        await recordInformationRequest(trx, {
          ...{ id: request, applicationId: id, memberId: first, questions: [question] },
        })
      }
      await markInformationAsked(trx, asked, { applicationId: id, dueAt: new Date() })
      await recordInformationAnswer(trx, {
        ...{ id: randomUUIDv7(), applicationId: id, requestId: asked, answers: ['Markeranswer'] },
      })
    })
    await kit.steps.freezeTenant({ offboardingId: leaving.id })
    await kit.steps.exportTenant({ offboardingId: leaving.id })
    const files = await listExportFiles(db, leaving.id)
    const texts = await Promise.all(
      files.map(async ({ documentId }) => (await findDocument(db, documentId))?.content.toString()),
    )
    const whole = texts.join('\n')
    const told = ['Markerperson', 'Markermessage', 'Markerasked', 'Markeranswer']
    expect(told.filter((word) => !whole.includes(word))).toEqual([])
    expect(whole).not.toMatch(/Markerflag|Draft|pre_screen/)
  })

  it('has what belongs to the tenant, opened, and goes on after the last file that is there', async () => {
    const leaving = await leavingTenant()
    await kit.steps.freezeTenant({ offboardingId: leaving.id })
    expect(await kit.steps.exportTenant({ offboardingId: leaving.id })).toBeGreaterThan(4)
    expect(await kit.steps.exportTenant({ offboardingId: leaving.id })).toBe(0)
    const files = await listExportFiles(db, leaving.id)
    const text = async (table: string) => {
      const file = files.find(({ name }) => name.startsWith(`${table}-`))
      return (await findDocument(db, file?.documentId ?? ''))?.content.toString() ?? ''
    }
    expect(await text('partners')).toContain(leaving.contact)
    expect(await text('customers')).toContain('customer@customer.example')
    expect(await text('api_keys')).not.toContain('secret_hash')
    expect(exportSections.length).toBeGreaterThan(15)
  })
})

describe('a departure that is cancelled', () => {
  it('lets the tenant go on, and takes the export away', async () => {
    const { id, partnerId, tenantId } = await leavingTenant()
    const input = { offboardingId: id }
    await kit.steps.freezeTenant(input)
    expect(await getPartner(db, partnerId)).toMatchObject({ status: 'suspended' })
    await kit.steps.exportTenant(input)
    const attempts = [await kit.steps.takeOffboardingBack(input)]
    attempts.push(await kit.steps.takeOffboardingBack(input))
    expect(attempts).toEqual([{ attempt: 1_001 }, { attempt: 1_001 }])
    expect(await getPartner(db, partnerId)).toMatchObject({ status: 'active' })
    expect(await listExportFiles(db, id)).toEqual([])
    expect(await findOffboarding(db, tenantId)).toMatchObject({ stage: 'cancelled' })
  })
})
