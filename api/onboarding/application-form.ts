/** The form of an applicant, open to everybody. */
import { z } from 'zod'
import { type Db, inTransaction } from '../../db/database.ts'
import { takeFromBucket } from '../../db/limits.ts'
import { getApplication, recordApplication } from '../../db/onboarding/applications.ts'
import { findParent } from '../../db/partners.ts'
import { getProgramme, type Programme } from '../../db/programmes.ts'
import { DomainError } from '../../domain/errors.ts'
import { outwardId } from '../../domain/ids.ts'
import {
  applicationStatuses,
  normalizedCompanyName,
  onboardingDeadlines,
} from '../../domain/onboarding.ts'
import { mayCreate, type PartnerLevel, partnerLevels, partnerTypes } from '../../domain/partners.ts'
import { workflowIds, workflowTypes } from '../../domain/process-names.ts'
import type { OnboardingInput } from '../../workflows/contract.ts'
import type { ApiDeps } from '../deps.ts'
import { startCommitted } from '../processes.ts'
import { type Call, openRoute, type Route } from '../route.ts'
import { emailAddress, idAnswer, idField, text, webAddress } from '../validate.ts'

const country = z.string().regex(/^[A-Z]{2}$/, 'expected a country code like US')

const applicationForm = z.strictObject({
  company: z.strictObject({
    name: text(),
    country,
    website: webAddress,
  }),
  contact: z.strictObject({ name: text(), email: emailAddress }),
  type: z.enum(partnerTypes),
  level: z.enum(partnerLevels),
  parent: idField('partner').optional(),
})

const statusAnswer = z.object({
  id: idAnswer('application'),
  status: z.enum(applicationStatuses),
  status_url: z.url(),
})

export function applicationFormRoutes(deps: ApiDeps): Route[] {
  return [
    openRoute({
      method: 'POST',
      path: '/v1/applications',
      tag: 'Onboarding',
      summary: 'Apply as a partner',
      description: 'Starts the onboarding. The status link works without a key.',
      access: 'public',
      body: applicationForm,
      answers: { 202: { description: 'The application is taken', schema: statusAnswer } },
      refusals: ['invalid_request', 'parent_not_active', 'too_many_requests'],
      handle: (call) => apply(deps, call),
    }),
  ]
}

async function apply(
  deps: ApiDeps,
  {
    as,
    body,
    operationId,
    ip,
  }: Pick<Call<unknown, z.output<typeof applicationForm>>, 'as' | 'body' | 'operationId' | 'ip'>,
) {
  const { links, settings, processes } = deps
  const db = as('intake', operationId)
  const wait = await takeFromBucket(db, {
    name: `applications:${ip}`,
    perMinute: settings.applicationsPerMinute,
  })
  if (wait !== null) {
    throw new DomainError('too_many_requests', 'too many applications from this address', {
      retryAfterSeconds: wait,
    })
  }
  const parentId = body.parent ?? null
  const programme = await getProgramme(db)
  if (parentId) await refuseUnfitParent(db, { programme, parentId, level: body.level })
  await inTransaction(db, (trx) =>
    recordApplication(trx, {
      id: operationId,
      programmeId: programme.id,
      type: body.type,
      level: body.level,
      parentId,
      companyName: body.company.name,
      companyNormalized: normalizedCompanyName(body.company.name),
      country: body.company.country,
      website: body.company.website,
      contactName: body.contact.name,
      contactEmail: body.contact.email,
    }),
  )
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

/** @throws DomainError `parent_not_active`, also for a parent that does not exist. */
async function refuseUnfitParent(
  db: Db,
  asked: { programme: Programme; parentId: string; level: PartnerLevel },
): Promise<void> {
  const { programme, parentId, level } = asked
  const parent = await findParent(db, parentId)
  if (parent?.status !== 'active' || !mayCreate(parent.level, level, programme)) {
    throw new DomainError(
      'parent_not_active',
      'this parent does not exist, is not active or may not have a partner of this level',
    )
  }
}
