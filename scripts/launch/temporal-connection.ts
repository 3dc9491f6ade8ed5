import { Connection, type ConnectionOptions } from '@temporalio/client'
import { msNumberToTs } from '@temporalio/common/lib/time.js'
import { NotReady, reasonOf } from './not-ready.ts'
import { poll } from './wait.ts'

export interface TemporalAccess {
  apiKey?: string | undefined
  tls?: boolean | undefined
  /** The SDK would wait ten seconds for a server that is not there. */
  connectTimeoutMs?: number
}

export interface NamespaceOptions extends TemporalAccess {
  retentionDays?: number
  searchAttributes?: SearchAttributes
}

export type SearchAttributeType =
  | 'Text'
  | 'Keyword'
  | 'Int'
  | 'Double'
  | 'Bool'
  | 'Datetime'
  | 'KeywordList'
export type SearchAttributes = Readonly<Record<string, SearchAttributeType>>

/** The numbers the wire protocol gives to the types. */
const attributeTypes: Record<SearchAttributeType, number> = {
  Text: 1,
  Keyword: 2,
  Int: 3,
  Double: 4,
  Bool: 5,
  Datetime: 6,
  KeywordList: 7,
}

const dayMs = 86_400_000
const grpcNotFound = 5
const grpcAlreadyExists = 6
const schedulerQueue = 'temporal-sys-per-ns-tq'
const usableWithinMs = 15_000

export async function connectTemporal(
  address: string,
  access: TemporalAccess = {},
): Promise<Connection> {
  const { apiKey, tls, connectTimeoutMs = 1_500 } = access
  const options: ConnectionOptions = {
    address,
    connectTimeout: connectTimeoutMs,
    tls: tls === true || apiKey !== undefined,
    // Channels share their back-off otherwise: one early refusal would cost a whole second.
    channelArgs: { 'grpc.use_local_subchannel_pool': 1 },
  }
  return Connection.connect(apiKey ? { ...options, apiKey } : options)
}

/** The server's version, or why there is none to be had. */
export async function askTemporal(
  address: string,
  access: TemporalAccess = {},
): Promise<{ version: string } | { reason: string }> {
  let connection: Connection | undefined
  try {
    connection = await connectTemporal(address, access)
    const limitMs = access.connectTimeoutMs ?? 1_500
    const { workflowService } = connection
    const info = await connection.withDeadline(Date.now() + limitMs, () =>
      workflowService.getSystemInfo({}),
    )
    return { version: info.serverVersion }
  } catch (error) {
    return { reason: shortReason(error) }
  } finally {
    await connection?.close()
  }
}

/**
 * Makes the namespace if it is absent and returns when workflows can be started in it and its
 * schedules are served. The server learns of new namespaces by looking now and then.
 */
export async function registerNamespace(
  address: string,
  namespace: string,
  options: NamespaceOptions = {},
): Promise<void> {
  const connection = await connectTemporal(address, options).catch((error: unknown) => {
    throw new NotReady(`Temporal at ${address} does not answer: ${shortReason(error)}`)
  })
  try {
    await register(connection, namespace, options.retentionDays ?? 30)
    await untilUsable(connection, namespace)
    if (options.searchAttributes) {
      await ensureSearchAttributes(connection, namespace, options.searchAttributes)
    }
  } catch (error) {
    if (error instanceof NotReady) throw error
    throw new NotReady(`namespace ${namespace} at ${address}: ${shortReason(error)}`)
  } finally {
    await connection.close()
  }
}

async function register(connection: Connection, namespace: string, days: number): Promise<void> {
  if (await described(connection, namespace)) return
  try {
    await connection.workflowService.registerNamespace({
      namespace,
      description: 'Tributary',
      workflowExecutionRetentionPeriod: msNumberToTs(days * dayMs),
    })
  } catch (error) {
    if (grpcCode(error) !== grpcAlreadyExists) throw error
  }
}

async function described(connection: Connection, namespace: string): Promise<boolean> {
  try {
    await connection.workflowService.describeNamespace({ namespace })
    return true
  } catch (error) {
    if (grpcCode(error) === grpcNotFound) return false
    throw error
  }
}

async function untilUsable(connection: Connection, namespace: string): Promise<void> {
  const startable = await poll(
    async () => ((await takesStarts(connection, namespace)) ? true : undefined),
    { everyMs: 50, timeoutMs: usableWithinMs },
  )
  if (!startable) throw new NotReady(`namespace ${namespace} is not usable after 15 s`)
  // Without this worker a schedule is accepted and then never fires.
  await poll(async () => ((await servesSchedules(connection, namespace)) ? true : undefined), {
    everyMs: 50,
    timeoutMs: usableWithinMs,
  })
}

/** A workflow that does not exist is asked for: the history service has to know the namespace. */
async function takesStarts(connection: Connection, namespace: string): Promise<boolean> {
  try {
    await connection.workflowService.describeWorkflowExecution({
      namespace,
      execution: { workflowId: 'tributary-probe' },
    })
    return true
  } catch (error) {
    if (grpcCode(error) !== grpcNotFound) throw error
    return !/namespace/i.test(detailsOf(error))
  }
}

async function servesSchedules(connection: Connection, namespace: string): Promise<boolean> {
  try {
    const { pollers } = await connection.workflowService.describeTaskQueue({
      namespace,
      taskQueue: { name: schedulerQueue },
      taskQueueType: 1,
    })
    return (pollers?.length ?? 0) > 0
  } catch (error) {
    // A hosted server does not show its inner queues: there is nothing to wait for then.
    return grpcCode(error) !== grpcNotFound
  }
}

async function ensureSearchAttributes(
  connection: Connection,
  namespace: string,
  wanted: SearchAttributes,
): Promise<void> {
  const known = await connection.operatorService.listSearchAttributes({ namespace })
  const missing = Object.entries(wanted).filter(([name]) => !known.customAttributes?.[name])
  if (missing.length === 0) return
  await connection.operatorService.addSearchAttributes({
    namespace,
    searchAttributes: Object.fromEntries(
      missing.map(([name, type]) => [name, attributeTypes[type]]),
    ),
  })
}

function grpcCode(error: unknown): number | undefined {
  const { code } = error as { code?: unknown }
  return typeof code === 'number' ? code : undefined
}

function detailsOf(error: unknown): string {
  const { details } = error as { details?: unknown }
  return typeof details === 'string' ? details : reasonOf(error)
}

/** gRPC errors are long; the first sentence says what happened. */
function shortReason(error: unknown): string {
  const text = detailsOf(error) || reasonOf(error)
  return (text.split('\n')[0] ?? text).slice(0, 200)
}
