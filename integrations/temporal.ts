/** The connection to Temporal, and starting processes by name. */
import {
  Client,
  Connection,
  type ConnectionOptions,
  isGrpcServiceError,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
} from '@temporalio/client'
import {
  type PayloadCodec,
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
} from '@temporalio/common'
import { type SignalName, taskQueue, type WorkflowType } from '../domain/process-names.ts'
import { sealedPayloads } from './payload-codec.ts'

export interface TemporalSettings {
  address: string
  namespace: string
  apiKey: string | undefined
  tls: boolean
}

/** What `Connection` and the worker's `NativeConnection` both take. */
export function connectionOptions(settings: TemporalSettings) {
  return {
    address: settings.address,
    ...(settings.apiKey ? { apiKey: settings.apiKey } : {}),
    ...(settings.tls || settings.apiKey ? { tls: true } : {}),
  }
}

/**
 * A client that connects when it is first used, so that a process starts without the server.
 * @param codec seals what the engine stores. A worker refuses what a client without one sends.
 */
export function temporalClient(settings: TemporalSettings, codec?: PayloadCodec): Client {
  const options: ConnectionOptions = { ...connectionOptions(settings), connectTimeout: 1_500 }
  return new Client({
    connection: Connection.lazy(options),
    namespace: settings.namespace,
    ...(codec ? { dataConverter: sealedPayloads(codec) } : {}),
  })
}

export interface ProcessToStart {
  type: WorkflowType
  workflowId: string
  input: object
}

export type Processes = ReturnType<typeof processStarter>

export function processStarter(client: Client) {
  return {
    /**
     * Starts a process once for ever: one that is running or has ended is left alone.
     * @returns false when there was one.
     */
    async startOnce(process: ProcessToStart): Promise<boolean> {
      return started(client, process, WorkflowIdReusePolicy.REJECT_DUPLICATE)
    },

    /** Starts a process unless one of this id is running; one that failed is started again. */
    async ensureRunning(process: ProcessToStart): Promise<void> {
      await started(client, process, WorkflowIdReusePolicy.ALLOW_DUPLICATE)
    },

    /** Tells a process something; one that has ended, or never was, hears nothing. */
    async tell({ workflowId, signal }: { workflowId: string; signal: SignalName }) {
      try {
        await client.workflow.getHandle(workflowId).signal(signal)
      } catch (error) {
        if (!(error instanceof WorkflowNotFoundError)) throw error
      }
    },

    /** Wakes a process by a signal, and starts it where it is not running. */
    async wake({ type, workflowId, input, signal }: ProcessToStart & { signal: SignalName }) {
      await client.workflow.signalWithStart(type, {
        workflowId,
        taskQueue,
        args: [input],
        signal,
        signalArgs: [],
        workflowIdConflictPolicy: WorkflowIdConflictPolicy.USE_EXISTING,
      })
    },
  }
}

async function started(
  client: Client,
  { type, workflowId, input }: ProcessToStart,
  workflowIdReusePolicy: WorkflowIdReusePolicy,
): Promise<boolean> {
  try {
    await client.workflow.start(type, {
      workflowId,
      taskQueue,
      args: [input],
      workflowIdReusePolicy,
      workflowIdConflictPolicy: WorkflowIdConflictPolicy.FAIL,
      staticSummary: summaries[type],
    })
    return true
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return false
    throw error
  }
}

/** What the engine's own pages show beside a process. */
const summaries: Record<WorkflowType, string> = {
  partnerOnboarding: 'A partner from application to first day',
  tenantProvisioning: 'The environment of a partner',
  domainVerification: 'A domain of a tenant from claim to certificate',
  subscriptionSetup: 'A subscription from order to first payment',
  webhookInbox: 'Events of a vendor',
  settlementDispatch: 'Starts the settlement that is due',
  monthlySettlement: 'The settlement of a month',
  payoutBatch: 'The payouts of a settlement',
  payoutException: 'A payout that waits for a person',
  termsReacceptance: 'A partner and new terms',
  tierReview: 'The review of tiers after a month',
  tierGrace: 'A partner whose tier falls unless it sells more',
  kycReverification: 'A partner that has to prove again who it is',
  verificationUpkeep: 'Looks at checks of identity day by day',
  rescreening: 'The nightly look at lists of sanctioned parties',
  reconciliation: 'The books beside those of Stripe',
  sweeper: 'Starts what was left behind',
  certification: 'A certificate until it runs out',
  welcomeSequence: 'The first mails to a new partner',
  tenantOffboarding: 'A tenant from its last day to the erasure of its data',
}

/** True where the server cannot be reached or is too busy: worth trying again later. */
export function isTemporalAway(error: unknown): boolean {
  if (!isGrpcServiceError(error)) {
    const cause = (error as { cause?: unknown } | null)?.cause
    return cause ? isTemporalAway(cause) : (error as Error)?.name === 'TransportError'
  }
  const deadlineExceeded = 4
  const resourceExhausted = 8
  const unavailable = 14
  return [deadlineExceeded, resourceExhausted, unavailable].includes(error.code)
}
