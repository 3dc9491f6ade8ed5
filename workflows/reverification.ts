/** A partner that has to prove again who it is: reminded, then paid nothing, then sells nothing. */
import {
  allHandlersFinished,
  condition,
  continueAsNew,
  setCurrentDetails,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow'
import type {
  Reverification,
  ReverificationMail,
} from '../activities/verification/reverification.ts'
import { holdAt } from '../domain/verification.ts'
import {
  extendReverification,
  type ReverificationInput,
  refreshReverificationLink,
  verificationChanged,
} from './contract.ts'
import { mail, quick, refusal, vendor } from './steps.ts'

interface Desk {
  since: number
  news: boolean
  over: boolean
  told: boolean
  /** How many reminders went out. */
  reminders: number
  /** How many times payouts were held. */
  holds: number
  /** More time, given by a person, in milliseconds. */
  until: number
}

/**
 * Ends when everything asked for is there. What is held is read from the database each time, so
 * that a second process of the same partner goes on where the first one stopped.
 */
export async function kycReverification(input: ReverificationInput): Promise<'clear' | 'gone'> {
  const desk: Desk = {
    since: Date.now(),
    news: false,
    over: false,
    told: false,
    reminders: 0,
    holds: 0,
    until: 0,
  }
  hear(input, desk)
  for (;;) {
    desk.news = false
    const seen = await vendor.readReverification({ partnerId: input.partnerId })
    if (seen.state === 'clear' || seen.state === 'gone') {
      desk.over = true
      await finish(input, desk, seen)
      await condition(allHandlersFinished)
      // What came while it ended is looked into by a process of its own.
      if (desk.news && seen.state === 'clear') {
        await continueAsNew<typeof kycReverification>(input)
      }
      return seen.state
    }
    const next = await act(input, desk, seen)
    if (next === null) await condition(() => desk.news)
    else await condition(() => desk.news, Math.max(next - Date.now(), 1))
  }
}

function hear(input: ReverificationInput, desk: Desk): void {
  setHandler(verificationChanged, () => {
    desk.news = true
  })
  const stillOpen = () => {
    if (desk.over) throw refusal('not_ready')
  }
  setHandler(
    extendReverification,
    async ({ extensionId }) => {
      const { until, lifts } = await quick.takeVerificationExtension({ extensionId })
      if (lifts) await quick.liftVerificationHolds({ partnerId: input.partnerId })
      desk.until = Date.parse(until)
      desk.news = true
    },
    { validator: (_: { extensionId: string }) => stillOpen() },
  )
  setHandler(
    refreshReverificationLink,
    () => vendor.issueVerificationLink({ applicationId: input.partnerId }),
    { validator: stillOpen },
  )
}

/** What is due by now. @returns when something is due next, in milliseconds, or null. */
async function act(
  input: ReverificationInput,
  desk: Desk,
  seen: Reverification,
): Promise<number | null> {
  if (seen.state === 'waiting') {
    setCurrentDetails('Waiting for Stripe to look at what the partner handed in')
    return null
  }
  if (!desk.told) {
    desk.told = true
    await tell(input, desk, 'due')
  }
  const reminder = await remind(input, desk)
  const measure = await measures(input, desk, seen)
  const marks = [reminder, measure].filter((mark) => mark !== null)
  return marks.length > 0 ? Math.min(...marks) : null
}

/** @returns when the next reminder is due. Those that were missed together are one. */
async function remind(input: ReverificationInput, desk: Desk): Promise<number | null> {
  const marks = input.deadlines.reminders.map((mark) => desk.since + mark * 1_000)
  const passed = marks.filter((mark) => mark <= Date.now()).length
  if (passed > desk.reminders) {
    desk.reminders = passed
    await tell(input, desk, 'reminder')
  }
  return marks[passed] ?? null
}

/** Holds payouts, and later stops new sales. @returns when the next of them is due. */
async function measures(
  input: ReverificationInput,
  desk: Desk,
  seen: Reverification,
): Promise<number | null> {
  const { partnerId, deadlines } = input
  const now = Date.now()
  if (now < desk.until) {
    setCurrentDetails('A person gave the partner more time')
    return desk.until
  }
  let { heldSince } = seen
  if (!heldSince) {
    const due = dueHold(desk, seen, deadlines.hold)
    if (now < due) {
      setCurrentDetails('Waiting for the partner to answer Stripe')
      return due
    }
    desk.holds += 1
    await quick.holdForVerification({
      partnerId,
      source: `${workflowInfo().runId}:${desk.holds}`,
      reason:
        seen.state === 'restricted' || seen.state === 'rejected' ? seen.state : 'requirements_due',
    })
    heldSince = new Date(now).toISOString()
    await tell(input, desk, 'held')
  }
  if (seen.salesStopped) {
    setCurrentDetails('Payouts are held and new sales stopped, until the partner answers Stripe')
    return null
  }
  const stop = Date.parse(heldSince) + deadlines.suspension * 1_000
  if (Date.now() < stop) {
    setCurrentDetails('Payouts are held, until the partner answers Stripe')
    return stop
  }
  await quick.stopSales({ partnerId })
  await tell(input, desk, 'stopped')
  setCurrentDetails('Payouts are held and new sales stopped, until the partner answers Stripe')
  return null
}

/** At once where Stripe pays nothing any more; else by the first of the two deadlines. */
function dueHold(desk: Desk, seen: Reverification, hold: number): number {
  if (seen.state === 'restricted' || seen.state === 'rejected') return 0
  return holdAt(desk.since, hold, seen.deadlineAt ? Date.parse(seen.deadlineAt) : null)
}

async function finish(input: ReverificationInput, desk: Desk, seen: Reverification) {
  const { partnerId } = input
  setCurrentDetails(seen.state === 'clear' ? 'The partner is known again' : 'The partner left')
  if (seen.heldSince || seen.salesStopped) await quick.liftVerificationHolds({ partnerId })
  if (seen.state === 'clear' && desk.told) await tell(input, desk, 'restored')
}

/** Each mail once in a process: a partner may have to prove itself again in another year. */
async function tell(input: ReverificationInput, desk: Desk, kind: ReverificationMail) {
  const number = kind === 'reminder' ? desk.reminders : desk.holds
  await mail.mailVerification({
    partnerId: input.partnerId,
    kind,
    occurrence: `${workflowInfo().runId}:${number}`,
  })
}
