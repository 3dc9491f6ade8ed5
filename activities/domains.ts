/** A tenant's own domain: its proof, its certificate, and the daily look at both. */
import { ApplicationFailure } from '@temporalio/common'
import { inTransaction } from '../db/database.ts'
import { getPartner } from '../db/partners.ts'
import {
  getDomain,
  listDueDomains,
  markDomain,
  markDomainProven,
  type TenantDomainRow,
} from '../db/tenant-domains.ts'
import { challengeName } from '../domain/domains.ts'
import { dayOf } from '../domain/period.ts'
import { type MailContent, mails } from '../integrations/email-templates/index.ts'
import type { ActivityDeps } from './deps.ts'
import { notify } from './notices.ts'

interface DomainStep {
  domainId: string
}

export type ProofOutcome = 'proven' | 'taken' | 'ended'
export type DomainMail = 'reminder' | 'expired' | 'active' | 'vanished' | 'certificate'

/** Not yet: the step is repeated, and nobody has to look into it. */
const notYet = (type: string) => ApplicationFailure.create({ type, message: type })

/** In one round of a minute; each takes seconds where its servers do not answer. */
const pageSize = 20

async function proofOf(
  { db, domains }: ActivityDeps,
  domainId: string,
): Promise<ProofOutcome | 'pending'> {
  const row = await getDomain(db, domainId)
  if (row.endedAt) return 'ended'
  if (row.provenAt) return 'proven'
  const isThere = await domains.hasText(challengeName(row.domain), row.token)
  if (isThere) return inTransaction(db, (trx) => markDomainProven(trx, domainId))
  await markDomain(db, domainId, { problem: 'no_proof', looked: true })
  return 'pending'
}

async function certificateOf(
  deps: ActivityDeps,
  domainId: string,
): Promise<'active' | 'ended' | 'pending'> {
  const { db } = deps
  const row = await getDomain(db, domainId)
  if (row.endedAt) return 'ended'
  await markRoute(deps, row)
  return (await getDomain(db, domainId)).state === 'active' ? 'active' : 'pending'
}

export function domainActivities(deps: ActivityDeps) {
  const { db } = deps
  return {
    /** Ends when the proof is in the DNS, or when it is not wanted any more. */
    async awaitProof({ domainId }: DomainStep): Promise<ProofOutcome> {
      const outcome = await proofOf(deps, domainId)
      if (outcome === 'pending') throw notYet('not_proven')
      return outcome
    },

    /** Looks once, because somebody wants to know now. */
    async lookForProof({ domainId }: DomainStep): Promise<ProofOutcome | 'pending'> {
      return proofOf(deps, domainId)
    },

    /** Ends when the edge shows a good certificate for the domain. */
    async awaitCertificate({ domainId }: DomainStep): Promise<'active' | 'ended'> {
      const outcome = await certificateOf(deps, domainId)
      if (outcome === 'pending') throw notYet('no_certificate')
      return outcome
    },

    async lookForCertificate({ domainId }: DomainStep): Promise<'active' | 'ended' | 'pending'> {
      return certificateOf(deps, domainId)
    },

    async expireDomain({ domainId }: DomainStep): Promise<void> {
      const { provenAt } = await getDomain(db, domainId)
      if (!provenAt) await markDomain(db, domainId, { state: 'expired', problem: 'no_proof' })
    },

    /** It is proven and has no certificate after all this time; the daily look goes on. */
    async markDomainFailing({ domainId }: DomainStep): Promise<void> {
      await markDomain(db, domainId, { state: 'failing' })
    },

    async mailDomain(input: DomainStep & { kind: DomainMail; occurrence: string }): Promise<void> {
      await mailAbout(deps, await getDomain(db, input.domainId), input)
    },

    /** The daily look at every proven domain, a page at a time. */
    async keepDomains(): Promise<void> {
      const due = await listDueDomains(db, pageSize)
      await Promise.all(due.map((row) => keep(deps, row)))
    },
  }
}

/** Where the domain leads, and what the edge shows for it. */
async function markRoute({ db, domains }: ActivityDeps, row: TenantDomainRow): Promise<void> {
  if (!(await domains.leadsHere(row.domain))) {
    const state = row.state === 'proven' ? {} : ({ state: 'failing' } as const)
    await markDomain(db, row.id, { ...state, problem: 'leads_elsewhere', looked: true })
    return
  }
  const certificateEndsAt = await domains.certificateEnd(row.domain)
  if (certificateEndsAt) {
    const found = { certificateEndsAt, problem: null, looked: true } as const
    await markDomain(db, row.id, { state: 'active', ...found })
    return
  }
  const state = row.state === 'proven' ? 'certificate_pending' : row.state
  await markDomain(db, row.id, {
    state: state === 'active' ? 'failing' : state,
    problem: 'no_certificate',
    looked: true,
  })
}

type DueDomain = Awaited<ReturnType<typeof listDueDomains>>[number]

/** Servers that do not answer say nothing: the domain is looked at again in the next round. */
async function keep(deps: ActivityDeps, row: DueDomain): Promise<void> {
  const { db, domains } = deps
  const hasProof = await domains.hasText(challengeName(row.domain), row.token).catch(() => null)
  if (hasProof === null) return markDomain(db, row.id, { looked: true })
  await markDomain(db, row.id, { isMissing: !hasProof })
  if (!hasProof && row.isLost) {
    await mailAbout(deps, row, { kind: 'vanished', occurrence: '1' })
    return markDomain(db, row.id, { state: 'removed', problem: 'vanished' })
  }
  await markRoute(deps, row).catch(() => markDomain(db, row.id, { looked: true }))
  const { certificateEndsAt: ends } = await getDomain(db, row.id)
  if (!row.isEndToTell || !ends || ends.getTime() !== row.certificateEndsAt?.getTime()) return
  await mailAbout(deps, row, { kind: 'certificate', occurrence: String(ends.getTime()) })
  await markDomain(db, row.id, { toldEnd: ends })
}

async function mailAbout(
  deps: ActivityDeps,
  row: TenantDomainRow,
  { kind, occurrence }: { kind: DomainMail; occurrence: string },
): Promise<void> {
  const partner = await getPartner(deps.db, row.partnerId)
  await notify(
    deps,
    { kind: `domain_${kind}`, subjectId: row.id, recipient: partner.contactEmail, occurrence },
    contentOf(kind, { contact: partner.contactName, row }),
  )
}

function contentOf(
  kind: DomainMail,
  { contact, row }: { contact: string; row: TenantDomainRow },
): MailContent {
  const { domain, token, certificateEndsAt } = row
  switch (kind) {
    case 'reminder':
      return mails.domainReminder({ contact, domain, token, challenge: challengeName(domain) })
    case 'expired':
      return mails.domainExpired({ contact, domain })
    case 'active':
      return mails.domainActive({ contact, domain })
    case 'vanished':
      return mails.domainVanished({ contact, domain })
    case 'certificate': {
      const until = certificateEndsAt ? dayOf(certificateEndsAt) : ''
      return mails.domainCertificateEnding({ contact, domain, until })
    }
  }
}
