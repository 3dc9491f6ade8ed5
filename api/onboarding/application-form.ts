/** The form of an applicant, open to everybody. */
import { createHmac } from 'node:crypto'
import { z } from 'zod'
import { type Db, databaseNow, inTransaction, lockName } from '../../db/database.ts'
import { takeFromBuckets } from '../../db/limits.ts'
import { takeApplicationInvitation } from '../../db/onboarding/application-invitations.ts'
import {
  countOpenApplications,
  findApplication,
  getApplication,
  type NewApplication,
  recordApplication,
} from '../../db/onboarding/applications.ts'
import { getProgramme, type Programme } from '../../db/programmes.ts'
import { normalizedCompanyName, normalizedRegistration } from '../../domain/companies.ts'
import { DomainError } from '../../domain/errors.ts'
import { outwardId } from '../../domain/ids.ts'
import {
  applicationStatuses,
  isClosed,
  onboardingDeadlines,
  reapplyFrom,
} from '../../domain/onboarding.ts'
import { dayOf } from '../../domain/period.ts'
import { workflowIds, workflowTypes } from '../../domain/process-names.ts'
import type { OnboardingInput } from '../../workflows/contract.ts'
import type { ApiDeps } from '../deps.ts'
import { startCommitted } from '../processes.ts'
import { type Call, openRoute, type Route } from '../route.ts'
import { idAnswer } from '../validate.ts'
import {
  type ApplicationForm,
  applicationForm,
  invalidFields,
  requireFittingAnswers,
} from './application-fields.ts'
import { openInvitation } from './application-invitations.ts'
import { applicationPage } from './apply-page.ts'
import { requireFitParent } from './parents.ts'

const statusAnswer = z.object({
  id: idAnswer('application'),
  status: z.enum(applicationStatuses),
  status_url: z.url(),
})

/** No form of a person is longer, and nobody needs a key to send one. */
const longestForm = 64 * 1024

export function applicationFormRoutes(deps: ApiDeps): Route[] {
  return [
    openRoute({
      method: 'POST',
      path: '/v1/applications',
      tag: 'Onboarding',
      summary: 'Apply as a partner',
      description:
        'Starts the onboarding. The status link works without a key. What the programme asks is ' +
        'in GET /v1/application-form. After a rejection the same applicant waits until the ' +
        '`reapply_from` that its own link shows.',
      access: 'public',
      largestBody: longestForm,
      body: applicationForm,
      form: applicationPage,
      answers: {
        202: { description: 'The application is taken', schema: statusAnswer, page: true },
      },
      refusals: [
        'invalid_request',
        'parent_not_active',
        'too_many_requests',
        'not_found',
        'gone',
        'conflict',
        'reapply_too_early',
      ],
      handle: (call) => apply(deps, call),
    }),
  ]
}

type ApplyCall = Pick<Call<unknown, ApplicationForm>, 'as' | 'body' | 'operationId' | 'ip'>

async function apply(deps: ApiDeps, call: ApplyCall) {
  const { as, body, operationId } = call
  const { links, processes } = deps
  const db = as('intake', operationId)
  await takeFormUnits(deps, db, call)
  const programme = await getProgramme(db)
  requireFittingForm(programme, body)
  const invitation =
    body.invitation === undefined ? null : await openInvitation(db, body.invitation)
  const parentId = parentOf(body, invitation)
  if (parentId) await requireFitParent(db, { programme, parentId, level: body.level })
  if (body.reapplies) await requireReapplication(deps, call, programme)
  const application = applicationOf(body, { id: operationId, programmeId: programme.id, parentId })
  await inTransaction(db, async (trx) => {
    if (await findApplication(trx, operationId)) return
    await requireFewOpen(deps, trx, body.contact.email)
    if (invitation) await takeApplicationInvitation(trx, invitation.id)
    await recordApplication(trx, { ...application, invitationId: invitation?.id ?? null })
  })
  const input: OnboardingInput = {
    applicationId: operationId,
    parentId,
    deadlines: onboardingDeadlines(programme.deadlines),
  }
  await startCommitted(deps, () =>
    processes.startOnce({
      type: workflowTypes.partnerOnboarding,
      workflowId: workflowIds.onboarding(operationId),
      input,
    }),
  )
  const row = await getApplication(db, operationId)
  return {
    status: 202,
    body: {
      id: outwardId('application', row.id),
      status: row.status,
      status_url: links.statusUrl(row.id),
    },
    headers: { Location: links.applicationUrl(row.id) },
  }
}

const daySeconds = 86_400

/** The same words whichever limit is reached, and whether or not anybody has that mailbox. */
const tooMany = (retryAfterSeconds: number) =>
  new DomainError('too_many_requests', 'too many applications: come back later', {
    retryAfterSeconds,
  })

