/** Who the partner is: proven at the payment provider, reminded of, refused or in time. */
import { setHandler } from '@temporalio/workflow'
import { type OnboardingInput, refreshVerificationLink, verificationChanged } from '../contract.ts'
import { mail, quick, refusal, vendor, vendorFailure } from '../steps.ts'
import { happensInTime, instantIn } from '../waiting.ts'
import { type Desk, type Ending, enter } from './desk.ts'

export function hearOfVerification(input: OnboardingInput, desk: Desk): void {
  setHandler(verificationChanged, () => {
    desk.verificationNews = true
  })
  setHandler(refreshVerificationLink, () => refreshLink(input, desk), {
    validator: () => {
      if (desk.stage !== 'verification') throw refusal('not_ready')
    },
  })
}

/** @returns how the application ended, or null when Stripe knows the partner. */
export async function proveIdentity(input: OnboardingInput, desk: Desk): Promise<Ending | null> {
  const { applicationId, deadlines } = input
  enter(desk, 'verification', 'Waiting for the applicant to prove its identity')
  let since = Date.now()
  const dueAt = instantIn(deadlines.verificationExpiry)
  const memory = { marks: 0 }
  desk.undos.push({
    name: 'close the payout account',
    run: () => vendor.closePayoutAccount({ applicationId }),
  })
  for (let inTime = true; ; desk.verificationNews = false) {
    const status = await look(input, desk, dueAt)
    if (status === 'verified') return null
    if (status === 'rejected') return refused
    if (status === 'out_of_tries') return tooOften
    // The time was over before this look: a message that is late or lost costs nobody the partner,
    // and who has handed in everything has as long again for Stripe to look at it.
    if (!inTime && status !== 'pending_review') return notProven
    if (!inTime) since = Date.now()
    inTime = await happensInTime({
      since,
      until: () => desk.verificationNews,
      reminders: deadlines.verificationReminders,
      expiry: deadlines.verificationExpiry,
      remind: (number) => remindOfVerification(input, desk, { number, dueAt }),
      memory,
    })
  }
}

/**
 * Opens the account where that is still to be done, and reads how far the check is.
 * @returns null where Stripe refused: a person looks into it, and it is tried again later.
 */
async function look(input: OnboardingInput, desk: Desk, dueAt: string) {
  const { applicationId } = input
  try {
    if (!desk.accountOpened) {
      await vendor.openPayoutAccount({ applicationId, dueAt })
      await newVerificationLink(input)
      desk.accountOpened = true
      await mail.mailApplicant({ applicationId, kind: 'verification_requested' })
    }
    return await vendor.readVerification({ applicationId })
  } catch (error) {
    const code = vendorFailure(error)
    if (code === null) throw error
    await quick.markVerificationStuck({ applicationId, dueAt, code })
    return null
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

/** Whoever asks for a link to an account that could not be opened has it tried again. */
async function refreshLink(input: OnboardingInput, desk: Desk): Promise<void> {
  if (desk.accountOpened) return newVerificationLink(input)
  desk.verificationNews = true
  throw refusal('not_ready')
}

async function newVerificationLink({ applicationId }: OnboardingInput): Promise<void> {
  await vendor.issueVerificationLink({ applicationId })
}

/** A reminder also asks Stripe, in case its message was lost. */
async function remindOfVerification(
  input: OnboardingInput,
  desk: Desk,
  { number, dueAt }: { number: number; dueAt: string },
) {
  const { applicationId } = input
  const wasOpened = desk.accountOpened
  const status = await look(input, desk, dueAt)
  if (status === 'verified' || status === 'rejected' || status === 'out_of_tries') {
    desk.verificationNews = true
    return
  }
  // Nobody is reminded of what could not begin, has begun just now, or is for Stripe to look at.
  if (status === null || status === 'pending_review' || !wasOpened) return
  await mail.mailApplicant({
    applicationId,
    kind: 'verification_reminder',
    occurrence: String(number),
  })
}
