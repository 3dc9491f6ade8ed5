/** A partner whose figure is too small for its tier: warned, looked at again, lowered or not. */
import { allHandlersFinished, condition, setCurrentDetails, setHandler } from '@temporalio/workflow'
import { type GraceMark, type GraceStatus, graceMarks } from '../domain/tier-review.ts'
import { decideTierGrace, metricsUpdated, type TierGraceInput } from './contract.ts'
import { mail, quick, refusal, warnOfTierFall } from './steps.ts'

const monthMs = 30 * 86_400_000

interface Desk {
  status: GraceStatus
  news: boolean
  /** How many of the marks are behind. */
  passed: number
  marks: GraceMark[]
}

/**
 * Ends when the tier has fallen, or does not fall any more. Each review of a month wakes it; what
 * that found is in the books. Started again after its end, it finds the end and stops.
 */
export async function tierGrace(input: TierGraceInput): Promise<{ status: GraceStatus }> {
  const fallsAt = Date.parse(input.fallsAt)
  const marks = graceMarks({ opened: Date.now(), fallsAt, warnings: input.warnings })
  const desk: Desk = { status: 'open', news: false, passed: 0, marks }
  hear(desk)
  while (desk.status === 'open') {
    // The signal that started it is no news.
    const looks = desk.news && desk.passed > 0
    desk.news = false
    const isDue = Date.now() >= fallsAt
    if (isDue) settle(desk, await quick.applyTierFall(input))
    else if (looks) settle(desk, await quick.lookAtTierGrace(input))
    else await warn(input, desk)
    if (desk.status !== 'open') break
    const next = Math.min(desk.marks[desk.passed]?.at ?? fallsAt, fallsAt)
    setCurrentDetails('Warned; waiting for better figures')
    // A fall that is due and does not come, of a partner that is suspended, waits for a review.
    const left = isDue ? monthMs : Math.max(next - Date.now(), 1)
    await condition(() => desk.news || desk.status !== 'open', left)
  }
  setCurrentDetails(`Ended: ${desk.status}`)
  await mail.mailTierGrace(input)
  await condition(allHandlersFinished)
  return { status: desk.status }
}

/** Other steps may have ended it meanwhile: what ended stays so. */
function settle(desk: Desk, status: GraceStatus): void {
  if (desk.status === 'open') desk.status = status
}

function hear(desk: Desk): void {
  setHandler(metricsUpdated, () => {
    desk.news = true
  })
  setHandler(
    decideTierGrace,
    async ({ decisionId }) => {
      settle(desk, await quick.takeGraceDecision({ decisionId }))
      return { status: desk.status }
    },
    {
      validator: (_: { decisionId: string }) => {
        if (desk.status !== 'open') throw refusal('not_ready')
      },
    },
  )
}

/** Sends what is due by now; of several that were missed the last one. */
async function warn({ graceId }: TierGraceInput, desk: Desk): Promise<void> {
  const due = desk.marks.filter(({ at }) => at <= Date.now()).length
  if (due <= desk.passed) return
  desk.passed = due
  const mark = desk.marks[due - 1] as GraceMark
  settle(desk, await warnOfTierFall({ graceId, kind: mark.kind, number: due }))
}
