/** Links in mails: each proves by its signature that we made it, so that no session is needed. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { outwardId } from '../domain/ids.ts'

export type Links = ReturnType<typeof createLinks>

function same(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)]
  return a.length === b.length && timingSafeEqual(a, b)
}

export function createLinks(settings: {
  publicUrl: string
  tenantDomain: string
  linkSecret: string
}) {
  const { publicUrl, tenantDomain } = settings
  const sign = (purpose: string, id: string) =>
    createHmac('sha256', settings.linkSecret).update(`${purpose}:${id}`).digest('base64url')

  return {
    ...applicationLinks(publicUrl, sign),

    /** What people of the platform open to look at a finding, with a key. */
    screeningUrl: (screeningId: string) =>
      `${publicUrl}/v1/screenings/${outwardId('screening', screeningId)}`,

    /** Ends the mails of a partner's first weeks. */
    welcomeStopUrl: (partnerId: string) =>
      `${publicUrl}/v1/partners/${outwardId('partner', partnerId)}/welcome-mails/stop` +
      `?token=${sign('welcome', partnerId)}`,

    isWelcomeStopToken: (partnerId: string, token: string) =>
      same(sign('welcome', partnerId), token),

    /** The secret of an invitation; made again for a repeated mail, stored only as a hash. */
    invitationToken: (invitationId: string) => sign('invitation', invitationId),

    inviteUrl: (token: string) => `${publicUrl}/invite?token=${token}`,

    /** Of whoever is invited to apply: opens the form with what is known already. */
    applicationInvitationToken: (invitationId: string) =>
      sign('application-invitation', invitationId),
    applyUrl: (token: string) => `${publicUrl}/apply?token=${token}`,

    ...accessLinks(publicUrl, sign),
    ...exportLinks(publicUrl, sign),

    tenantUrl: (subdomain: string) => `https://${subdomain}.${tenantDomain}`,

    /** On which tenants have their subdomains, and where domains of their own lead. */
    tenantDomain,
    domainTarget: `custom.${tenantDomain}`,

    /** The subdomain of ours that a host is, or null. */
    subdomainOf(host: string): string | null {
      const suffix = `.${tenantDomain}`
      const subdomain = host.endsWith(suffix) ? host.slice(0, -suffix.length) : ''
      return /^[a-z0-9-]+$/.test(subdomain) ? subdomain : null
    },

    /** What the page at a tenant's host loads; `kind` is `logo` or `favicon`. */
    imageUrl: (host: string, kind: string) =>
      `${publicUrl}/v1/tenants/by-host/${kind}?host=${encodeURIComponent(host)}`,

    /** What a member of a partner opens, with a key or signed in. */
    coursesUrl: () => `${publicUrl}/v1/courses`,

    /** What people of a partner open after a payout, with a key or signed in. */
    remittanceUrl: (payoutId: string) =>
      `${publicUrl}/v1/payouts/${outwardId('payout', payoutId)}/remittance/pdf`,

    docsUrl: () => `${publicUrl}/docs`,
    docusignWebhookUrl: () => `${publicUrl}/v1/webhooks/docusign`,
  }
}

type Sign = (purpose: string, id: string) => string

/** Links of an application, for whoever sent it and for those who decide on it. */
function applicationLinks(publicUrl: string, sign: Sign) {
  const applicationUrl = (applicationId: string) =>
    `${publicUrl}/v1/applications/${outwardId('application', applicationId)}`

  return {
    /** Where an applicant sees how its application stands. */
    statusUrl: (applicationId: string) =>
      `${applicationUrl(applicationId)}?token=${sign('application', applicationId)}`,

    /** Leads to a fresh page of the payment provider; its own links live for minutes only. */
    verificationUrl: (applicationId: string) =>
      `${applicationUrl(applicationId)}/verification?token=${sign('application', applicationId)}`,

    /** Leads to a fresh page on which the agreement is signed. */
    signingUrl: (applicationId: string) => {
      const token = sign('application', applicationId)
      return `${applicationUrl(applicationId)}/agreement/signing?token=${token}`
    },

    withdrawalUrl: (applicationId: string) =>
      `${applicationUrl(applicationId)}/withdrawal?token=${sign('application', applicationId)}`,

    /** The form, for whoever was turned away and may come again. */
    reapplyUrl: (applicationId: string) =>
      `${publicUrl}/apply?reapplies=${outwardId('application', applicationId)}` +
      `&proof=${sign('application', applicationId)}`,

    informationUrl: (applicationId: string, number: number) =>
      `${applicationUrl(applicationId)}/information-requests/${number}/answer` +
      `?token=${sign('application', applicationId)}`,

    /** What an approver opens, with a key. */
    applicationUrl,

    isApplicationToken: (applicationId: string, token: string) =>
      same(sign('application', applicationId), token),
  }
}

/** Links to what a tenant takes along. */
function exportLinks(publicUrl: string, sign: Sign) {
  return {
    /** Where a tenant that leaves fetches its data. */
    exportUrl: (tenantId: string, offboardingId: string) =>
      `${publicUrl}/v1/tenants/${outwardId('tenant', tenantId)}/export` +
      `?token=${sign('export', offboardingId)}`,

    isExportToken: (offboardingId: string, token: string) =>
      same(sign('export', offboardingId), token),
  }
}

/** Links that let people in. */
function accessLinks(publicUrl: string, sign: Sign) {
  return {
    /** The secrets of mails about access, made like those of invitations. */
    memberInvitationToken: (invitationId: string) => sign('member-invitation', invitationId),
    memberInvitationUrl: (token: string) => `${publicUrl}/member-invite?token=${token}`,
    passwordResetToken: (resetId: string) => sign('password-reset', resetId),
    passwordResetUrl: (token: string) => `${publicUrl}/password-reset?token=${token}`,
  }
}
