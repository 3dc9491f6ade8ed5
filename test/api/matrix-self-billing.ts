/** Self-billing, as lines of the matrix: what a partner is for tax is its own. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { issueSelfBilling } from '../../activities/tax/self-billing.ts'
import { type Db, inTransaction } from '../../db/database.ts'
import { recordAgreement, recordProfile } from '../../db/tax/self-billing-consent.ts'
import { recordVatRate } from '../../db/tax/vat-rates.ts'
import { makeMember } from '../support/factories.ts'
import { selfBillingTerms } from '../support/self-billing.ts'
import type { Line } from './matrix-routes.ts'
import type { Thing, Viewer } from './matrix-world.ts'
import { settledPeriod } from './world.ts'

const ofItself = (viewer: Viewer, { place }: Thing) =>
  viewer.level !== 'customer' && viewer.place === place
const ofBothSides = (viewer: Viewer, thing: Thing) =>
  viewer.place === null || ofItself(viewer, thing)

const profile = {
  ...{ legal_name: 'Matrix', address: '1 Main Street', country: 'US', registered: false },
}
const path = '/v1/partners/:id/self-billing'
const about = 'selfBillingDocument'

export const ofSelfBilling: Record<string, Line> = {
  [`GET ${path}`]: { about: 'partner', reaches: ofBothSides },
  [`PUT ${path}/profile`]: { about: 'partner', body: () => profile, reaches: ofBothSides },
  // Nobody of this world has a number that could be found right.
  [`POST ${path}/profile/verification`]: {
    about: 'partner',
    body: () => ({ vat_id: 'DE123456789' }),
    early: 409,
  },
  [`POST ${path}/agreement`]: {
    about: 'partner',
    body: () => ({ version: selfBillingTerms.agreementVersion, accepted: true }),
    reaches: ofItself,
  },
  [`DELETE ${path}/agreement`]: { about: 'partner', reaches: ofBothSides },
  'GET /v1/tax/vat-rates': { without: 'the rates are everybody’s' },
  'PUT /v1/tax/vat-rates': { without: 'the rates are everybody’s' },
  'GET /v1/self-billing-documents': {
    list: about,
    queries: [`period=${settledPeriod}`],
  },
  'GET /v1/self-billing-documents/:id': { about },
  'GET /v1/self-billing-documents/:id/pdf': { about },
  'GET /v1/tax/self-billing/csv': { without: 'the documents of everybody' },
  'GET /v1/settlement-runs/:id/self-billing': { about: 'settlementRun' },
}

/** Everybody agreed, and has documents about what it earned. */
export async function makeDocuments(db: Db): Promise<void> {
  const change = JSON.stringify({ selfBilling: selfBillingTerms })
  await sql`update programmes set onboarding = onboarding || ${change}::jsonb`.execute(db)
  const partners = await db.selectFrom('partners').select('id').execute()
  for (const { id: partnerId } of partners) {
    const acceptedBy = await makeMember(db, { partnerId })
    await inTransaction(db, async (trx) => {
      const said = { legalName: 'Matrix', address: '1 Main Street', country: 'US', vatId: '' }
      await recordProfile(trx, {
        ...said,
        id: randomUUIDv7(),
        partnerId,
        registered: false,
        verifiedBy: null,
      })
      const agreed = { version: selfBillingTerms.agreementVersion, acceptedBy, days: 365 }
      await recordAgreement(trx, { id: randomUUIDv7(), partnerId, ...agreed })
    })
  }
  await inTransaction(db, async (trx) => {
    const rate = { country: 'US', validFrom: '2020-01-01', bps: 0, source: 'the matrix' }
    await recordVatRate(trx, { ...rate, treatment: 'outside_scope' })
    const issued = await trx
      .selectFrom('statements')
      .selectAll()
      .where('issuedAt', 'is not', null)
      .where('period', '=', settledPeriod)
      .execute()
    await issueSelfBilling(trx, issued, new Date())
  })
}
