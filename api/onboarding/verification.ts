/** The way of an applicant to its identity check. */
import { findPayoutAccount } from '../../db/onboarding/payout-accounts.ts'
import { DomainError } from '../../domain/errors.ts'
import { workflowIds } from '../../domain/process-names.ts'
import { refreshReverificationLink, refreshVerificationLink } from '../../workflows/contract.ts'
import type { ApiDeps } from '../deps.ts'
import { updateProcess } from '../processes.ts'
import { openRoute, type Route } from '../route.ts'
import { type LinkCall, linked, linkQuery } from './applications.ts'

export function verificationRoutes(deps: ApiDeps): Route[] {
  return [
    openRoute({
      method: 'GET',
      path: '/v1/applications/:id/verification',
      tag: 'Onboarding',
      summary: 'Go to the identity check',
      description:
        'By the applicant alone, with the token of its link: leads to a fresh page of the ' +
        'payment provider, whose links live for minutes.',
      access: 'public',
      query: linkQuery,
      answers: { 303: { description: 'The page is in the Location header' } },
      refusals: ['not_authenticated', 'not_found', 'not_ready', 'temporarily_unavailable'],
      handle: (call) => toVerification(deps, call),
    }),
  ]
}

async function toVerification(deps: ApiDeps, call: LinkCall & { operationId: string }) {
  const { db, row } = await linked(deps, call)
  const process = row.partnerId
    ? {
        workflowId: workflowIds.reverification(row.partnerId),
        definition: refreshReverificationLink,
      }
    : { workflowId: workflowIds.onboarding(row.id), definition: refreshVerificationLink }
  await updateProcess(deps, {
    ...process,
    args: [],
    updateId: call.operationId,
    ended: new DomainError('not_ready', 'no identity check is waiting'),
  })
  const account = await findPayoutAccount(db, row.id)
  if (!account?.linkUrl) throw new DomainError('not_ready', 'no identity check is waiting')
  return { status: 303, body: null, headers: { Location: account.linkUrl } }
}
