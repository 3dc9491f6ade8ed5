/** The link in the first mails of a partner that ends them. */
import { z } from 'zod'
import { markWelcomeStopped } from '../db/welcome.ts'
import { DomainError } from '../domain/errors.ts'
import type { ApiDeps } from './deps.ts'
import { openRoute, type Route } from './route.ts'
import { pathId } from './validate.ts'

const linkQuery = z.object({ token: z.string() })

const notFound = 'there is no such link'

export function welcomeRoutes({ links }: ApiDeps): Route[] {
  return [
    openRoute({
      method: 'GET',
      path: '/v1/partners/:id/welcome-mails/stop',
      tag: 'Mails',
      summary: 'End the mails of the first weeks',
      description: 'The link of those mails. Opening it twice does no harm.',
      access: 'public',
      query: linkQuery,
      answers: {
        200: { description: 'No more of them', schema: z.object({ stopped: z.literal(true) }) },
      },
      refusals: ['not_found'],
      handle: async (call) => {
        const id = pathId('partner', call.params.id, notFound)
        if (!links.isWelcomeStopToken(id, call.query.token)) {
          throw new DomainError('not_found', notFound)
        }
        if (!(await markWelcomeStopped(call.as('intake', id), id))) {
          throw new DomainError('not_found', notFound)
        }
        return { status: 200, body: { stopped: true } }
      },
    }),
  ]
}
