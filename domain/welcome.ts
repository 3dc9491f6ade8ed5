/** The mails that help a new partner through its first weeks. */

export const welcomeMails = ['firstSteps', 'firstCustomer', 'howMoneyFlows', 'grow'] as const
export type WelcomeMail = (typeof welcomeMails)[number]

export interface WelcomeFacts {
  status: string
  stopped: boolean
  hasCustomer: boolean
}

/**
 * What becomes of the mail whose turn it is: nobody is told what it has done already, and a
 * partner that is not active any more, or wants no more of them, is left alone.
 */
export function nextWelcome(mail: WelcomeMail, facts: WelcomeFacts): 'send' | 'skip' | 'end' {
  if (facts.stopped || facts.status === 'terminated') return 'end'
  if (facts.status !== 'active') return 'skip'
  return mail === 'firstCustomer' && facts.hasCustomer ? 'skip' : 'send'
}
