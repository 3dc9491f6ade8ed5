import type { Work } from '../deps.ts'
import { newId } from '../ids.ts'
import { type Endpoint, endpoint, found, idIn } from './endpoint.ts'
import { invalid, refused } from './errors.ts'
import { emitThin, pageV2 } from './events.ts'
import { askFor, newCapability } from './kyc.ts'
import { legacyAccount } from './legacy-account.ts'
import {
  bool,
  clearable,
  group,
  integer,
  list,
  mergeMetadata,
  metadata,
  oneOf,
  required,
  text,
  type Values,
} from './params.ts'
import type { Account } from './wire.ts'

const sections = [
  'configuration.customer',
  'configuration.merchant',
  'configuration.recipient',
  'defaults',
  'future_requirements',
  'identity',
  'requirements',
] as const
const include = list(oneOf(sections))
const configurations = list(oneOf(['customer', 'merchant', 'recipient'] as const))

const requested = group({ requested: required(bool()) })
const collector = ['application', 'application_custom', 'application_express', 'stripe'] as const
const entityTypes = ['company', 'government_entity', 'individual', 'non_profit'] as const

const fields = {
  contact_email: clearable(text()),
  display_name: clearable(text()),
  dashboard: oneOf(['express', 'full', 'none'] as const),
  configuration: group({
    recipient: group({
      capabilities: group({ stripe_balance: group({ stripe_transfers: requested }) }),
    }),
  }),
  defaults: group({
    currency: text(),
    responsibilities: group({
      fees_collector: required(oneOf(collector)),
      losses_collector: required(oneOf(['application', 'stripe'] as const)),
    }),
    profile: group({ business_url: text(), doing_business_as: text() }),
  }),
  identity: group({
    country: text(2),
    entity_type: oneOf(entityTypes),
    business_details: group({ registered_name: text(), phone: text() }),
    individual: group({ given_name: text(), surname: text(), email: text() }),
  }),
  include,
  metadata: metadata(),
}

type Fields = Values<typeof fields>

export const accountEndpoints: Endpoint[] = [
  endpoint({
    on: 'POST /v2/core/accounts',
    params: fields,
    run(work, { params }) {
      if (params.identity?.country === undefined) {
        throw invalid('Missing required param: identity.country.', {
          code: 'parameter_missing',
          param: 'identity.country',
        })
      }
      const account = work.tx.put('accounts', newAccount(work, params))
      emitThin(work, 'v2.core.account.created', { account: account.id })
      return present(account, params.include)
    },
  }),
  endpoint({
    on: 'GET /v2/core/accounts',
    params: {
      applied_configurations: configurations,
      closed: bool(),
      limit: integer(1, 100),
      page: text(),
    },
    run(work, { params }) {
      const { applied_configurations: wanted = [], closed = false, limit = 10 } = params
      const rows = work.tx.all('accounts').filter((account) => {
        if ((account.closed ?? false) !== closed) return false
        return wanted.every((one) => account.applied_configurations.includes(one))
      })
      const shown = rows.map((account) => present(account, undefined))
      const query = { closed: String(closed) }
      return pageV2('/v2/core/accounts', shown, { limit, after: params.page, query })
    },
  }),
  endpoint({
    on: 'GET /v2/core/accounts/:id',
    params: { include },
    run(work, call) {
      const account = found(work.tx.get('accounts', idIn(call)), 'account', call)
      return present(account, call.params.include)
    },
  }),
  endpoint({
    on: 'POST /v2/core/accounts/:id',
    params: fields,
    run(work, call) {
      const old = found(work.tx.get('accounts', idIn(call)), 'account', call)
      if (old.closed) throw invalid(`The account ${old.id} is closed.`)
      const account = work.tx.put('accounts', { ...old, ...changes(call.params, old) })
      emitThin(work, 'v2.core.account.updated', { account: account.id })
      if (call.params.identity) {
        emitThin(work, 'v2.core.account[identity].updated', { account: account.id })
      }
      return present(account, call.params.include)
    },
  }),
  endpoint({
    on: 'POST /v2/core/accounts/:id/close',
    params: { applied_configurations: configurations },
    run(work, call) {
      const old = found(work.tx.get('accounts', idIn(call)), 'account', call)
      if (old.closed) throw refused(`The account ${old.id} is closed already.`)
      const asked = call.params.applied_configurations ?? old.applied_configurations
      if (!old.applied_configurations.every((one) => asked.includes(one))) {
        throw invalid('All configurations of the account have to be closed at once.', {
          param: 'applied_configurations',
        })
      }
      const account = work.tx.put('accounts', { ...old, closed: true })
      emitThin(work, 'v2.core.account.closed', { account: account.id })
      return present(account, undefined)
    },
  }),
  endpoint({
    on: 'GET /v1/accounts/:id',
    params: {},
    run(work, call) {
      const account = found(work.tx.get('accounts', idIn(call)), 'account', call)
      return legacyAccount(account, work.tx.get('account_deadlines', account.id)?.at ?? null)
    },
  }),
]

