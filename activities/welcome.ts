/** The mails that help a new partner through its first weeks. */
import { getPartner } from '../db/partners.ts'
import { findTenantOf } from '../db/provisioning.ts'
import { findWelcome, markWelcomeEnded, markWelcomeSent } from '../db/welcome.ts'
import { nextWelcome, type WelcomeMail, welcomeMails } from '../domain/welcome.ts'
import { mails } from '../integrations/email-templates/index.ts'
import type { ActivityDeps } from './deps.ts'
import { notify } from './notices.ts'

const kinds: Record<WelcomeMail, string> = {
  firstSteps: 'welcome_first_steps',
  firstCustomer: 'welcome_first_customer',
  howMoneyFlows: 'welcome_money',
  grow: 'welcome_grow',
}

export function welcomeActivities(deps: ActivityDeps) {
  const { db, links } = deps
  return {
    /**
     * The mail whose turn it is, counted from 1, or nothing where it would tell what is done.
     * @returns whether more of them may follow.
     */
    async sendWelcomeMail(input: { partnerId: string; number: number }): Promise<boolean> {
      const { partnerId, number } = input
      const mail = welcomeMails[number - 1]
      const welcome = await findWelcome(db, partnerId)
      if (!mail || !welcome) return false
      const partner = await getPartner(db, partnerId)
      const turn = nextWelcome(mail, {
        status: partner.status,
        stopped: welcome.stoppedAt !== null,
        hasCustomer: Boolean(welcome.hasCustomer),
      })
      if (turn === 'send') {
        const tenant = await findTenantOf(db, partnerId)
        await notify(
          deps,
          { kind: kinds[mail], subjectId: partnerId, recipient: partner.contactEmail },
          mails[mail]({
            contact: partner.contactName,
            company: partner.name,
            tenantUrl: links.tenantUrl(tenant?.subdomain ?? ''),
            docsUrl: links.docsUrl(),
            stopUrl: links.welcomeStopUrl(partnerId),
          }),
        )
        await markWelcomeSent(db, partnerId, number)
      }
      return turn !== 'end' && number < welcomeMails.length
    },

    async endWelcome({ partnerId }: { partnerId: string }): Promise<void> {
      await markWelcomeEnded(db, partnerId)
    },
  }
}
