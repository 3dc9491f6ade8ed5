/** A payout that waits for a person: reminded, decided, and carried out without paying twice. */
import {
  ActivityFailure,
  allHandlersFinished,
  condition,
  continueAsNew,
  isCancellation,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow'
import type { ExceptionState } from '../activities/payout-exceptions/decisions.ts'
import {
  changePayoutMethod,
  type PayoutDecided,
  type PayoutExceptionInput,
  payoutChanged,
  releasePayout,
  retryPayout,
  verificationChanged,
} from './contract.ts'
import { mail, quick, refusal, vendor } from './steps.ts'

const hour = 3_600_000
const stretch = 90 * 24 * hour

interface Desk {
  news: boolean
  over: boolean
  /** Decisions that are accepted and not carried out, in their order. */
  decisions: string[]
}

/**
 * Ends when the money has arrived, is back in the partner's balance, or is written off. It looks
 * into the books at every news; what moves is looked at each hour. Nothing is decided by time.
 */
export async function payoutException(input: PayoutExceptionInput): Promise<'closed'> {
  const desk: Desk = { news: false, over: false, decisions: [] }
  hear(desk)
  const { exceptionId } = input
  const begun = Date.now()
  if (passedMarks(input) === 0) await mail.mailPayoutException({ exceptionId, occurrence: 'first' })
  let told = passedMarks(input)
  for (;;) {
    const state = await act(input, desk)
    if (state === 'closed') break
    if (desk.news || desk.decisions.length > 0) continue
    if (isLong(begun) && (await isQuiet(desk))) await continueAsNew(input)
    const due = Math.min(nextMark(input), begun + stretch, state === 'moving' ? soon() : Infinity)
    await condition(() => desk.news || desk.decisions.length > 0, Math.max(due - Date.now(), 1))
    if (passedMarks(input) > told) {
      told = passedMarks(input)
      await remind(input, told)
    }
  }
  desk.over = true
  await quick.endException({ exceptionId })
  setCurrentDetails('Over')
  await condition(allHandlersFinished)
  return 'closed'
}

const isLong = (begun: number) =>
  Date.now() - begun >= stretch || workflowInfo().continueAsNewSuggested

const soon = () => Date.now() + hour

async function isQuiet(desk: Desk): Promise<boolean> {
  await condition(allHandlersFinished)
  return !desk.news && desk.decisions.length === 0
}

function hear(desk: Desk): void {
  const news = () => {
    desk.news = true
  }
  setHandler(payoutChanged, news)
  setHandler(verificationChanged, news)
  const decide = async ({ decisionId }: PayoutDecided) => {
    await quick.checkPayoutDecision({ decisionId })
    desk.decisions.push(decisionId)
  }
  const validator = (_: PayoutDecided) => {
    if (desk.over) throw refusal('already_decided')
    if (desk.decisions.length > 0) throw refusal('not_ready')
  }
  for (const update of [retryPayout, changePayoutMethod, releasePayout]) {
    setHandler(update, decide, { validator })
  }
}

async function act({ exceptionId }: PayoutExceptionInput, desk: Desk): Promise<ExceptionState> {
  desk.news = false
  const decisionId = desk.decisions[0]
  try {
    if (decisionId === undefined) return await shown(vendor.continuePayout({ exceptionId }))
    setCurrentDetails('Carrying a decision out')
    return await shown(vendor.carryOutPayoutDecision({ decisionId }))
  } catch (error) {
    if (!(error instanceof ActivityFailure) || isCancellation(error)) throw error
    // Half of it may be under way: the books say in an hour whether it waits for a decision.
    setCurrentDetails('Waiting; the last step could not be carried out')
    return 'moving'
  } finally {
    desk.decisions = desk.decisions.filter((id) => id !== decisionId)
  }
}

async function shown(step: Promise<ExceptionState>): Promise<ExceptionState> {
  const state = await step
  setCurrentDetails(state === 'moving' ? 'Paying; the outcome is open' : 'Waiting for a decision')
  return state
}

const marksOf = ({ since, reminders, escheat }: PayoutExceptionInput) =>
  [...reminders, escheat].map((mark) => since + mark * 1_000)

const passedMarks = (input: PayoutExceptionInput) =>
  marksOf(input).filter((mark) => mark <= Date.now()).length

const nextMark = (input: PayoutExceptionInput) =>
  Math.min(...marksOf(input).filter((mark) => mark > Date.now()), Infinity)

async function remind(input: PayoutExceptionInput, passed: number): Promise<void> {
  const { exceptionId, reminders } = input
  if (passed <= reminders.length) {
    await mail.mailPayoutException({ exceptionId, occurrence: String(passed) })
    return
  }
  await quick.flagEscheat({ exceptionId })
  await mail.mailPayoutException({ exceptionId, occurrence: 'escheat' })
}
