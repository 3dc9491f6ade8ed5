/**
 * The two steps of docker-compose.yml that are no servers: `prepare` before they start, and
 * `partners` after. All parts share one network namespace, so that addresses are those of `dev`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { processLogin, storeContextKey, storeLogin } from '../db/context-keys.ts'
import type { Database } from '../db/database.ts'
import { migrate } from '../db/migrations.ts'
import { CommandError, type CommandInput, runCommand } from './command.ts'
import { preferredPorts as ports } from './launch/ports.ts'
import { banner } from './stack/banner.ts'
import { withDatabase } from './stack/database.ts'
import { readKeys, seedPlatform } from './stack/programme.ts'
import { stackSecrets } from './stack/secrets.ts'
import { seedPartners } from './stack/seed.ts'
import { urlsOf } from './stack/stack.ts'
import { productVariables, sandboxSettings } from './stack/variables.ts'
import { keksIn, vaultsOf } from './stack/vault.ts'

interface Places {
  directory: string
  databaseUrl: string
  temporalAddress: string
}

function placesOf({ env, flags }: CommandInput): Places {
  const { directory } = flags
  const { databaseUrl, temporalAddress } = env
  if (typeof directory !== 'string') throw new CommandError('give --directory DIR', 2)
  if (!databaseUrl || !temporalAddress) {
    throw new CommandError('set DATABASE_URL and TEMPORAL_ADDRESS', 2)
  }
  return { directory, databaseUrl, temporalAddress }
}

/** In a container the published ports lead to its own address, not to 127.0.0.1. */
const listenEverywhere = { API_HOST: '0.0.0.0' }

/** Makes secrets and settings on first use; brings the database to the newest schema. */
async function prepare({ directory, databaseUrl, temporalAddress }: Places): Promise<void> {
  mkdirSync(directory, { recursive: true })
  const secrets = stackSecrets(directory)
  const variables = productVariables(
    {
      databaseUrl,
      temporal: { address: temporalAddress, namespace: 'default' },
      apiPort: ports.api,
      sandboxUrl: `http://127.0.0.1:${ports.sandbox}`,
      sandboxTlsPort: ports.sandboxTls,
      smtpPort: ports.smtp,
      certificate: join(directory, 'tls', 'cert.pem'),
      bundleDir: join(directory, 'bundles'),
    },
    secrets,
  )
  const lines = Object.entries({ ...variables, ...listenEverywhere }).map(
    ([name, value]) => `${name}='${value}'\n`,
  )
  const ownerOnly = { mode: 0o600 }
  writeFileSync(join(directory, 'product.env'), lines.join(''), ownerOnly)
  const settings = JSON.stringify(sandboxSettings(ports.api, secrets))
  writeFileSync(join(directory, 'sandbox.json'), settings, ownerOnly)
  const keks = keksIn(directory)
  const work = async ({ db }: Database) => {
    await migrate(db, vaultsOf(keks))
    await storeContextKey(db, secrets.contextSecret)
    await storeLogin(db, processLogin(secrets.contextSecret))
    await seedPlatform(db, directory)
  }
  await withDatabase(databaseUrl, work, keks)
}

async function run(input: CommandInput): Promise<number> {
  const places = placesOf(input)
  const [step] = input.args
  if (step === 'prepare') {
    await prepare(places)
    input.print({ prepared: places.directory }, () => `prepared ${places.directory}`)
    return 0
  }
  if (step !== 'partners') throw new CommandError('the step is prepare or partners', 2)
  const urls = urlsOf(ports, { uiUrl: `http://127.0.0.1:${ports.temporalUi}` })
  const stack = { urls, keys: readKeys(places.directory) }
  const keys = await seedPartners(stack, places.directory, input.progress)
  const psql = `psql postgres://postgres@127.0.0.1:${ports.postgres}/tributary`
  input.print({ urls, keys, psql }, () => banner({ urls, psql }, keys))
  return 0
}

await runCommand({
  name: 'containers',
  usage: 'node scripts/run.mjs containers prepare|partners: the set-up steps of docker-compose.yml',
  flags: { directory: { type: 'string', describe: 'where secrets, keys and settings are kept' } },
  run,
})
