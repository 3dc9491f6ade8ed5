/** Who the partner is: proven at the payment provider, reminded of, refused or in time. */
import { setHandler } from '@temporalio/workflow'
import { type OnboardingInput, refreshVerificationLink, verificationChanged } from '../contract.ts'
import { mail, refusal, vendor } from '../steps.ts'
import { happensInTime, instantIn } from '../waiting.ts'
import { type Desk, type Ending, enter } from './desk.ts'

export function hearOfVerification(input: OnboardingInput, desk: Desk): void {
  setHandler(verificationChanged, () => {
    desk.verificationNews = true
  })
  setHandler(refreshVerificationLink, () => newVerificationLink(input), {
    validator: () => {
      if (desk.stage !== 'verification') throw refusal('not_ready')
    },
  })
}

/** @returns how the application ended, or null when Stripe knows the partner. */
export async function proveIdentity(input: OnboardingInput, desk: Desk): Promise<Ending | null> {
  const { applicationId, deadlines } = input
  enter(desk, 'verification', 'Waiting for the applicant to prove its identity')
  const since = Date.now()
  const memory = { marks: 0 }
  desk.undos.push({
    name: 'close the payout account',
    run: () => vendor.closePayoutAccount({ applicationId }),
  })
  await vendor.openPayoutAccount({ applicationId, dueAt: instantIn(deadlines.verificationExpiry) })
  await newVerificationLink(input)
  await mail.mailApplicant({ applicationId, kind: 'verification_requested' })
  for (;;) {
    const status = await vendor.readVerification({ applicationId })
    if (status === 'verified') return null
    if (status === 'rejected') return refused
    if (status === 'out_of_tries') return tooOften
    const heard = await happensInTime({
      since,
      until: () => desk.verificationNews,
      reminders: deadlines.verificationReminders,
      expiry: deadlines.verificationExpiry,
      remind: (number) => remindOfVerification(input, desk, number),
      memory,
    })
    desk.verificationNews = false
    if (!heard) return notProven
  }
}

const refused: Ending = {
  status: 'rejected',
  what: 'the identity check was refused',
  mail: 'application_rejected',
}

const tooOften: Ending = {
  status: 'rejected',
  what: 'the identity check failed too often',
  mail: 'application_rejected',
}

const notProven: Ending = {
  status: 'lapsed',
  what: 'the identity was not proven in time',
  mail: 'application_lapsed',
}

async function newVerificationLink({ applicationId }: OnboardingInput): Promise<void> {
  await vendor.issueVerificationLink({ applicationId })
}

async function remindOfVerification(input: OnboardingInput, desk: Desk, number: number) {
  const { applicationId } = input
  const status = await vendor.readVerification({ applicationId })
  if (status === 'verified' || status === 'rejected' || status === 'out_of_tries') {
    desk.verificationNews = true
    return
  }
  await mail.mailApplicant({
    applicationId,
    kind: 'verification_reminder',
    occurrence: String(number),
  })
}
