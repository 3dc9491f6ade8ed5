/** What belongs to a tenant: its look, its quotas, its packages. */
import type { ApiDeps } from '../deps.ts'
import type { Route } from '../route.ts'
import { brandingRoutes } from './branding.ts'
import { domainRoutes } from './domains.ts'
import { loginPageRoutes } from './login-page.ts'
import { tenantPackageRoutes } from './packages.ts'
import { quotaRoutes } from './quotas.ts'

/** The public ones first: their fixed paths lie where others have an id. */
export function tenantRoutes(deps: ApiDeps): Route[] {
  return [
    ...loginPageRoutes(deps),
    ...brandingRoutes(),
    ...domainRoutes(deps),
    ...quotaRoutes(),
    ...tenantPackageRoutes(),
  ]
}
