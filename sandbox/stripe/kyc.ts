import type { Work } from '../deps.ts'
import { invalid, refused } from './errors.ts'
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
  wanted: string[] = errors.length > 0 ? [document] : [terms, document, bankAccount],
): Requirements {
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
  const { transfers, requirements } = outcomeOf(decision, errorsOf(old))
  work.tx.drop('account_deadlines', old.id)
  return enter(work, old, { transfers, requirements })
}

interface Outcome {
  transfers: Transfers
  requirements: Requirements
}

function enter(work: Work, old: Account, { transfers, requirements }: Outcome): Account {
  const before = transfersStatus(old)
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

export interface NewRequirement {
  status: Entry['minimum_deadline']['status']
  /** An ISO time; only the v1 view tells it. */
  deadline?: string | undefined
}

/** The vendor wants something more of a recipient that it knows already. */
export function askAgain(work: Work, old: Account, { status, deadline }: NewRequirement): Account {
  if (transfersStatus(old) !== 'active') {
    throw refused(`The account ${old.id} cannot receive transfers; it has to show more already.`)
  }
  const at = deadline === undefined ? null : Date.parse(deadline) / 1_000
  if (at !== null && Number.isNaN(at)) throw invalid('deadline is no ISO time')
  if (at !== null) work.tx.put('account_deadlines', { id: old.id, at: Math.floor(at) })
  const transfers: Transfers =
    status === 'past_due'
      ? { status: 'restricted', status_details: waitsForUser }
      : { status: 'active', status_details: [] }
  return enter(work, old, { transfers, requirements: askFor(status, [], [document]) })
}

const mistakes = [
  ['verification_document_not_readable', 'The document could not be read.'],
  ['verification_document_expired', 'The document is no longer valid.'],
  ['verification_document_name_mismatch', 'The name on the document is another one.'],
] as const

/** Each refusal finds another mistake, so that two in a row are told apart. */
function nextMistake(before: string | undefined): Entry['errors'] {
  const place = mistakes.findIndex(([code]) => code === before)
  const [code, description] = mistakes[(place + 1) % mistakes.length] ?? mistakes[0]
  return [{ code, description: `${description} Upload a clearer picture of a valid one.` }]
}

function errorsOf(account: Account): string | undefined {
  const entries = account.requirements?.entries ?? []
  return entries.flatMap(({ errors }) => errors.map(({ code }) => code))[0]
}

function outcomeOf(
  { result, final = false }: KycDecision,
  lastMistake: string | undefined,
): Outcome {
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
    requirements: askFor('currently_due', nextMistake(lastMistake)),
  }
}
