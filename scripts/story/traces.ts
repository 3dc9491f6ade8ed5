/** What applications have left behind, at the vendors and in the mailbox, counted from outside. */
import type { Applicant } from './applicants.ts'
import type { Story } from './client.ts'

interface Thing {
  id: string
  status?: string
  closed?: boolean
  deleted?: boolean
  metadata?: Record<string, string>
}

interface Mail {
  to: string
  kind: string | null
  subject: string
  text: string
  copies: number
}

/** Numbers of what is alive; envelopes by their state, mails by their kind. */
export interface Traces {
  envelopes: Record<string, number>
  accounts: number
  customers: number
  subscriptions: number
  mails: Record<string, number>
}

/** How often each name stands there, in the order of the names. */
export const tally = (names: string[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(names.sort(), (name) => name)].map(([k, v]) => [k, v.length]))

export async function snapshot(story: Story) {
  const list = async <T>(kind: string) => (await story.sandbox<{ data: T[] }>(`/${kind}`)).data
  const [envelopes, accounts, customers, subscriptions, mails] = await Promise.all([
    list<Thing>('envelopes'),
    list<Thing>('accounts'),
    list<Thing>('customers'),
    list<Thing>('subscriptions'),
    list<Mail>('mails'),
  ])
  return {
    mails,
    /** @param partner outside id of what the application became, where it became anything. */
    of({ id, email }: Pick<Applicant, 'id' | 'email'>, partner: string | null): Traces {
      const own = ({ metadata }: Thing) => metadata?.application === id
      const ofPartner = ({ metadata }: Thing) => partner !== null && metadata?.partner === partner
      return {
        envelopes: tally(envelopes.filter(own).map(({ status = '' }) => status)),
        accounts: accounts.filter((one) => own(one) && !one.closed).length,
        customers: customers.filter((one) => ofPartner(one) && !one.deleted).length,
        subscriptions: subscriptions.filter(
          (one) => ofPartner(one) && !['canceled', 'incomplete_expired'].includes(one.status ?? ''),
        ).length,
        mails: tally(mails.filter(({ to }) => to === email).map(({ kind }) => kind ?? 'vendor')),
      }
    },
  }
}

/** Mails that arrived more than once under their own name. */
export const copied = (mails: Mail[]): string[] =>
  mails.filter(({ copies }) => copies > 1).map(({ kind, to }) => `${kind} to ${to}`)
