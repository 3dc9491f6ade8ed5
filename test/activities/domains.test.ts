import { randomBytes, randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { inTransaction } from '../../db/database.ts'
import { recordTenant } from '../../db/provisioning.ts'
import { getDomain, markDomain, recordDomain } from '../../db/tenant-domains.ts'
import { challengeName } from '../../domain/domains.ts'
import { makePartner } from '../support/factories.ts'
import { failureOf, type Steps, startSteps } from '../support/steps.ts'

let kit: Steps
beforeAll(async () => {
  kit = await startSteps()
  await dns(kit.config.domains.target, 'A', '127.0.0.9')
})
afterAll(() => kit.stop())

const dns = (name: string, type: string, value: string | null) =>
  kit.story.sandbox('/dns', { name, type, value })
const certify = (name: string, days = 90) => kit.story.sandbox('/certificates', { name, days })

async function claim(domain = `${randomUUIDv7().slice(-12)}.shop.test`) {
  const partnerId = await makePartner(kit.db)
  return inTransaction(kit.db, async (trx) => {
    const tenantId = await recordTenant(trx, { partnerId, name: domain })
    const token = randomBytes(32).toString('base64url')
    const id = randomUUIDv7()
    return recordDomain(trx, { id, tenantId, partnerId, domain, token, expirySeconds: 3_600 })
  })
}

const prove = ({ domain, token }: { domain: string; token: string }) =>
  dns(challengeName(domain), 'TXT', token)
const lead = ({ domain }: { domain: string }) => dns(domain, 'CNAME', kit.config.domains.target)

async function active(days = 90) {
  const row = await claim()
  await prove(row)
  await lead(row)
  await certify(row.domain, days)
  await kit.steps.awaitProof({ domainId: row.id })
  expect(await kit.steps.awaitCertificate({ domainId: row.id })).toBe('active')
  return row
}

const aDayLater = (id: string, more = '') =>
  sql`update tenant_domains set looked_at = now() - interval '25 hours' ${sql.raw(more)}
    where id = ${id}`.execute(kit.db)

async function mailsAbout(domain: string): Promise<string[]> {
  const { data } = await kit.story.sandbox<{ data: { subject: string; kind: string }[] }>('/mails')
  return data.filter(({ subject }) => subject.includes(domain)).map(({ kind }) => kind)
}

describe('the proof of a domain', () => {
  it('is the token in the TXT record, among other texts, and nothing else', async () => {
    const row = await claim()
    const step = { domainId: row.id }
    expect(await failureOf(kit.steps.awaitProof(step))).toBe('not_proven')
    await dns(challengeName(row.domain), 'TXT', 'something else')
    expect(await failureOf(kit.steps.awaitProof(step))).toBe('not_proven')
    expect(await getDomain(kit.db, row.id)).toMatchObject({ problem: 'no_proof' })
    await prove(row)
    for (let i = 0; i < 2; i++) expect(await kit.steps.awaitProof(step)).toBe('proven')
    expect(await getDomain(kit.db, row.id)).toMatchObject({ state: 'proven', problem: null })
  })

  it('is unknown, and not missing, while the name servers are in trouble', async () => {
    const row = await claim()
    await dns(challengeName(row.domain), 'SERVFAIL', '')
    expect(await failureOf(kit.steps.awaitProof({ domainId: row.id }))).toBe('vendor_unknown')
    await dns(challengeName(row.domain), 'SERVFAIL', null)
    await prove(row)
    expect(await kit.steps.awaitProof({ domainId: row.id })).toBe('proven')
  })

  it('makes a domain exclusive: of several that claim it the first to prove it has it', async () => {
    const rows = [await claim('fought.test'), await claim('fought.test')]
    for (const row of rows) await prove(row)
    const outcomes = await Promise.all(
      rows.map(({ id }) => kit.steps.lookForProof({ domainId: id })),
    )
    expect(outcomes.sort()).toEqual(['proven', 'taken'])
  })

  it('is not looked for any more once the domain was let go or has expired', async () => {
    const row = await claim()
    await markDomain(kit.db, row.id, { state: 'removed' })
    await prove(row)
    expect(await kit.steps.awaitProof({ domainId: row.id })).toBe('ended')
    const late = await claim()
    for (let i = 0; i < 2; i++) await kit.steps.expireDomain({ domainId: late.id })
    expect(await getDomain(kit.db, late.id)).toMatchObject({ state: 'expired' })
    expect(await kit.steps.awaitProof({ domainId: late.id })).toBe('ended')
  })
})

describe('the certificate of a domain', () => {
  it('is waited for once the domain leads to us, until the edge shows a good one', async () => {
    const row = await claim()
    const step = { domainId: row.id }
    await prove(row)
    await kit.steps.awaitProof(step)
    expect(await failureOf(kit.steps.awaitCertificate(step))).toBe('no_certificate')
    expect(await getDomain(kit.db, row.id)).toMatchObject({
      state: 'proven',
      problem: 'leads_elsewhere',
    })
    await lead(row)
    expect(await failureOf(kit.steps.awaitCertificate(step))).toBe('no_certificate')
    expect(await getDomain(kit.db, row.id)).toMatchObject({
      state: 'certificate_pending',
      problem: 'no_certificate',
    })
    await certify(row.domain, -2)
    expect(await failureOf(kit.steps.awaitCertificate(step))).toBe('no_certificate')
    await certify(row.domain)
    expect(await kit.steps.awaitCertificate(step)).toBe('active')
    const { certificateEndsAt } = await getDomain(kit.db, row.id)
    expect(certificateEndsAt?.getTime()).toBeGreaterThan(Date.now() + 80 * 86_400_000)
  })

  it('also comes to a domain that leads to us by its address', async () => {
    const row = await claim()
    await prove(row)
    await kit.steps.awaitProof({ domainId: row.id })
    await dns(row.domain, 'A', '127.0.0.9')
    await certify(row.domain)
    expect(await kit.steps.awaitCertificate({ domainId: row.id })).toBe('active')
  })
})

describe('the daily look', () => {
  it('warns once of a certificate that ends within two weeks', async () => {
    const row = await active(10)
    for (let i = 0; i < 2; i++) {
      await aDayLater(row.id)
      await kit.steps.keepDomains()
    }
    expect(await mailsAbout(row.domain)).toEqual(['domain_certificate'])
    await certify(row.domain, 80)
    await aDayLater(row.id)
    await kit.steps.keepDomains()
    expect(await mailsAbout(row.domain)).toHaveLength(1)
  })

  it('lets a domain go whose proof has been missing for a week, not one that came back', async () => {
    const row = await active()
    await dns(challengeName(row.domain), 'TXT', null)
    await aDayLater(row.id)
    await kit.steps.keepDomains()
    expect(await getDomain(kit.db, row.id)).toMatchObject({ state: 'active' })
    expect((await getDomain(kit.db, row.id)).missingSince).not.toBeNull()
    await prove(row)
    await aDayLater(row.id)
    await kit.steps.keepDomains()
    expect((await getDomain(kit.db, row.id)).missingSince).toBeNull()
    await dns(challengeName(row.domain), 'TXT', null)
    await aDayLater(row.id, ", missing_since = now() - interval '8 days'")
    await kit.steps.keepDomains()
    expect(await getDomain(kit.db, row.id)).toMatchObject({
      state: 'removed',
      problem: 'vanished',
    })
    expect(await mailsAbout(row.domain)).toEqual(['domain_vanished'])
  })

  it('takes servers that do not answer for no news', async () => {
    const row = await active()
    await dns(challengeName(row.domain), 'SERVFAIL', '')
    await aDayLater(row.id, ", missing_since = now() - interval '8 days'")
    await kit.steps.keepDomains()
    expect(await getDomain(kit.db, row.id)).toMatchObject({ state: 'active' })
  })

  it('sees that a domain leads elsewhere, and that it is back', async () => {
    const row = await active()
    await dns(row.domain, 'CNAME', 'elsewhere.test')
    await aDayLater(row.id)
    await kit.steps.keepDomains()
    expect(await getDomain(kit.db, row.id)).toMatchObject({
      state: 'failing',
      problem: 'leads_elsewhere',
    })
    await lead(row)
    await aDayLater(row.id)
    await kit.steps.keepDomains()
    expect(await getDomain(kit.db, row.id)).toMatchObject({ state: 'active', problem: null })
  })
})

describe('the mails about a domain', () => {
  it('go out once for each occasion', async () => {
    const row = await claim()
    for (const kind of ['reminder', 'expired', 'active'] as const) {
      for (let i = 0; i < 2; i++) {
        await kit.steps.mailDomain({ domainId: row.id, kind, occurrence: '1' })
      }
    }
    const kinds = ['domain_active', 'domain_expired', 'domain_reminder']
    expect((await mailsAbout(row.domain)).sort()).toEqual(kinds)
  })
})
