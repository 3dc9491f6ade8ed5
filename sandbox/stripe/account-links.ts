import type { Work } from '../deps.ts'
import { randomText } from '../ids.ts'
import { type Endpoint, endpoint } from './endpoint.ts'
import { invalid, missing } from './errors.ts'
import { emitThin } from './events.ts'
import { group, list, oneOf, required, text } from './params.ts'
import type { AccountLink } from './wire.ts'

/** On the real clock, because a person or a test has to use the link in real time. */
const livesMs = 5 * 60 * 1000

const addresses = group({
  refresh_url: required(text()),
  return_url: text(),
  collection_options: group({
    fields: oneOf(['currently_due', 'eventually_due']),
    future_requirements: oneOf(['include', 'omit']),
  }),
})

export const accountLinkEndpoints: Endpoint[] = [
  endpoint({
    on: 'POST /v2/core/account_links',
    params: {
      account: required(text()),
      use_case: required(
        group({
          type: required(oneOf(['account_onboarding', 'account_update'] as const)),
          account_onboarding: addresses,
          account_update: addresses,
        }),
      ),
      include: list(text()),
    },
    run(work, { params }) {
      const { use_case } = params
      const account = work.tx.get('accounts', params.account)
      if (account === undefined) throw missing('account', params.account, 'account')
      const given = use_case[use_case.type]
      if (given === undefined) {
        throw invalid(`Missing required param: use_case.${use_case.type}.`, {
          code: 'parameter_missing',
          param: `use_case.${use_case.type}`,
        })
      }
      const link = work.tx.put('account_links', {
        id: randomText(40),
        account: account.id,
        created: work.iso,
        expires: Date.now() + livesMs,
        refresh_url: webAddress(given.refresh_url, 'refresh_url'),
        return_url: given.return_url ? webAddress(given.return_url, 'return_url') : null,
        opened: false,
        session: null,
      })
      return {
        object: 'v2.core.account_link',
        account: link.account,
        created: link.created,
        expires_at: new Date(link.expires).toISOString(),
        livemode: false,
        url: `${work.deps.url()}/connect/onboarding/${link.id}`,
        use_case,
      }
    },
  }),
]

/** The page sends a browser there later, so nothing but a web address is let in. */
function webAddress(url: string, param: string): string {
  if (URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)) return url
  throw invalid(`Not a valid URL: ${url}`, { code: 'url_invalid', param })
}

/** The first visit opens the page; any later one, or a late one, is sent back for a new link. */
export function openLink(work: Work, link: AccountLink): AccountLink | null {
  if (link.opened || Date.now() > link.expires) return null
  return work.tx.put('account_links', { ...link, opened: true, session: randomText(24) })
}

export function leaveLink(work: Work, link: AccountLink): void {
  work.tx.put('account_links', { ...link, session: null })
  emitThin(work, 'v2.core.account_link.returned', { account: link.account })
}
