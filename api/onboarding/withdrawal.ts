/** The applicant wants no more. */
import { getApplication } from '../../db/onboarding/applications.ts'
import { DomainError, isDomainError } from '../../domain/errors.ts'
import { isDecided } from '../../domain/onboarding.ts'
import { workflowIds } from '../../domain/process-names.ts'
import { withdrawApplication } from '../../workflows/contract.ts'
import type { ApiDeps } from '../deps.ts'
import { wantsPage } from '../html.ts'
import { updateProcess } from '../processes.ts'
import { openRoute, type Route } from '../route.ts'
import {
  applicationAnswer,
  type LinkCall,
  linked,
  linkQuery,
  presentApplication,
} from './applications.ts'

export function withdrawalRoutes(deps: ApiDeps): Route[] {
  return [
    openRoute({
      method: 'POST',
      path: '/v1/applications/:id/withdrawal',
      tag: 'Onboarding',
      summary: 'Withdraw an application',
      description:
        'By the applicant, with the token of its link, until an approval is final. What was ' +
        'opened for it is closed again. Withdrawing twice is withdrawing once.',
      access: 'public',
      query: linkQuery,
      answers: {
        200: { description: 'Withdrawn', schema: applicationAnswer },
        303: { description: 'Withdrawn; a browser goes back to its page' },
      },
      refusals: ['not_authenticated', 'not_found', 'already_decided', 'temporarily_unavailable'],
      handle: (call) => withdraw(deps, call),
    }),
  ]
}

async function withdraw(deps: ApiDeps, call: LinkCall & { operationId: string }) {
  const { db, row } = await linked(deps, call)
  const present = async () => {
    if (wantsPage(call.header)) {
      return { status: 303, body: null, headers: { Location: deps.links.statusUrl(row.id) } }
    }
    const now = await getApplication(db, row.id)
    return { status: 200, body: await presentApplication(db, now, 'applicant') }
  }
  if (row.status === 'withdrawn') return present()
  const decided = new DomainError('already_decided', `the application is ${row.status} already`)
  if (isDecided(row.status) && !row.undoUntil) throw decided
  try {
    await updateProcess(deps, {
      workflowId: workflowIds.onboarding(row.id),
      definition: withdrawApplication,
      args: [],
      updateId: call.operationId,
      // The row is open: its process will be there in a minute.
      ended: new DomainError('temporarily_unavailable', 'the application is not started yet', {
        retryAfterSeconds: 60,
      }),
    })
  } catch (error) {
    // Another request was first, and its withdrawal is this one too.
    const now = await getApplication(db, row.id)
    if (!isDomainError(error, 'already_decided') || now.status !== 'withdrawn') throw error
  }
  return present()
}
