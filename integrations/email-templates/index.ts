/** The words of every mail, once. */
import { accessMails } from './access.ts'
import { agreementMails } from './agreements.ts'
import { approvalMails } from './approval.ts'
import { domainMails } from './domains.ts'
import type { Facts, MailContent } from './layout.ts'
import { lifecycleMails } from './lifecycle.ts'
import { onboardingMails } from './onboarding.ts'
import { provisioningMails } from './provisioning.ts'
import { screeningMails } from './screening.ts'
import { settlementMails } from './settlement.ts'
import { taxMails } from './tax.ts'
import { trainingMails } from './training.ts'
import { verificationMails } from './verification.ts'
import { welcomeMails } from './welcome.ts'

export type { Brand, MailContent } from './layout.ts'

/** Lets every mail say which template wrote it and about what. */
function named<T extends Record<string, (about: never) => MailContent>>(templates: T): T {
  const entries = Object.entries(templates).map(([template, write]) => {
    const named = (about: Facts) => ({ ...write(about as never), template, facts: about })
    return [template, named]
  })
  return Object.fromEntries(entries) as T
}

export const mails = named({
  ...onboardingMails,
  ...agreementMails,
  ...approvalMails,
  ...verificationMails,
  ...provisioningMails,
  ...accessMails,
  ...screeningMails,
  ...settlementMails,
  ...taxMails,
  ...trainingMails,
  ...welcomeMails,
  ...lifecycleMails,
  ...domainMails,
})

export type MailTemplate = keyof typeof mails

export const mailTemplates = Object.keys(mails) as MailTemplate[]
