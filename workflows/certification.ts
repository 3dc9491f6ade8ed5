/** A certificate until it runs out: reminded of before, and told when it is over. */
import { condition, setCurrentDetails, setHandler } from '@temporalio/workflow'
import { type CertificationInput, certificateChanged } from './contract.ts'
import { mail, quick } from './steps.ts'
import { happensInTime } from './waiting.ts'

/** @returns how it ended: `renewed` by another one, `revoked`, or `expired`. */
export async function certification(input: CertificationInput): Promise<string> {
  const { certificateId } = input
  let news = false
  setHandler(certificateChanged, () => {
    news = true
  })
  const { state, expiresAt } = await quick.watchCertificate({ certificateId })
  if (state !== 'valid' || expiresAt === null) return state
  const since = Date.now()
  const left = Math.max((Date.parse(expiresAt) - since) / 1000, 0)
  const marks = input.reminders.map((before) => left - before).filter((mark) => mark > 0)
  setCurrentDetails(`Good until ${expiresAt}`)
  const memory = { marks: 0 }
  for (;;) {
    const heard = await happensInTime({
      since,
      until: () => news,
      reminders: marks.sort((a, b) => a - b),
      expiry: left,
      remind: (number) => remind(certificateId, number),
      memory,
    })
    news = false
    // The database decides whether the time is over; its clock may be a moment behind ours.
    const now = heard
      ? await quick.readCertificate({ certificateId })
      : await quick.expireCertificate({ certificateId })
    if (now === 'expired') await mail.mailCertificate({ certificateId, kind: 'expired' })
    if (now !== 'valid') return now
    if (!heard) await condition(() => news, '1 minute')
  }
}

/** One that was renewed meanwhile is not reminded of: the message of that may have been lost. */
async function remind(certificateId: string, number: number): Promise<void> {
  if ((await quick.readCertificate({ certificateId })) !== 'valid') return
  await mail.mailCertificate({ certificateId, kind: 'expiring', occurrence: String(number) })
}
