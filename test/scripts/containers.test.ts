/** What docker-compose.yml runs before and between its servers, and the files it names. */
import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseEnv } from 'node:util'
import { readConfig, readToolEnvironment } from '../../config.ts'
import { readSettings } from '../../sandbox/options.ts'
import { preferredPorts } from '../../scripts/launch/ports.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'

const root = join(import.meta.dirname, '..', '..')
const compose = readFileSync(join(root, 'docker-compose.yml'), 'utf8')

let database: TestDatabase
const directory = mkdtempSync(join(tmpdir(), 'tributary-containers-'))
beforeAll(async () => {
  database = await createTestDatabase(2)
})
afterAll(async () => {
  await database.drop()
  rmSync(directory, { recursive: true, force: true })
})

function prepare(): void {
  const args = ['scripts/run.mjs', 'containers', 'prepare', '--directory', directory]
  const { PATH = '' } = readToolEnvironment().all
  const env = { PATH, DATABASE_URL: database.url, TEMPORAL_ADDRESS: 'temporal:7233' }
  execFileSync(process.execPath, args, { cwd: root, env, stdio: 'pipe' })
}

describe('the container stack', () => {
  it('is prepared with settings that the product and the sandbox accept', () => {
    prepare()
    const file = join(directory, 'product.env')
    const given = parseEnv(readFileSync(file, 'utf8'))
    // The sandbox makes it at its start, before the product starts.
    const authority = given.EDGE_CA_FILE ?? ''
    mkdirSync(dirname(authority), { recursive: true })
    writeFileSync(authority, '')
    const config = readConfig(given)
    expect(config).toMatchObject({
      sandbox: true,
      // The product's own login, on the same database.
      database: {
        url: expect.stringMatching(`tributary_\\w+:\\w+@.*${new URL(database.url).pathname}$`),
      },
      temporal: { address: 'temporal:7233' },
      api: { host: '0.0.0.0', port: preferredPorts.api },
    })
    const settings = readSettings(join(directory, 'sandbox.json'))
    expect(JSON.stringify(settings)).toContain(config.stripe.webhookSecrets[0])
    expect(statSync(file).mode & 0o077).toBe(0)
  })

  it('keeps its secrets and keys when it is prepared again', () => {
    const before = ['product.env', 'sandbox.json', 'keys.json'].map(content)
    prepare()
    expect(['product.env', 'sandbox.json', 'keys.json'].map(content)).toEqual(before)
  })

  it('names only programs that are there, and publishes the ports of development to loopback', () => {
    const programs = [...compose.matchAll(/[\s,](\w+\/[\w.]+\.(?:ts|mjs))\b/g)].map(
      (match) => match[1] ?? '',
    )
    expect(programs).toEqual(
      expect.arrayContaining(['api/server.ts', 'worker/main.ts', 'sandbox/main.ts']),
    )
    expect(programs.filter((program) => !existsSync(join(root, program)))).toEqual([])
    const published = [...compose.matchAll(/"([\d.]+):(\d+):\d+"/g)]
    expect(published.map(([, host]) => host)).toEqual(published.map(() => '127.0.0.1'))
    const { api, sandbox, postgres, temporal, temporalUi } = preferredPorts
    expect(published.map(([, , port]) => Number(port)).sort()).toEqual(
      [api, sandbox, postgres, temporal, temporalUi].sort(),
    )
  })
})

const content = (file: string) => readFileSync(join(directory, file), 'utf8')
