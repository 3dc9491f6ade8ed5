/** Mails about access. The API writes them with what they tell of; each round sends what waits. */
import { findApplicationInvitation } from '../db/onboarding/application-invitations.ts'
import { listWaitingMails, markMailSent, removeStaleAccess } from '../db/people/mails.ts'
import { findTenantOf } from '../db/provisioning.ts'
import { dayOf } from '../domain/period.ts'
import {
  type MailContent,
  type MailTemplate,
  mails,
} from '../integrations/email-templates/index.ts'
import { sampleMail } from '../integrations/email-templates/own-words.ts'
import { VendorError } from '../integrations/vendor-error.ts'
import type { ActivityDeps } from './deps.ts'
import { notify } from './notices.ts'

const mailsAtOnce = 50

type Deps = Pick<ActivityDeps, 'db' | 'mailer' | 'links'>
type WaitingMail = Awaited<ReturnType<typeof listWaitingMails>>[number]

async function contentOf(mail: WaitingMail, { db, links }: Deps): Promise<MailContent> {
  const { name: member, subjectId } = mail
  switch (mail.kind) {
    case 'member_invitation': {
      const inviteUrl = links.memberInvitationUrl(links.memberInvitationToken(subjectId))
      return mails.memberInvitation({
        member,
        company: mail.organisation ?? 'Tributary',
        inviteUrl,
      })
    }
    case 'application_invitation': {
      const row = await findApplicationInvitation(db, subjectId)
      return mails.applicationInvitation({
        contact: member,
        inviter: mail.organisation ?? 'Tributary',
        message: row?.message ?? '',
        applyUrl: links.applyUrl(links.applicationInvitationToken(subjectId)),
        until: row ? dayOf(row.expiresAt) : 'it is withdrawn',
      })
    }
    case 'invitation': {
      const tenant = await findTenantOf(db, subjectId)
      return mails.invitation({
        contact: member,
        company: mail.organisation ?? 'Tributary',
        inviteUrl: links.inviteUrl(links.invitationToken(subjectId)),
        tenantUrl: links.tenantUrl(tenant?.subdomain ?? ''),
      })
    }
    case 'password_reset': {
      const resetUrl = links.passwordResetUrl(links.passwordResetToken(subjectId))
      return mails.passwordReset({ member, resetUrl })
    }
    case 'access_changed':
      return mails.accessChanged({ member, what: mail.what })
    case 'template_preview':
      return sampleMail(mail.what as MailTemplate)
  }
}

/**
 * Sends what waits, oldest first. An address that is refused for good stops nobody else's mail; a
 * server that does not take mails leaves the rest to the next round, and stops no other work.
 */
export async function sendAccessMails(deps: Deps): Promise<void> {
  for (const mail of await listWaitingMails(deps.db, mailsAtOnce)) {
    const { id, kind, recipient, partnerId: inNameOf } = mail
    try {
      const notice = { kind, subjectId: id, recipient, inNameOf }
      await notify(deps, notice, await contentOf(mail, deps))
    } catch (error) {
      if (!(error instanceof VendorError)) throw error
      if (error.failure !== 'rejected') break
    }
    await markMailSent(deps.db, id)
  }
  await removeStaleAccess(deps.db)
}
