/** A client of a stack's engine that reads what is sealed there, with the stack's own keys. */
import type { Client } from '@temporalio/client'
import type { PayloadCodec } from '@temporalio/common'
import { readKeyEncryption } from '../../config.ts'
import { dataKeyStore } from '../../db/data-keys.ts'
import { openDatabase } from '../../db/database.ts'
import { createSealing } from '../../integrations/sealing.ts'
import { temporalClient } from '../../integrations/temporal.ts'
import { keksFileOf } from './secrets.ts'
import type { ThrowawayStack } from './throwaway.ts'

export interface StackClient {
  temporal: Client
  codec: PayloadCodec
  close(): Promise<void>
}

export function openStackClient(stack: ThrowawayStack): StackClient {
  const { address, namespace } = stack.temporal
  const database = openDatabase({
    url: stack.database.url,
    poolSize: 1,
    applicationName: 'tributary-script',
    onError: () => {},
  })
  const { payloadCodec: codec } = createSealing({
    keyEncryption: readKeyEncryption({ KEKS_FILE: keksFileOf(stack.directory) }),
    store: dataKeyStore(database.db),
    temporal: { namespace, acceptPlaintext: false },
  })
  const temporal = temporalClient({ address, namespace, apiKey: undefined, tls: false }, codec)
  const close = async () => {
    await temporal.connection.close()
    await database.close()
  }
  return { temporal, codec, close }
}