/** Most of an account is shown only on request; null here means "not asked for". */
function present(account: Account, asked: (typeof sections)[number][] = []) {
  const { recipient, merchant, customer } = account.configuration ?? {}
  const wants = (section: (typeof sections)[number]): boolean => asked.includes(section)
  const configured = {
    customer: wants('configuration.customer') ? (customer ?? null) : null,
    merchant: wants('configuration.merchant') ? (merchant ?? null) : null,
    recipient: wants('configuration.recipient') ? (recipient ?? null) : null,
  }
  return {
    ...account,
    configuration: asked.some((one) => one.startsWith('configuration.')) ? configured : null,
    defaults: wants('defaults') ? account.defaults : null,
    future_requirements: wants('future_requirements') ? { entries: [], summary: null } : null,
    identity: wants('identity') ? account.identity : null,
    requirements: wants('requirements') ? account.requirements : null,
  }
}

function newAccount(work: Work, params: Fields): Account {
  const id = newId('acct', 16)
  return {
    id,
    object: 'v2.core.account',
    applied_configurations: [],
    closed: false,
    created: work.iso,
    dashboard: params.dashboard ?? 'none',
    livemode: false,
    requirements: { entries: [] },
    ...changes(params, {
      id,
      created: work.iso,
      defaults: {
        locales: [],
        responsibilities: {
          fees_collector: 'application',
          losses_collector: 'application',
          requirements_collector: 'stripe',
        },
      },
      identity: {},
      metadata: {},
    }),
  }
}

function changes(params: Fields, old: Partial<Account>): Partial<Account> {
  const { contact_email, display_name, dashboard, metadata: patch } = params
  return {
    ...(contact_email == null ? {} : { contact_email }),
    ...(display_name == null ? {} : { display_name }),
    ...(dashboard === undefined ? {} : { dashboard }),
    metadata: mergeMetadata(old.metadata ?? {}, patch),
    ...defaultsOf(params, old),
    ...identityOf(params, old),
    ...recipientOf(params, old),
  }
}

function defaultsOf({ defaults }: Fields, old: Partial<Account>): Partial<Account> {
  const kept = old.defaults
  if (kept === undefined) return {}
  const { currency, responsibilities, profile } = defaults ?? {}
  return {
    defaults: {
      ...kept,
      ...(currency === undefined ? {} : { currency: currency.toLowerCase() }),
      ...(profile === undefined ? {} : { profile: defined(profile) }),
      responsibilities: { ...kept.responsibilities, ...responsibilities },
    },
  }
}

function identityOf({ identity }: Fields, old: Partial<Account>): Partial<Account> {
  const { country, entity_type, business_details, individual } = identity ?? {}
  const person = old.identity?.individual
  return {
    identity: {
      ...old.identity,
      ...(country === undefined ? {} : { country: country.toLowerCase() }),
      ...(entity_type === undefined ? {} : { entity_type }),
      ...(business_details === undefined ? {} : { business_details: defined(business_details) }),
      ...(individual === undefined
        ? {}
        : {
            individual: {
              account: old.id ?? '',
              created: person?.created ?? old.created ?? '',
              id: person?.id ?? newId('person', 16),
              object: 'v2.core.account_person',
              updated: old.created ?? '',
              ...defined(individual),
            },
          }),
    },
  }
}

/** The first request for transfers starts the check of who the recipient is. */
function recipientOf({ configuration }: Fields, old: Partial<Account>): Partial<Account> {
  if (configuration?.recipient === undefined || old.configuration?.recipient) return {}
  const asks = configuration.recipient.capabilities?.stripe_balance?.stripe_transfers?.requested
  return {
    applied_configurations: ['recipient'],
    configuration: {
      recipient: { applied: true, ...(asks ? { capabilities: newCapability() } : {}) },
    },
    ...(asks ? { requirements: askFor('currently_due', []) } : {}),
  }
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

function defined<T extends object>(given: T): Defined<T> {
  const pairs = Object.entries(given).filter(([, value]) => value !== undefined)
  return Object.fromEntries(pairs) as Defined<T>
}
