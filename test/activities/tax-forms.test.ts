/** Tax forms as a gate of payouts: what waits, what goes, and who is told when. */
import { randomUUIDv7 } from 'node:crypto'
import { sql } from 'kysely'
import { keepTaxForms } from '../../activities/tax/forms.ts'
import { inTransaction } from '../../db/database.ts'
import { checkInvariants } from '../../db/invariants.ts'
import { placeHold, releaseHold } from '../../db/partner-holds.ts'
import { type Declaration, recordTaxForm, recordTaxFormRequest } from '../../db/tax/forms.ts'
import type { MailContent } from '../../integrations/email-templates/index.ts'
import { VendorError } from '../../integrations/vendor-error.ts'
import { makePartner } from '../support/factories.ts'
import { type PayoutRuns, payoutRuns } from '../support/payout-runs.ts'
import { type Steps, startSteps } from '../support/steps.ts'

let kit: Steps
let runs: PayoutRuns
let decidedBy: string
let mails: { to: string; content: MailContent }[]
beforeAll(async () => {
  kit = await startSteps()
  runs = payoutRuns(kit)
  const { rows } = await sql<{ id: string }>`select id from members limit 1`.execute(kit.db)
  decidedBy = rows[0]?.id ?? ''
})
beforeEach(() => {
  mails = []
})
afterEach(async () => {
  await setMode('off')
  expect((await checkInvariants(kit.db)).violations).toEqual([])
})
afterAll(() => kit.stop())

async function setMode(taxFormRequired: string): Promise<void> {
  const change = JSON.stringify({ taxFormRequired })
  await sql`update programmes set onboarding = onboarding || ${change}::jsonb`.execute(kit.db)
}

/** One round of the sweeper. */
async function round(): Promise<void> {
  const mailer = { send: async (mail: (typeof mails)[number]) => void mails.push(mail) }
  await keepTaxForms({ db: kit.db, mailer } as unknown as Parameters<typeof keepTaxForms>[0])
}

async function validForm(partnerId: string, changes: Partial<Declaration> = {}): Promise<string> {
  return inTransaction(kit.db, (trx) =>
    recordTaxForm(trx, {
      ...{ id: randomUUIDv7(), partnerId, kind: 'w9', country: 'US', decidedBy },
      legalName: 'Partner LLC',
      tinKind: 'ein',
      tinLastFour: '0001',
      classification: 'llc',
      subjectToWithholding: false,
      signedOn: '2026-01-01',
      expiresOn: null,
      ...changes,
    }),
  )
}

const foreignForm = (expiresOn: string): Partial<Declaration> => ({
  ...{ kind: 'w8bene', country: 'DE', tinKind: 'none', tinLastFour: '', classification: null },
  ...{ signedOn: '2023-01-01', expiresOn },
})

const subjects = () => mails.map(({ content }) => content.subject)
const dayIn = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)
const pay = (runId: string) => kit.steps.payPage({ runId, after: null })
const release = (runId: string) => kit.steps.releaseHeldPayouts({ runId })

test('a mailbox that refuses the mail of a form for good is not asked again each round', async () => {
  const partnerId = await makePartner(kit.db)
  await sql`insert into tax_forms (partner_id, state, requested_at)
    values (${partnerId}, 'requested', now())`.execute(kit.db)
  let asked = 0
  const send = async ({ to }: { to: string }) => {
    if (!to.startsWith(partnerId)) return
    asked += 1
    throw new VendorError({ vendor: 'mail', failure: 'rejected', code: '550', message: 'no' })
  }
  const deps = { db: kit.db, mailer: { send } } as unknown as Parameters<typeof keepTaxForms>[0]
  await keepTaxForms(deps)
  await keepTaxForms(deps)
  expect(asked).toBe(1)
})

