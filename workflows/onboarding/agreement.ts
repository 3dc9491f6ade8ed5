/** The agreement: sent for signature, reminded of, signed or not, and sent again. */
import { log, setHandler } from '@temporalio/workflow'
import { mostAgreementAttempts } from '../../domain/onboarding.ts'
import {
  agreementChanged,
  type OnboardingInput,
  openSigningPage,
  type Resend,
  resendAgreement,
} from '../contract.ts'
import { mail, quick, refusal, vendor, vendorFailure } from '../steps.ts'
import { happensInTime, pauseAfter } from '../waiting.ts'
import { type Desk, type Ending, enter } from './desk.ts'

export function hearOfAgreement(input: OnboardingInput, desk: Desk): void {
  setHandler(agreementChanged, () => {
    desk.agreementNews = true
  })
  setHandler(resendAgreement, (resend) => takeResend(desk, resend), {
    validator: (_resend) => mayResend(desk),
  })
  const { applicationId } = input
  setHandler(openSigningPage, () => vendor.issueSigningPage({ applicationId }), {
    validator: () => {
      if (desk.stage !== 'agreement') throw refusal('not_ready')
    },
  })
}

function mayResend({ stage, agreementAttempts, resendWanted }: Desk): void {
  if (stage !== 'agreement' || agreementAttempts === 0) throw refusal('not_ready')
  if (resendWanted !== null || agreementAttempts >= mostAgreementAttempts) throw refusal('conflict')
}

/** @returns the number of the attempt that follows. */
function takeResend(desk: Desk, { resendId }: Resend): { attempt: number } {
  desk.resendWanted = resendId
  return { attempt: desk.agreementAttempts + 1 }
}

/** @returns how the application ended, or null when the agreement is signed. */
export async function agree(input: OnboardingInput, desk: Desk): Promise<Ending | null> {
  const { applicationId } = input
  enter(desk, 'agreement', 'Waiting for the applicant to sign the agreement')
  desk.undos.push({
    name: 'withdraw the agreement',
    run: async () => void (await vendor.withdrawAgreement({ applicationId })),
  })
  for (;;) {
    const outcome = await tryToAgree(input, desk)
    if (outcome === 'completed') {
      await untilAnswered(input, desk, () => vendor.storeSignedAgreement({ applicationId }))
      return null
    }
    if (outcome !== 'again') return endings[outcome]
  }
}

const endings = {
  declined: { status: 'withdrawn', what: 'the applicant declined the agreement', mail: null },
  lapsed: {
    status: 'lapsed',
    what: 'the agreement was not signed in time',
    mail: 'application_lapsed',
  },
} as const satisfies Record<string, Ending>

type Outcome = 'completed' | 'again' | keyof typeof endings

/** One attempt: sent, then signed, declined, out of time, or wanted once more. */
async function tryToAgree(input: OnboardingInput, desk: Desk): Promise<Outcome> {
  const { deadlines } = input
  let waitsForSigner = await sendAttempt(input, desk)
  // Its time begins once it is out, however long the vendor was away before.
  const since = Date.now()
  const memory = { marks: 0 }
  for (;;) {
    const heard = await happensInTime({
      since,
      until: () => desk.agreementNews || desk.resendWanted !== null,
      reminders: waitsForSigner ? deadlines.agreementReminders : [],
      expiry: deadlines.agreementExpiry,
      remind: (number) => remindOfAgreement(input, desk, number),
      memory,
    })
    desk.agreementNews = false
    if (desk.resendWanted !== null) return beforeResend(input, desk)
    if (!heard) return afterExpiry(input, desk)
    if (!waitsForSigner) continue
    const state = await stateOf(input)
    if (state === 'completed' || state === 'declined') return state
    // Whoever withdrew it at the vendor did not decide on the application: a person does.
    if (state === 'voided') waitsForSigner = false
  }
}

/** @returns false where nobody has anything to sign, so that a person has to have it sent again. */
async function sendAttempt(input: OnboardingInput, desk: Desk): Promise<boolean> {
  const { applicationId, deadlines } = input
  const resendId = desk.resendWanted
  desk.resendWanted = null
  desk.agreementAttempts += 1
  let attempt = desk.agreementAttempts
  try {
    const sent = await vendor.sendAgreement({
      applicationId,
      expiry: deadlines.agreementExpiry,
      attempt,
      resendId,
    })
    // A process that was begun anew goes on after the attempts of the one before it.
    attempt = sent?.attempt ?? attempt
    desk.agreementAttempts = attempt
    if (sent?.sending === 'uncertain') return false
    // What was found was sent a while ago: the message of its signature may have come too early.
    if (sent?.sending === 'found') desk.agreementNews = true
    if (sent?.embedded) {
      const occurrence = String(attempt)
      await mail.mailApplicant({ applicationId, kind: 'agreement_ready', occurrence })
    }
    return true
  } catch (error) {
    const code = vendorFailure(error)
    if (code === null) throw error
    await quick.markAgreementStuck({ applicationId, attempt, code })
    return false
  }
}

/** Never two live envelopes: the earlier one is withdrawn first, unless it is signed meanwhile. */
async function beforeResend(input: OnboardingInput, desk: Desk): Promise<Outcome> {
  const { applicationId } = input
  const withdraw = () => vendor.withdrawAgreement({ applicationId })
  const ended = await untilAnswered(input, desk, withdraw)
  if (ended !== 'completed') return 'again'
  desk.resendWanted = null
  return 'completed'
}

/** A wish that came while the attempt was withdrawn is answered already: it is sent again. */
async function afterExpiry(input: OnboardingInput, desk: Desk): Promise<Outcome> {
  const { applicationId } = input
  const expire = () => vendor.expireAgreement({ applicationId })
  const answer = (await untilAnswered(input, desk, expire)) ?? 'lapsed'
  if (answer === 'resend') return 'again'
  return answer === 'lapsed' && desk.resendWanted !== null ? 'again' : answer
}

/** A reminder also asks the vendor, in case its message was lost. */
async function remindOfAgreement(input: OnboardingInput, desk: Desk, number: number) {
  const { applicationId } = input
  if ((await stateOf(input)) !== 'sent') {
    desk.agreementNews = true
    return
  }
  await mail.mailApplicant({
    applicationId,
    kind: 'agreement_reminder',
    occurrence:
      desk.agreementAttempts === 1 ? String(number) : `${desk.agreementAttempts}:${number}`,
  })
}

/** What the vendor does not tell now it is asked for at the next reminder, or message. */
async function stateOf({ applicationId }: OnboardingInput) {
  try {
    return await vendor.readAgreement({ applicationId })
  } catch (error) {
    const reason = vendorFailure(error)
    if (reason === null) throw error
    log.warn('an agreement could not be read', { reason })
    return 'sent'
  }
}

const longestPause = 6 * 3_600

/** Asks for as long as the vendor is away or lets nobody in, and shows that to a person. */
async function untilAnswered<T>(
  { applicationId }: OnboardingInput,
  desk: Desk,
  ask: () => Promise<T>,
): Promise<T> {
  for (let round = 0; ; round++) {
    try {
      return await ask()
    } catch (error) {
      if (vendorFailure(error) === null) throw error
    }
    const attempt = desk.agreementAttempts
    if (round === 0) await quick.markAgreementStuck({ applicationId, attempt, code: 'no_answer' })
    await pauseAfter(round, longestPause)
  }
}
