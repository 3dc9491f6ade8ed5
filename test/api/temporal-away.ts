/** Process engines that are not there: nothing listens on their port. */
import { Client, Connection, makeGrpcRetryInterceptor } from '@temporalio/client'
import { temporalClient } from '../../integrations/temporal.ts'

const address = '127.0.0.1:9'

/** As the product reaches it, with all its patience. */
export function awayTemporal(): Client {
  return temporalClient({ address, namespace: 'nowhere', apiKey: undefined, tls: false })
}

/** Gives up at the first refusal, where a test is not about patience. */
export function goneTemporal(): Client {
  const once = makeGrpcRetryInterceptor({
    retryableDecider: () => false,
    delayFunction: () => 0,
  })
  const connection = Connection.lazy({ address, connectTimeout: 500, interceptors: [once] })
  return new Client({ connection, namespace: 'nowhere' })
}
