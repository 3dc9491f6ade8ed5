/** What finance looks at, as lines of the matrix: all of it is the platform's alone. */
import { sql } from 'kysely'
import { listPlatformMembers } from '../../db/access.ts'
import type { Db } from '../../db/database.ts'
import { outwardId } from '../../domain/ids.ts'
import type { Line } from './matrix-routes.ts'
import { settledPeriod } from './world.ts'

const about = 'reconBreak'
const breaks = '/v1/reconciliation/breaks'

/** Somebody of the platform, who is there once the world is made. */
const lookingAfter = { id: '' }

export const ofFinance: Record<string, Line> = {
  'GET /v1/payout-floors': { without: 'the floors are the platform’s' },
  'PUT /v1/payout-floors': { without: 'the floors are the platform’s' },
  'GET /v1/fx-rates': { without: 'the rates are the platform’s' },
  'PUT /v1/fx-rates': { without: 'the rates are the platform’s' },
  'GET /v1/partners/:id/payout-currency': { about: 'partner' },
  'PUT /v1/partners/:id/payout-currency': { about: 'partner', body: () => ({ currency: null }) },
  'GET /v1/reconciliation': { without: 'a month of the platform’s own balance' },
  'GET /v1/ledger/trial-balance': { without: 'the books are the platform’s alone' },
  'GET /v1/ledger/export': { without: 'the books are the platform’s alone' },
  'GET /v1/write-off-candidates': { without: 'balances that the platform may give up' },
  'POST /v1/write-offs': {
    about: 'partner',
    body: (partner) => ({ partner, currency: 'USD', reason: 'for the matrix' }),
    absent: 422,
  },
  [`GET ${breaks}`]: {
    list: about,
    queries: ['status=open', 'kind=amount', `period=${settledPeriod}`],
  },
  [`GET ${breaks}/:id`]: { about },
  [`POST ${breaks}/:id/assign`]: { about, body: () => ({ member: lookingAfter.id }) },
  [`POST ${breaks}/:id/resolve`]: { about, body: () => ({ note: 'for the matrix' }) },
}

/** Two breaks that nobody has looked at. */
export async function makeBreaks(db: Db): Promise<void> {
  const [member] = await listPlatformMembers(db)
  lookingAfter.id = outwardId('member', member?.id ?? '')
  await sql`
    insert into recon_breaks (kind, subject, currency, expected_minor, happened_at)
    select 'missing_at_stripe', 'journal:matrix' || no, 'USD', -100, now()
    from generate_series(1, 2) no`.execute(db)
}
