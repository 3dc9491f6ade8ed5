import { stripeConnect } from '../../integrations/stripe-connect.ts'
import { type ScriptedVendor, startScriptedVendor, stripeFor, vendorErrorOf } from './kit.ts'

let vendor: ScriptedVendor
let connect: ReturnType<typeof stripeConnect>
beforeAll(async () => {
  vendor = await startScriptedVendor()
  connect = stripeConnect(stripeFor(vendor))
})
afterAll(() => vendor.close())

interface Facts {
  status?: string
  code?: string
  entries?: object[]
}

const entry = (deadline: string, changes: object = {}) => ({
  awaiting_action_from: 'user',
  description: 'identity.business_details.phone',
  errors: [],
  minimum_deadline: { status: deadline },
  ...changes,
})

const phone = 'identity.business_details.phone'
const unreadable = { errors: [{ code: 'verification_document_not_readable', description: 'No' }] }

/** What our reading makes of an account that the vendor shows like this. */
async function readingOf({ status, code, entries = [] }: Facts) {
  const stripe_transfers = {
    status,
    status_details: code ? [{ code, resolution: 'contact_stripe' }] : [],
  }
  const capabilities = status ? { stripe_balance: { stripe_transfers } } : {}
  vendor.answer(() => ({
    body: {
      id: 'acct_1',
      object: 'v2.core.account',
      configuration: { recipient: { applied: true, capabilities } },
      requirements: { entries },
    },
  }))
  return connect.readVerification('acct_1')
}

describe('what the vendor says of an account', () => {
  test.each<[string, Facts, object]>([
    [
      'active',
      { status: 'active' },
      { status: 'verified', detail: null, nextActor: 'system', transfersActive: true },
    ],
    [
      'active, with what will be asked some day',
      { status: 'active', entries: [entry('eventually_due')] },
      { status: 'verified', deadline: 'eventually_due', requirements: [phone] },
    ],
    [
      'active, with what is asked now',
      { status: 'active', entries: [entry('currently_due')] },
      {
        status: 'needs_input',
        deadline: 'currently_due',
        requirements: [phone],
        nextActor: 'applicant',
        transfersActive: true,
        refused: false,
      },
    ],
    [
      'pending, with nothing asked of the partner',
      { status: 'pending', code: 'determining_status' },
      { status: 'pending_review', detail: 'determining_status', nextActor: 'vendor' },
    ],
    [
      'pending, with what only the vendor can do',
      { status: 'pending', entries: [entry('currently_due', { awaiting_action_from: 'stripe' })] },
      { status: 'pending_review', detail: null, requirements: [], deadline: null },
    ],
    [
      'pending, with what both have to do',
      {
        status: 'pending',
        entries: [
          entry('currently_due', { awaiting_action_from: 'stripe' }),
          entry('currently_due'),
        ],
      },
      { status: 'in_progress', requirements: [phone] },
    ],
    [
      'restricted, with questions that are open',
      { status: 'restricted', entries: [entry('currently_due')] },
      { status: 'link_issued', detail: null, nextActor: 'applicant', transfersActive: false },
    ],
    [
      'restricted, with a question that was answered badly',
      {
        status: 'restricted',
        entries: [
          entry('currently_due'),
          entry('currently_due', { ...unreadable, description: 'document' }),
        ],
      },
      {
        status: 'needs_input',
        detail: 'verification_document_not_readable',
        requirements: ['document', phone],
        refused: true,
      },
    ],
    [
      'restricted, with a question that is overdue',
      { status: 'restricted', code: 'requirements_past_due', entries: [entry('past_due')] },
      { status: 'restricted', detail: 'requirements_past_due', deadline: 'past_due' },
    ],
    [
      'restricted for a reason of its own',
      { status: 'restricted', code: 'restricted_other' },
      { status: 'restricted', detail: 'restricted_other' },
    ],
    ['unsupported', { status: 'unsupported' }, { status: 'rejected', detail: 'unsupported' }],
    [
      'unsupported for a reason',
      { status: 'unsupported', code: 'unsupported_country' },
      { status: 'rejected', detail: 'unsupported_country' },
    ],
    [
      'rejected for a reason',
      { status: 'rejected', code: 'rejected_fraud' },
      { status: 'rejected', detail: 'rejected_fraud', nextActor: 'system' },
    ],
    [
      'rejected without a reason',
      { status: 'rejected' },
      { status: 'rejected', detail: 'rejected' },
    ],
    [
      'restricted because it was rejected',
      { status: 'restricted', code: 'rejected_terms_of_service' },
      { status: 'rejected', detail: 'rejected_terms_of_service' },
    ],
    ['nothing about transfers', {}, { status: 'not_started', detail: null }],
    [
      'a word that is not known yet',
      { status: 'paused_by_moon' },
      { status: null, detail: 'unknown:paused_by_moon' },
    ],
    [
      'words about a person instead of codes',
      { status: 'active', entries: [entry('currently_due', { description: 'Ada, 12 Main St' })] },
      { status: 'needs_input', requirements: ['other'] },
    ],
  ])('%s', async (_, facts, expected) => {
    expect(await readingOf(facts)).toMatchObject(expected)
  })
})

describe('a look-up of transfers', () => {
  test('that fails is an error and never an empty list', async () => {
    vendor.answer(() => ({ status: 500, body: { error: { type: 'api_error', message: 'no' } } }))
    const order = { transferGroup: 'po_pay_1', destination: 'acct_1' }
    expect((await vendorErrorOf(connect.findTransfers(order))).failure).toBe('unknown')
  })
})
