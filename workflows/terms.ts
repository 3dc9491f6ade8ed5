/** A partner and a new version of the terms: asked, reminded, and never ended by time. */
import { condition, setCurrentDetails, setHandler, sleep } from '@temporalio/workflow'
import type { Sending } from '../activities/agreements.ts'
import { mostAgreementAttempts } from '../domain/onboarding.ts'
import { agreementChanged, type ReacceptanceInput } from './contract.ts'
import { mail, quick, vendor, vendorFailure } from './steps.ts'
import { happensInTime } from './waiting.ts'

/** How it ended; what is overdue has not. Whether `uncertain` ones went out a person finds out. */
export type Reacceptance = 'accepted' | 'declined' | 'superseded' | 'uncertain'

/**
 * Whoever does not sign keeps the terms that it signed before, and is held after its notice; the
 * envelope stays open, so that a late signature releases what was held.
 */
export async function termsReacceptance(input: ReacceptanceInput): Promise<Reacceptance> {
  const { termsId, partnerId } = input
  const party = { termsId, partnerId }
  let news = false
  setHandler(agreementChanged, () => {
    news = true
  })
  setCurrentDetails('Waiting for the partner to accept the new terms')
  let attempt = 1
  let sending = await sendOut(party, attempt)
  if (sending === 'superseded' || sending === 'uncertain') return sending
  // Its time begins once it is out, however long that took.
  const since = Date.now()
  if (sending === 'found') news = true
  await mail.mailTerms({ ...party, kind: 'terms_changed' })
  let isOverdue = false
  const memory = { marks: 0 }
  for (;;) {
    const heard = isOverdue
      ? await condition(() => news).then(() => true)
      : await happensInTime({
          since,
          until: () => news,
          reminders: input.reminders,
          expiry: input.notice,
          remind: (number) => remind(number),
          memory,
        })
    news = false
    const state = await vendor.readTerms(party)
    if (state === 'completed') {
      await vendor.storeSignedTerms(party)
      return 'accepted'
    }
    if (state === 'declined') return declined()
    if (state === 'voided') {
      // Whoever withdrew it at the vendor did not accept anything: it is sent again.
      const isOver = await quick.markTermsAnswer({ ...party, status: 'superseded' })
      if (isOver !== false) return 'superseded'
      attempt += 1
      if (attempt > mostAgreementAttempts) {
        await quick.markTermsStuck({ ...party, attempt })
        return 'uncertain'
      }
      sending = await sendOut(party, attempt)
      if (sending === 'superseded' || sending === 'uncertain') return sending
      news ||= sending === 'found'
    }
    if (heard) continue
    isOverdue = true
    setCurrentDetails('The notice is over; payouts are held until the partner signs')
    await quick.markTermsAnswer({ ...party, status: 'overdue' })
    await mail.mailTerms({ ...party, kind: 'terms_overdue' })
  }

  async function remind(number: number): Promise<void> {
    if ((await vendor.readTerms(party)) !== 'sent') {
      news = true
      return
    }
    await mail.mailTerms({ ...party, kind: 'terms_reminder', occurrence: String(number) })
  }

  async function declined(): Promise<Reacceptance> {
    await quick.markTermsAnswer({ ...party, status: 'declined' })
    await mail.mailTerms({ ...party, kind: 'terms_overdue' })
    return 'declined'
  }
}

type Asked = Pick<ReacceptanceInput, 'termsId' | 'partnerId'>

/** Once a day for as long as the vendor refuses it, or is away; a person looks why. */
async function sendOut(party: Asked, attempt: number): Promise<Sending | 'superseded'> {
  for (;;) {
    let code: string | null = null
    try {
      const sending = await vendor.sendTerms({ ...party, attempt })
      if (sending !== 'uncertain') return sending
    } catch (error) {
      code = vendorFailure(error)
      if (code === null) throw error
    }
    setCurrentDetails('The new terms could not be sent; a person has to look')
    const { isWanted } = await quick.markTermsStuck({ ...party, attempt })
    if (!isWanted) return 'superseded'
    if (code === null) return 'uncertain'
    await sleep('1 day')
  }
}
