/** The worker's keys: a connection of their own, so that they never wait for work that waits. */
import type { Config } from '../config.ts'
import { dataKeyStore } from '../db/data-keys.ts'
import { processRoles } from '../db/roles.ts'
import { openTenancy, type TenantContext } from '../db/tenancy.ts'
import { createSealing, type Sealing } from '../integrations/sealing.ts'

const context: TenantContext = {
  level: 'worker',
  partnerId: null,
  customerId: null,
  actor: 'system:worker',
  onBehalfOf: null,
  requestId: null,
  action: 'data keys',
}

export function openSealing(
  config: Config,
  onDatabaseError: (error: Error) => void,
): { sealing: Sealing; close: () => Promise<void> } {
  const tenancy = openTenancy({
    ...config.database,
    poolSize: 1,
    applicationName: 'tributary-worker-keys',
    role: processRoles.worker,
    onError: onDatabaseError,
  })
  const sealing = createSealing({
    keyEncryption: config.keyEncryption,
    store: dataKeyStore(tenancy.dbFor(context)),
    temporal: config.temporal,
  })
  return { sealing, close: () => tenancy.close() }
}
