/** The database as a process of the product has it: through contexts, with a login of its own. */
import { randomBytes } from 'node:crypto'
import { processLogin, storeContextKey, storeLogin, urlFor } from '../../db/context-keys.ts'
import { guardTables } from '../../db/grants.ts'
import { processRoles } from '../../db/roles.ts'
import { openTenancy, type Tenancy, type TenantContext } from '../../db/tenancy.ts'
import type { TestDatabase } from './database.ts'

export interface TestTenancy extends Tenancy {
  url: string
  secret: string
}

export async function openTestTenancy(
  database: Pick<TestDatabase, 'db' | 'url'> & Partial<Pick<TestDatabase, 'vault'>>,
  options: { role?: keyof typeof processRoles; poolSize?: number; secret?: string } = {},
): Promise<TestTenancy> {
  const secret = options.secret ?? randomBytes(32).toString('hex')
  // What is granted on a database does not come with its template.
  await guardTables(database.db)
  await storeContextKey(database.db, secret)
  await storeLogin(database.db, processLogin(secret))
  const url = urlFor(database.url, processLogin(secret))
  const tenancy = openTenancy({
    url,
    poolSize: options.poolSize ?? 4,
    applicationName: 'tributary-test',
    role: processRoles[options.role ?? 'api'],
    contextSecret: secret,
    vault: database.vault,
    onError: () => {},
  })
  return { ...tenancy, url, secret }
}

/** A context like those that the API and the worker make. */
export function contextAt(
  level: TenantContext['level'],
  partnerId: string | null = null,
  more: Partial<TenantContext> = {},
): TenantContext {
  return {
    level,
    partnerId,
    customerId: null,
    actor: 'key:test',
    onBehalfOf: null,
    requestId: null,
    action: 'test',
    ...more,
  }
}
