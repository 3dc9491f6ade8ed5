/** The lines of the matrix about the ends of partnerships and tenants. */
import { sql } from 'kysely'
import { type Db, inTransaction } from '../../db/database.ts'
import { recordManualTask } from '../../db/manual-tasks.ts'
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
    body: (tenant) => ({ reason, confirm: tenant }),
  },
  'GET /v1/tenants/:id/offboarding': { about: 'tenant' },
  'POST /v1/tenants/:id/offboarding/confirm': { about: 'tenant' },
  'POST /v1/tenants/:id/offboarding/cancel': { about: 'tenant' },
  'POST /v1/tenants/:id/offboarding/legal-hold': { about: 'tenant', body: () => ({ on: true }) },
  'GET /v1/tenants/:id/export': { without: 'the token of a link opens it, and no key' },
}

/** Every tenant is about to leave and waits for a yes; and something is left to do by hand. */
export async function makeTenantsLeave(db: Db): Promise<void> {
  await sql`insert into offboardings (tenant_id, partner_id, reason, requested_by, export_wanted,
      stage, next_actor)
    select tenants.id, partner_id, 'matrix',
      (select id from members where partner_id is null order by id limit 1), true,
      'confirmation', 'super_admin' from tenants`.execute(db)
  const task = { taskKey: 'm', kind: 'undo_failed', subject: 'ten_1', what: 'undo' } as const
  await inTransaction(db, (trx) => recordManualTask(trx, task))
}
