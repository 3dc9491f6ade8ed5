/** What was asked and decided about an application, as it is shown. */
import { z } from 'zod'
import type { listGivenNotes } from '../../db/onboarding/decisions.ts'
import type { InformationRequestRow } from '../../db/onboarding/information.ts'
import { outwardId } from '../../domain/ids.ts'
import { idAnswer, instantAnswer } from '../validate.ts'

export const informationRequests = z.array(
  z.object({
    number: z.int(),
    asked_at: instantAnswer,
    due_at: instantAnswer,
    questions: z.array(z.string()),
    answered_at: instantAnswer.nullable(),
    answers: z.array(z.string()).nullable(),
  }),
)

export const approvals = z.array(z.object({ member: idAnswer('member'), at: instantAnswer }))

export function presentInformationRequest(row: InformationRequestRow) {
  return {
    number: row.number,
    asked_at: row.askedAt?.toISOString(),
    due_at: row.dueAt?.toISOString(),
    questions: row.questions,
    answered_at: row.answeredAt?.toISOString() ?? null,
    answers: row.answeredAt ? row.answers : null,
  }
}

type GivenNotes = Awaited<ReturnType<typeof listGivenNotes>>

/** Who decided, `rule:…` where a rule did, and the approvals that count. */
export function presentDecisions(notes: GivenNotes) {
  const standing = notes.filter(({ undoneAt }) => !undoneAt)
  const taken = standing.find(({ takenAt }) => takenAt)
  return {
    decided_by: taken ? deciderName(taken) : null,
    approvals: standing.flatMap(({ decision, memberId, givenAt }) =>
      decision === 'approve' && memberId && givenAt
        ? [{ member: outwardId('member', memberId), at: givenAt.toISOString() }]
        : [],
    ),
  }
}

const deciderName = ({ memberId, rule }: GivenNotes[number]) =>
  memberId ? outwardId('member', memberId) : `rule:${rule}`
