/** The agreement: sent for signature, reminded of, signed or not. */
import { setHandler } from '@temporalio/workflow'
import { agreementChanged, type OnboardingInput } from '../contract.ts'
import { mail, vendor } from '../steps.ts'
import { happensInTime, instantIn } from '../waiting.ts'
import { type Desk, type Ending, enter } from './desk.ts'

export function hearOfAgreement(desk: Desk): void {
  setHandler(agreementChanged, () => {
    desk.agreementNews = true
  })
}

/** @returns how the application ended, or null when the agreement is signed. */
export async function agree(input: OnboardingInput, desk: Desk): Promise<Ending | null> {
  const { applicationId, deadlines } = input
  enter(desk, 'agreement', 'Waiting for the applicant to sign the agreement')
  const since = Date.now()
  await vendor.sendAgreement({ applicationId, dueAt: instantIn(deadlines.agreementExpiry) })
  for (;;) {
    const heard = await happensInTime({
      since,
      until: () => desk.agreementNews,
      reminders: deadlines.agreementReminders,
      expiry: deadlines.agreementExpiry,
      remind: (number) => remindOfAgreement(input, desk, number),
    })
    desk.agreementNews = false
    const state = await vendor.readAgreement({ applicationId })
    if (state === 'completed') {
      await vendor.storeSignedAgreement({ applicationId })
      return null
    }
    if (state === 'declined') return unsigned(input, 'declined')
    if (state === 'voided') return unsigned(input, 'voided')
    if (!heard) return unsigned(input, 'expired')
  }
}

/** A reminder also asks the vendor, in case its message was lost. */
async function remindOfAgreement(input: OnboardingInput, desk: Desk, number: number) {
  const { applicationId } = input
  if ((await vendor.readAgreement({ applicationId })) !== 'sent') {
    desk.agreementNews = true
    return
  }
  await mail.mailApplicant({
    applicationId,
    kind: 'agreement_reminder',
    occurrence: String(number),
  })
}

const endings = {
  declined: { status: 'withdrawn', what: 'the applicant declined the agreement', mail: null },
  voided: { status: 'lapsed', what: 'the agreement was withdrawn', mail: 'application_lapsed' },
  expired: {
    status: 'lapsed',
    what: 'the agreement was not signed in time',
    mail: 'application_lapsed',
  },
} as const satisfies Record<string, Ending>

async function unsigned({ applicationId }: OnboardingInput, how: keyof typeof endings) {
  await vendor.endAgreement({ applicationId, how })
  return endings[how]
}
