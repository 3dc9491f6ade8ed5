/** A tenant that leaves: its data are handed out, and erased after a second person's yes. */
import {
  allHandlersFinished,
  CancellationScope,
  condition,
  isCancellation,
  setCurrentDetails,
  setHandler,
  sleep,
} from '@temporalio/workflow'
import {
  cancelOffboarding,
  confirmDeletion,
  type OffboardingInput,
  setLegalHold,
} from './contract.ts'
import { batch, mail, quick, refusal, vendor } from './steps.ts'
import { happensInTime, instantIn } from './waiting.ts'

interface Course {
  stage: 'leaving' | 'confirmation' | 'erasing'
  confirmed: boolean
  cancelled: boolean
  legalHold: boolean
}

/**
 * Freezes the tenant, ends its platform subscription, hands its data out, waits for their retrieval
 * and then for a second person, and erases them. Until the erasure begins it can be cancelled.
 */
export async function tenantOffboarding(
  input: OffboardingInput,
): Promise<{ ended: 'erased' | 'cancelled' }> {
  const { legalHold } = input
  const course: Course = { stage: 'leaving', confirmed: false, cancelled: false, legalHold }
  takeDecisions(input, course)
  const watch = new CancellationScope()
  const alarm = watch
    .run(() => alarmLater(input))
    .catch((error) => {
      if (!isCancellation(error)) throw error
    })
  try {
    if (await leave(input)) {
      course.stage = 'erasing'
      await erase(input)
      return { ended: 'erased' }
    }
    if (input.exportWanted && !course.cancelled) await handOut(input, course)
    if (!course.cancelled) await awaitConfirmation(input, course)
    if (course.cancelled) return await takeBack(input)
    await erase(input)
    return { ended: 'erased' }
  } finally {
    watch.cancel()
    await alarm
    await condition(allHandlersFinished)
  }
}

function takeDecisions({ offboardingId, requestedBy }: OffboardingInput, course: Course): void {
  setHandler(
    confirmDeletion,
    async ({ memberId }) => {
      await quick.recordConfirmation({ offboardingId, memberId })
      course.confirmed = true
    },
    {
      validator: ({ memberId }) => {
        if (course.stage === 'leaving') throw refusal('not_ready')
        if (course.cancelled || course.confirmed) throw refusal('already_decided')
        if (course.legalHold) throw refusal('legal_hold')
        if (memberId === requestedBy) throw refusal('second_person_required')
      },
    },
  )
  setHandler(
    cancelOffboarding,
    ({ memberId }) => {
      course.cancelled = true
      return quick.recordCancellation({ offboardingId, memberId })
    },
    { validator: (_decision) => refuseAfterPivot(course) },
  )
  setHandler(
    setLegalHold,
    async ({ memberId, on, entry }) => {
      course.legalHold = on
      await quick.recordLegalHold({ offboardingId, memberId, on, entry })
    },
    { validator: (_decision) => refuseAfterPivot(course) },
  )
}

function refuseAfterPivot(course: Course): void {
  if (course.stage === 'erasing' || course.cancelled) throw refusal('already_decided')
}

/** The law's answer is due: people of the platform are told, and nothing is done by itself. */
async function alarmLater({ offboardingId, deadlines }: OffboardingInput): Promise<void> {
  await sleep(deadlines.erasureAlarm * 1_000)
  await mail.mailOffboarding({ offboardingId, kind: 'erasure_alarm' })
}

/** @returns whether a process before this one has begun the erasure: nothing is asked again. */
async function leave({ offboardingId, tenantId }: OffboardingInput): Promise<boolean> {
  setCurrentDetails('Freezing the tenant')
  const frozen = await quick.freezeTenant({ offboardingId })
  setCurrentDetails('Ending its platform subscription')
  await vendor.cancelPlatformSubscription({ tenantId })
  return frozen?.isErasing ?? false
}

async function handOut(input: OffboardingInput, course: Course): Promise<void> {
  const { offboardingId, deadlines } = input
  setCurrentDetails('Writing the export')
  await batch.exportTenant({ offboardingId })
  setCurrentDetails('Waiting for the retrieval of the export')
  const dueAt = instantIn(deadlines.retrieval)
  const since = Date.now()
  await quick.enterOffboardingStage({ offboardingId, stage: 'retrieval', dueAt })
  await mail.mailOffboarding({ offboardingId, kind: 'export_ready' })
  await happensInTime({
    since,
    until: () => course.cancelled,
    reminders: deadlines.retrievalReminders,
    expiry: deadlines.retrieval,
    remind: (number) =>
      mail.mailOffboarding({
        offboardingId,
        kind: 'export_reminder',
        occurrence: String(number),
      }),
  })
}

async function awaitConfirmation(input: OffboardingInput, course: Course): Promise<void> {
  const { offboardingId } = input
  setCurrentDetails('Waiting for a second person to confirm the erasure')
  await quick.enterOffboardingStage({ offboardingId, stage: 'confirmation', dueAt: null })
  course.stage = 'confirmation'
  await mail.mailOffboarding({ offboardingId, kind: 'confirmation_needed' })
  await condition(() => course.cancelled || (course.confirmed && !course.legalHold))
  if (!course.cancelled) course.stage = 'erasing'
}

async function takeBack({ offboardingId, tenantId }: OffboardingInput) {
  setCurrentDetails('Taking everything back')
  const { attempt } = await quick.takeOffboardingBack({ offboardingId })
  if (attempt !== null) await vendor.openPlatformSubscription({ tenantId, attempt, tries: 1 })
  setCurrentDetails('Cancelled')
  return { ended: 'cancelled' as const }
}

/** Each step can be repeated; nothing before the keys are gone keeps a reader from reading. */
async function erase({ offboardingId }: OffboardingInput): Promise<void> {
  setCurrentDetails('Erasing personal data')
  await quick.enterOffboardingStage({ offboardingId, stage: 'erasing', dueAt: null })
  await batch.keepAgreements({ offboardingId })
  await batch.erasePersonalData({ offboardingId })
  setCurrentDetails('Destroying the data keys')
  await quick.shredKeys({ offboardingId })
  await quick.recordErasure({ offboardingId })
  await mail.mailOffboarding({ offboardingId, kind: 'erasure_done' })
  setCurrentDetails('Erased')
}
