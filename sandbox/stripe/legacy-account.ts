import { transfersStatus } from './kyc.ts'
import type { Account, LegacyAccount } from './wire.ts'

/** The same account as the v1 API shows it. */
export function legacyAccount(account: Account, deadline: number | null): LegacyAccount {
  const status = transfersStatus(account)
  const active = status === 'active'
  const entries = account.requirements?.entries ?? []
  const due = entries.map(({ description }) => description)
  const individual = account.identity?.entity_type === 'individual'
  const responsibilities = account.defaults?.responsibilities
  return {
    id: account.id,
    object: 'account',
    business_profile: null,
    business_type: individual ? 'individual' : 'company',
    capabilities: { transfers: active ? 'active' : status === 'pending' ? 'pending' : 'inactive' },
    charges_enabled: false,
    controller: {
      fees: { payer: responsibilities?.fees_collector === 'stripe' ? 'account' : 'application' },
      is_controller: true,
      losses: { payments: responsibilities?.losses_collector ?? 'application' },
      requirement_collection: 'stripe',
      stripe_dashboard: { type: account.dashboard ?? 'none' },
      type: 'application',
    },
    country: (account.identity?.country ?? 'us').toUpperCase(),
    created: Math.floor(Date.parse(account.created) / 1000),
    default_currency: account.defaults?.currency ?? 'usd',
    details_submitted: active || entries.some(({ errors }) => errors.length > 0),
    email: account.contact_email ?? null,
    external_accounts: {
      object: 'list',
      data: [],
      has_more: false,
      url: `/v1/accounts/${account.id}/external_accounts`,
    },
    future_requirements: noRequirements,
    metadata: account.metadata ?? {},
    payouts_enabled: active,
    requirements: {
      ...noRequirements,
      current_deadline: deadline,
      currently_due: due,
      eventually_due: due,
      disabled_reason: disabledReason(status),
      errors: entries.flatMap(({ description, errors }) =>
        errors.map(({ code, description: reason }) => ({
          code: code as 'verification_document_not_readable',
          reason,
          requirement: description,
        })),
      ),
    },
    settings: null,
    tos_acceptance: { date: null, ip: null, user_agent: null },
    type: 'none',
  }
}

const noRequirements = {
  alternatives: [],
  current_deadline: null,
  currently_due: [],
  disabled_reason: null,
  errors: [],
  eventually_due: [],
  past_due: [],
  pending_verification: [],
} satisfies LegacyAccount['requirements']

function disabledReason(status: ReturnType<typeof transfersStatus>) {
  if (status === 'active') return null
  if (status === 'rejected') return 'rejected.other'
  return status === 'pending' ? 'requirements.pending_verification' : 'requirements.past_due'
}
