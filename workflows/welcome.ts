/** The first weeks of a partner: a few mails, each at its time. */
import { setCurrentDetails, sleep } from '@temporalio/workflow'
import type { WelcomeInput } from './contract.ts'
import { quick, sendWelcomeMail } from './steps.ts'

/** Ends early where the partner wants no more of them, or is gone. @returns how many turns came. */
export async function welcomeSequence(input: WelcomeInput): Promise<{ turns: number }> {
  const { partnerId, mails } = input
  const begin = Date.now()
  let turns = 0
  for (const mark of mails) {
    const left = begin + mark * 1000 - Date.now()
    setCurrentDetails(`Waiting for mail ${turns + 1} of ${mails.length}`)
    if (left > 0) await sleep(left)
    turns += 1
    if (!(await sendWelcomeMail({ partnerId, number: turns }))) break
  }
  await quick.endWelcome({ partnerId })
  return { turns }
}
