/** An onboarding on a test engine, and what its people say to it. */
import { randomUUID, randomUUIDv7 } from 'node:crypto'
import { ApplicationFailure, WorkflowUpdateFailedError } from '@temporalio/client'
import type { TestWorkflowEnvironment } from '@temporalio/testing'
import { deadlinesSchema } from '../../db/programme-settings.ts'
import { onboardingDeadlines } from '../../domain/onboarding.ts'
import { taskQueue, workflowIds } from '../../domain/process-names.ts'
import {
  agreementChanged,
  answerInformation,
  decideApplication,
  onboardingState,
  requestInformation,
  undoApproval,
  withdrawApplication,
} from '../../workflows/contract.ts'
import { partnerOnboarding } from '../../workflows/onboarding.ts'
import type { StandIns } from './processes.ts'
import { until } from './until.ts'

const deadlines = onboardingDeadlines(deadlinesSchema.parse({ undo: 0 }))

/** What the step `recordDecision` answers. */
export interface RecordedDecision {
  decision: string
  code?: string
  tenantId: string | null
}
export const tenantId = randomUUID()
export const approve: RecordedDecision = { decision: 'approve', tenantId }

/** Steps with which an application goes through without a hitch. */
export const smooth: StandIns = {
  readAgreement: () => 'completed',
  readVerification: () => 'verified',
  recordDecision: () => approve,
  admitPartner: () => tenantId,
  findAnswer: () => false,
}

/** Starts one for a new application. @param undo seconds in which an approval is taken back */
export function startOnboarding(env: TestWorkflowEnvironment, undo = 0) {
  const applicationId = randomUUIDv7()
  return env.client.workflow.start(partnerOnboarding, {
    workflowId: workflowIds.onboarding(applicationId),
    taskQueue,
    args: [{ applicationId, parentId: null, deadlines: { ...deadlines, undo } }],
  })
}
export type Onboarding = Awaited<ReturnType<typeof startOnboarding>>

export const reaches = (handle: Onboarding, stage: string) =>
  until(async () => (await handle.query(onboardingState)).stage === stage)

/** One whose agreement is signed, and that waits for its decision. */
export async function onboardingAtApproval(env: TestWorkflowEnvironment, undo = 0) {
  const handle = await startOnboarding(env, undo)
  await handle.signal(agreementChanged)
  await reaches(handle, 'approval')
  return handle
}

export const decide = (handle: Onboarding, decision: 'approve' | 'reject' = 'approve') =>
  handle.executeUpdate(decideApplication, { args: [{ noteId: randomUUIDv7(), decision }] })
export const ask = (handle: Onboarding, requestId: string) =>
  handle.executeUpdate(requestInformation, { args: [{ requestId }] })
export const answer = (handle: Onboarding, requestId: string) =>
  handle.executeUpdate(answerInformation, { args: [{ requestId }] })
export const undo = (handle: Onboarding) =>
  handle.executeUpdate(undoApproval, { args: [{ memberId: 'member' }] })
export const withdraw = (handle: Onboarding) => handle.executeUpdate(withdrawApplication)

/** @returns the code with which an Update was refused; one that is accepted fails the test */
export async function refusalOf(update: Promise<unknown>): Promise<string | null | undefined> {
  try {
    await update
  } catch (error) {
    if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
      return error.cause.type
    }
    throw error
  }
  throw new Error('the update was accepted')
}
