import type { Work } from '../deps.ts'
import { refused } from './errors.ts'
import { emitThin } from './events.ts'
import type { Account } from './wire.ts'

type Capabilities = NonNullable<
  NonNullable<NonNullable<Account['configuration']>['recipient']>['capabilities']
>
type Transfers = NonNullable<NonNullable<Capabilities['stripe_balance']>['stripe_transfers']>
type Requirements = NonNullable<Account['requirements']>
type Entry = NonNullable<Requirements['entries']>[number]

const capability = 'stripe_balance.stripe_transfers'
const waitsForUser: Transfers['status_details'] = [
  { code: 'requirements_past_due', resolution: 'provide_info' },
]

/** What a recipient has before anybody has looked at it. */
export function newCapability(): Capabilities {
  return withStatus({ status: 'restricted', status_details: waitsForUser })
}

function withStatus(stripe_transfers: Transfers): Capabilities {
  return { stripe_balance: { stripe_transfers } }
}

export function transfersStatus(account: Account): Transfers['status'] | null {
  const { capabilities } = account.configuration?.recipient ?? {}
  return capabilities?.stripe_balance?.stripe_transfers?.status ?? null
}

/** The things a recipient must still show, with what was wrong about the last try. */
export function askFor(
  status: Entry['minimum_deadline']['status'],
  errors: Entry['errors'],
): Requirements {
  const wanted = errors.length > 0 ? [document] : [terms, document, bankAccount]
  return {
    entries: wanted.map((description) => ({
      awaiting_action_from: 'user',
      description,
      errors: description === document ? errors : [],
      impact: {
        restricts_capabilities: [{ capability, configuration: 'recipient', deadline: { status } }],
      },
      minimum_deadline: { status },
      requested_reasons: [{ code: errors.length > 0 ? 'routine_verification' : firstTime }],
    })),
    summary: { minimum_deadline: { status } },
  }
}

const firstTime = 'routine_onboarding'
const terms = 'identity.attestations.terms_of_service.account'
const document = 'identity.individual.documents.primary_verification'
const bankAccount = 'configuration.recipient.default_outbound_destination'

export interface KycDecision {
  result: 'pass' | 'fail'
  /** Nothing the user shows will help any more. */
  final?: boolean | undefined
}

export function decideKyc(work: Work, old: Account, decision: KycDecision): Account {
  const before = transfersStatus(old)
  if (before === null) {
    throw refused(`The account ${old.id} has not asked for transfers; there is nothing to check.`)
  }
  if (before === 'rejected') throw refused(`The account ${old.id} was rejected for good.`)
  const { transfers, requirements } = outcomeOf(decision)
  const account = work.tx.put('accounts', {
    ...old,
    requirements,
    configuration: {
      ...old.configuration,
      recipient: { applied: true, capabilities: withStatus(transfers) },
    },
  })
  emitThin(work, 'v2.core.account[requirements].updated', { account: account.id })
  if (transfers.status !== before) {
    emitThin(work, 'v2.core.account[configuration.recipient].capability_status_updated', {
      account: account.id,
      data: { updated_capability: capability },
    })
  }
  return account
}

function outcomeOf({ result, final = false }: KycDecision): {
  transfers: Transfers
  requirements: Requirements
} {
  if (result === 'pass') {
    return { transfers: { status: 'active', status_details: [] }, requirements: { entries: [] } }
  }
  if (final) {
    return {
      transfers: {
        status: 'rejected',
        status_details: [{ code: 'rejected_other', resolution: 'contact_stripe' }],
      },
      requirements: { entries: [] },
    }
  }
  return {
    transfers: { status: 'restricted', status_details: waitsForUser },
    requirements: askFor('currently_due', [
      {
        code: 'verification_document_not_readable',
        description: 'The document could not be read. Upload a clearer picture of it.',
      },
    ]),
  }
}
