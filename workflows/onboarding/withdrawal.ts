/** The applicant wants no more. */
import { condition, setHandler } from '@temporalio/workflow'
import { withdrawApplication } from '../contract.ts'
import { refusal } from '../steps.ts'
import { type Desk, type Ending, isOpen, leave } from './desk.ts'

const withdrawn: Ending = {
  status: 'withdrawn',
  what: 'withdrawn by the applicant',
  actor: 'applicant',
  mail: 'application_withdrawn',
}

/** Answers once it is written; a decision that is being written now may come first. */
export function takeWithdrawal(desk: Desk): void {
  setHandler(
    withdrawApplication,
    async () => {
      leave(desk, withdrawn)
      await condition(() => desk.outcome !== null)
      if (desk.outcome !== 'withdrawn') throw refusal('already_decided')
    },
    {
      validator: () => {
        if (!isOpen(desk)) throw refusal('already_decided')
      },
    },
  )
}
