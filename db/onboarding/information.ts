/** Questions to an applicant and its answers. The words are sealed. */
import { type SqlBool, sql } from 'kysely'
import type { Db, Trx } from '../database.ts'
import { openedField, sealedFields } from '../personal-fields.ts'

export interface NewInformationRequest {
  id: string
  applicationId: string
  memberId: string
  questions: string[]
}

/** Inserts what somebody wants to ask; it is asked once the process has taken it. */
export async function recordInformationRequest(
  trx: Trx,
  { questions, ...request }: NewInformationRequest,
): Promise<void> {
  const { id, applicationId } = request
  const texts = { questions: JSON.stringify(questions) }
  await trx
    .insertInto('informationRequests')
    .values({
      ...request,
      ...sealedFields('informationRequests', { id, organisation: applicationId }, texts),
      questionCount: questions.length,
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .execute()
}

function requestQuery(db: Db, applicationId: string) {
  return db
    .selectFrom('informationRequests')
    .leftJoin('informationAnswers', 'informationAnswers.requestId', 'informationRequests.id')
    .select([
      'informationRequests.id',
      'informationRequests.number',
      'informationRequests.memberId',
      'informationRequests.askedAt',
      'informationRequests.dueAt',
      'informationRequests.answeredAt',
      'informationRequests.questionCount',
      'informationAnswers.id as answerId',
      openedField('informationRequests', 'questions').as('questions'),
      openedField('informationAnswers', 'answers').as('answers'),
    ])
    .where('informationRequests.applicationId', '=', applicationId)
    .where('informationRequests.number', 'is not', null)
    .orderBy('informationRequests.number')
}

type RequestRow = Awaited<ReturnType<ReturnType<typeof requestQuery>['execute']>>[number]

const words = (sealed: string | null): string[] | null => sealed && JSON.parse(sealed)
const withWords = ({ questions, answers, ...row }: RequestRow) => ({
  ...row,
  questions: words(questions) ?? [],
  answers: words(answers),
})

export type InformationRequestRow = ReturnType<typeof withWords>

/** What was asked of an applicant, oldest first. */
export async function listInformationRequests(
  db: Db,
  applicationId: string,
): Promise<InformationRequestRow[]> {
  return (await requestQuery(db, applicationId).execute()).map(withWords)
}

export async function findInformationRequest(
  db: Db,
  applicationId: string,
  number: number,
): Promise<InformationRequestRow | undefined> {
  const row = await requestQuery(db, applicationId)
    .where('informationRequests.number', '=', number)
    .executeTakeFirst()
  return row && withWords(row)
}

/** Asks: from now on the applicant sees it. Lock the application first. @returns who asks. */
export async function markInformationAsked(
  trx: Trx,
  id: string,
  { applicationId, dueAt }: { applicationId: string; dueAt: Date },
): Promise<string> {
  await trx
    .updateTable('informationRequests')
    .set({
      number: sql<number>`(select coalesce(max(number), 0) + 1 from information_requests asked
        where asked.application_id = ${applicationId})`,
      askedAt: sql<Date>`clock_timestamp()`,
      dueAt,
    })
    .where('id', '=', id)
    .where('askedAt', 'is', null)
    .execute()
  const { memberId } = await trx
    .selectFrom('informationRequests')
    .select('memberId')
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  return memberId
}

/** Keeps what the applicant said; the first answer to a request is its answer. */
export async function recordInformationAnswer(
  trx: Trx,
  answer: { id: string; applicationId: string; requestId: string; answers: string[] },
): Promise<void> {
  const { id, applicationId, requestId, answers } = answer
  const texts = { answers: JSON.stringify(answers) }
  await trx
    .insertInto('informationAnswers')
    .values({
      id,
      applicationId,
      requestId,
      ...sealedFields('informationAnswers', { id, organisation: applicationId }, texts),
    })
    .onConflict((conflict) => conflict.column('requestId').doNothing())
    .execute()
}

/** Whether the applicant has answered, as the books say. */
export async function isAnswered(db: Db, requestId: string): Promise<boolean> {
  const { answered } = await db
    .selectNoFrom(
      sql<SqlBool>`exists (select from information_answers where request_id = ${requestId})`.as(
        'answered',
      ),
    )
    .executeTakeFirstOrThrow()
  return Boolean(answered)
}

export async function markInformationAnswered(trx: Trx, id: string): Promise<void> {
  await trx
    .updateTable('informationRequests')
    .set({ answeredAt: sql<Date>`clock_timestamp()` })
    .where('id', '=', id)
    .where('answeredAt', 'is', null)
    .execute()
}
