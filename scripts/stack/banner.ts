/** What a person sees when everything is up. */
import type { StackKeys } from './programme.ts'
import type { DevStatus } from './status.ts'

export function banner({ urls, psql }: Pick<DevStatus, 'urls' | 'psql'>, keys: StackKeys): string {
  const rows: [string, string][] = [
    ['API', urls.api],
    ['API documentation', urls.docs],
    ['sandbox (Stripe, DocuSign)', urls.sandbox],
    ['mailbox', urls.mailbox],
    ['Temporal', urls.temporal_ui ?? 'no page; see its own installation'],
    ['database', psql],
    ['key of a super admin', keys.super_admin ?? ''],
    ['key of a second super admin', keys.super_admin_2 ?? ''],
    ['key of the master reseller', keys.master_reseller ?? ''],
    ['key of the reseller', keys.reseller ?? ''],
  ]
  const lines = rows.map(([label, value]) => `  ${label.padEnd(28)} ${value}`)
  return [
    '',
    'Tributary is ready',
    ...lines,
    '',
    `  Try: curl -H "Authorization: Bearer ${keys.reseller}" ${urls.api}/v1/me`,
    '',
  ].join('\n')
}