test('a payout waits for the form, says so, and goes when there is one', async () => {
  await setMode('us')
  const { runId, partners } = await runs.payableRun()
  const [partnerId = ''] = partners
  expect(await runs.payoutsOf(runId)).toEqual([
    { status: 'held', holdReason: 'tax_form', attempts: null },
  ])
  await pay(runId)
  await round()
  await release(runId)
  expect(await runs.transfersTo(partners)).toEqual([])
  await validForm(partnerId)
  await round()
  await release(runId)
  await pay(runId)
  expect(await runs.payoutsOf(runId)).toEqual([
    { status: 'paid', holdReason: null, attempts: ['succeeded'] },
  ])
  expect(await runs.transfersTo(partners)).toHaveLength(1)
})

test('a form that ends between release and payment stops the payment', async () => {
  const { runId, partners } = await runs.payableRun()
  const [partnerId = ''] = partners
  await validForm(partnerId, foreignForm(dayIn(-1)))
  await setMode('us')
  await round()
  await pay(runId)
  expect(await runs.payoutsOf(runId)).toEqual([
    { status: 'held', holdReason: 'tax_form', attempts: null },
  ])
  expect(subjects()).toContain('Your tax form has expired')
})

test('another hold is not told beside it, and stays when the form comes', async () => {
  await setMode('us')
  const { runId, partners } = await runs.payableRun()
  const [partnerId = ''] = partners
  const hold = { partnerId, cause: 'screening' as const, source: 'test' }
  await inTransaction(kit.db, (trx) => placeHold(trx, { ...hold, reason: 'test' }))
  await validForm(partnerId)
  await round()
  await release(runId)
  await pay(runId)
  expect(await runs.transfersTo(partners)).toEqual([])
  await inTransaction(kit.db, (trx) => releaseHold(trx, hold))
  await release(runId)
  await pay(runId)
  expect(await runs.transfersTo(partners)).toHaveLength(1)
})

test('by the programme nobody, those in the US, or everybody needs one; each is held once', async () => {
  const german = await makePartner(kit.db, { country: 'DE' })
  const american = await makePartner(kit.db)
  const held = async () => {
    await round()
    await round()
    const { rows } = await sql<{ partnerId: string }>`select partner_id from partner_holds
      where cause = 'tax_form' and released_at is null
        and partner_id in (${german}, ${american}) order by partner_id`.execute(kit.db)
    return rows.map(({ partnerId }) => partnerId)
  }
  expect(await held()).toEqual([])
  await setMode('us')
  expect(await held()).toEqual([american])
  await setMode('all')
  expect(await held()).toEqual([german, american])
  await setMode('us')
  expect(await held()).toEqual([american])
  await setMode('off')
  expect(await held()).toEqual([])
})

test('a form that is asked for is told at once and reminded at its marks, once each', async () => {
  const partnerId = await makePartner(kit.db)
  const id = await inTransaction(kit.db, (trx) =>
    recordTaxFormRequest(trx, { id: randomUUIDv7(), partnerId }),
  )
  const told = async () => {
    mails = []
    await round()
    await round()
    return mails.filter(({ to }) => to === `${partnerId}@partner.example`).length
  }
  expect(await told()).toBe(1)
  expect(await told()).toBe(0)
  for (const days of [7, 14, 30]) {
    await sql`alter table tax_forms disable trigger tax_forms_guarded`.execute(kit.db)
    await sql`update tax_forms set requested_at = now() - ${`${days} days`}::interval
      where id = ${id}`.execute(kit.db)
    await sql`alter table tax_forms enable trigger tax_forms_guarded`.execute(kit.db)
    expect([days, await told()]).toEqual([days, 1])
  }
  expect(await told()).toBe(0)
})

test('before its last day a form is told of once for each mark that comes', async () => {
  const partnerId = await makePartner(kit.db)
  await validForm(partnerId, foreignForm(dayIn(100)))
  await round()
  expect(subjects()).toEqual([])
  await validForm(partnerId, foreignForm(dayIn(20)))
  await round()
  await round()
  expect(subjects()).toEqual([`Your tax form is good until ${dayIn(20)}`])
  await validForm(partnerId, foreignForm(dayIn(5)))
  await round()
  expect(subjects()).toHaveLength(2)
})
