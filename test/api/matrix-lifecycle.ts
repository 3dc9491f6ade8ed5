/** The lines of the matrix about the ends of partnerships and tenants. */
import type { Line } from './matrix-routes.ts'

const reason = 'for the matrix'

export const ofEnds: Record<string, Line> = {
  'POST /v1/partners/:id/termination': {
    about: 'partner',
    body: (_, { parent }) => ({ reason_code: 'mutual', reason, successor: parent }),
  },
  'POST /v1/partners/:id/reinstatement': { about: 'partner', body: () => ({ reason }) },
  'POST /v1/tenants/:id/offboarding': {
    about: 'tenant',
    body: () => ({ reason, confirm: 'another tenant' }),
  },
  'GET /v1/tenants/:id/offboarding': { about: 'tenant' },
  'POST /v1/tenants/:id/offboarding/confirm': { about: 'tenant' },
  'POST /v1/tenants/:id/offboarding/cancel': { about: 'tenant' },
  'POST /v1/tenants/:id/offboarding/legal-hold': { about: 'tenant', body: () => ({ on: true }) },
  'GET /v1/tenants/:id/export': { without: 'the token of a link opens it, and no key' },
}
