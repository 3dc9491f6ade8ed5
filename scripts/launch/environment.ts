/**
 * What the launcher needs to know of the machine. It comes in as a value, so that tests can
 * describe a machine of their own and nothing here reads the process environment.
 */
export interface LauncherEnvironment {
  home?: string | undefined
  xdgCacheHome?: string | undefined
  /** TRIBUTARY_CACHE_DIR */
  cacheDir?: string | undefined
  databaseUrl?: string | undefined
  /** CONTEXT_SECRET: what processes of the product sign with. */
  contextSecret?: string | undefined
  temporalAddress?: string | undefined
  /** TEMPORAL_CLI: an executable to prefer over the one on the PATH. */
  temporalCli?: string | undefined
  temporalNamespace?: string | undefined
  temporalApiKey?: string | undefined
  temporalTls?: boolean | undefined
  /** PATH */
  path: string
  /** The whole environment, for child processes. */
  all: Record<string, string>
  /** Another checkout than the one this file lies in: for tests. */
  root?: string | undefined
}