/** Stands for a mailbox where it is kept. */
function mailboxName({ settings }: Pick<ApiDeps, 'settings'>, email: string): string {
  const mailbox = email.toLowerCase()
  return createHmac('sha256', settings.linkSecret).update(`applicant ${mailbox}`).digest('hex')
}

/** @throws DomainError `too_many_requests` for the address that asks, or the mailbox it names. */
async function takeFormUnits(deps: ApiDeps, db: Db, { ip, body }: ApplyCall): Promise<void> {
  const { applicationsPerMinute, applicationsPerMailbox } = deps.settings
  const { buckets } = await takeFromBuckets(db, [
    { name: `applications:${ip}`, quota: applicationsPerMinute, windowSeconds: 60 },
    {
      name: `applicant:${mailboxName(deps, body.contact.email)}`,
      quota: applicationsPerMailbox.daily,
      windowSeconds: daySeconds,
    },
  ])
  const waits = buckets.filter(({ refused }) => refused).map(({ resetSeconds }) => resetSeconds)
  if (waits.length > 0) throw tooMany(Math.max(...waits))
}

/** One after the other for a mailbox, so that two at once are counted. */
async function requireFewOpen(
  deps: ApiDeps,
  trx: Parameters<typeof lockName>[0],
  email: string,
): Promise<void> {
  await lockName(trx, `applicant:${mailboxName(deps, email)}`)
  const { open } = deps.settings.applicationsPerMailbox
  if ((await countOpenApplications(trx, email)) >= open) throw tooMany(daySeconds)
}

/** @throws DomainError `invalid_request` for what does not fit what this programme asks. */
function requireFittingForm(programme: Programme, body: ApplicationForm): void {
  requireFittingAnswers(programme.onboarding.customFields, body.custom ?? {})
  const { expected_volume: volume } = body
  if (volume && volume.currency !== programme.currency) {
    const detail = `expected ${programme.currency}, the currency of the programme`
    throw invalidFields([{ pointer: '/expected_volume/currency', code: 'invalid', detail }])
  }
}

/** Who invites is the parent; an invitation of the platform leaves it to the applicant. */
function parentOf(body: ApplicationForm, invitation: { partnerId: string | null } | null) {
  const inviter = invitation?.partnerId ?? null
  if (inviter === null) return body.parent ?? null
  if (body.parent === undefined || body.parent === inviter) return inviter
  const detail = 'leave it out: the parent is the partner that invited you'
  throw invalidFields([{ pointer: '/parent', code: 'invalid', detail }])
}

/**
 * Only its own link tells that an application was rejected: whoever comes without it is taken in
 * like anybody, and shown to those who decide.
 * @throws DomainError `not_found`, `conflict` while the other one is open, `reapply_too_early`
 */
async function requireReapplication(
  { links }: ApiDeps,
  { as, body }: ApplyCall,
  programme: Programme,
): Promise<void> {
  const { application: id, token } = body.reapplies as NonNullable<ApplicationForm['reapplies']>
  if (!links.isApplicationToken(id, token)) {
    throw new DomainError('not_found', 'there is no such application')
  }
  const db = as('intake', id)
  const earlier = await getApplication(db, id)
  if (!isClosed(earlier.status) || earlier.status === 'active') {
    throw new DomainError('conflict', `the application is ${earlier.status}: it needs no other one`)
  }
  const from = reapplyFrom(earlier, programme.deadlines.reapplication)
  if (from === null || from <= (await databaseNow(db))) return
  throw new DomainError(
    'reapply_too_early',
    `this application was not accepted; apply again from ${dayOf(from)} on`,
    { members: { reapply_from: from.toISOString() } },
  )
}

function applicationOf(
  body: ApplicationForm,
  own: Pick<NewApplication, 'id' | 'programmeId' | 'parentId'>,
): NewApplication {
  const { company, contact, expected_volume: volume } = body
  const number = company.registration_number ?? null
  return {
    ...own,
    type: body.type,
    level: body.level,
    companyName: company.name,
    companyNormalized: normalizedCompanyName(company.name),
    legalName: company.legal_name ?? null,
    registrationNumber: number,
    registrationNormalized: number === null ? null : normalizedRegistration(number),
    country: company.country,
    website: company.website,
    contactName: contact.name,
    contactEmail: contact.email,
    contacts: body.contacts ?? [],
    territoryCodes: [...new Set(body.territories)],
    ...(body.territory_mode ? { territoryMode: body.territory_mode } : {}),
    expectedVolume: volume
      ? { amountMinor: BigInt(volume.amount), currency: volume.currency }
      : null,
    message: body.message ?? '',
    custom: body.custom ?? {},
    reappliesId: body.reapplies?.application ?? null,
  }
}
