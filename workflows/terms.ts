/** A partner and a new version of the terms: asked, reminded, and never ended by time. */
import { condition, setCurrentDetails, setHandler } from '@temporalio/workflow'
import { agreementChanged, type ReacceptanceInput } from './contract.ts'
import { mail, quick, vendor } from './steps.ts'
import { happensInTime } from './waiting.ts'

/** How it ended; what is overdue has not. */
export type Reacceptance = 'accepted' | 'declined' | 'superseded'

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
  const since = Date.now()
  const sending = await vendor.sendTerms(party)
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
    const state = sending === 'uncertain' ? 'sent' : await vendor.readTerms(party)
    if (state === 'completed') {
      await vendor.storeSignedTerms(party)
      return 'accepted'
    }
    if (state === 'declined' || state === 'voided') return declinedOrSuperseded(state)
    if (heard) continue
    isOverdue = true
    setCurrentDetails('The notice is over; payouts are held until the partner signs')
    await quick.markTermsAnswer({ ...party, status: 'overdue' })
    await mail.mailTerms({ ...party, kind: 'terms_overdue' })
  }

  async function remind(number: number): Promise<void> {
    if (sending !== 'uncertain' && (await vendor.readTerms(party)) !== 'sent') {
      news = true
      return
    }
    await mail.mailTerms({ ...party, kind: 'terms_reminder', occurrence: String(number) })
  }

  async function declinedOrSuperseded(state: 'declined' | 'voided'): Promise<Reacceptance> {
    const status = state === 'declined' ? 'declined' : 'superseded'
    await quick.markTermsAnswer({ ...party, status })
    if (status === 'declined') await mail.mailTerms({ ...party, kind: 'terms_overdue' })
    return status
  }
}
