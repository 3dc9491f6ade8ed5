/**
 * Starts what the suite needs once: a PostgreSQL with a migrated template database, a Temporal
 * server with namespaces in stock, and the workflow bundle. Nothing is skipped where a part is
 * missing: the launcher says what it tried, and the run fails.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readToolEnvironment } from '../../config.ts'
import { migrate } from '../../db/migrations.ts'
import { createDatabase, databaseUrl } from '../../scripts/launch/databases.ts'
import type { LauncherEnvironment } from '../../scripts/launch/environment.ts'
import { freePort } from '../../scripts/launch/ports.ts'
import { startPostgres } from '../../scripts/launch/postgres.ts'
import { createProgress, type Progress } from '../../scripts/launch/progress.ts'
import { provideTemporal } from '../../scripts/launch/temporal.ts'
import { provideTestServer } from '../../scripts/launch/test-server.ts'
import { withDatabase } from '../../scripts/stack/database.ts'
import { workflowBundle } from '../../worker/bundle.ts'
import { makeArchive } from './skipping-server.ts'
import { type SuiteFacts, suiteFactsFile, templateDatabase } from './suite.ts'

declare global {
  var stopSuite: (() => Promise<void>) | undefined
}

const bundles = join(import.meta.dirname, '..', '..', '.data', 'bundles')
const namespaces = Array.from({ length: 200 }, (_, n) => `suite-${n + 1}`)

async function startDatabase() {
  const env = readToolEnvironment()
  const server = await startPostgres({
    env,
    progress: createProgress(),
    port: await freePort(),
    purpose: 'throwaway',
    inMemory: true,
    settings: {
      ...{ max_connections: '300', max_wal_size: '256MB', min_wal_size: '64MB' },
      ...{ wal_level: 'minimal', max_wal_senders: '0', autovacuum_naptime: '5min' },
    },
  })
  await createDatabase(server.url, templateDatabase)
  await withDatabase(databaseUrl(server.url, templateDatabase), ({ db }) => migrate(db))
  return server
}

/** The time-skipping server, which starts faster with an archive of its classes. */
async function prepareTestServer(env: LauncherEnvironment, progress: Progress) {
  const testServer = await provideTestServer({ env, progress })
  const name = createHash('sha256').update(testServer).digest('hex').slice(0, 16)
  const testServerArchive = join(bundles, `test-server-${name}.jsa`)
  mkdirSync(bundles, { recursive: true })
  await makeArchive(testServer, testServerArchive)
  return { testServer, testServerArchive }
}

export default async function globalSetup(): Promise<void> {
  const env = readToolEnvironment()
  const progress = createProgress()
  const temporalPorts = { temporal: await freePort(), temporalUi: null }
  const [postgres, temporal, testServer, bundle] = await Promise.all([
    startDatabase(),
    provideTemporal({ purpose: 'throwaway', env, progress, ports: temporalPorts, namespaces }),
    prepareTestServer(env, progress),
    workflowBundle(bundles),
  ])
  const facts: SuiteFacts = {
    postgresUrl: postgres.url,
    temporalAddress: temporal.address,
    namespaces,
    claims: mkdtempSync(join(tmpdir(), 'tributary-namespaces-')),
    ...testServer,
    bundle,
  }
  writeFileSync(suiteFactsFile(process.pid), JSON.stringify(facts))
  globalThis.stopSuite = async () => {
    await Promise.allSettled([temporal.stop(), postgres.remove()])
  }
}
