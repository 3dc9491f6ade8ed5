/** The words of every mail, once. */
import { accessMails } from './access.ts'
import { agreementsMails } from './agreements.ts'
import { onboardingMails } from './onboarding.ts'
import { provisioningMails } from './provisioning.ts'
import { settlementMails } from './settlement.ts'
import { verificationMails } from './verification.ts'

export type { MailContent } from './layout.ts'

export const mails = {
  ...onboardingMails,
  ...agreementsMails,
  ...verificationMails,
  ...provisioningMails,
  ...accessMails,
  ...settlementMails,
}
