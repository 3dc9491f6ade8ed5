import { spawn } from 'node:child_process'
import { generateKeyPairSync, KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigError, readConfig, readToolEnvironment } from '../config.ts'

const folder = mkdtempSync(join(tmpdir(), 'tributary-config-'))
const keyFile = join(folder, 'docusign-key.pem')
writeFileSync(keyFile, '-----BEGIN RSA PRIVATE KEY-----\nnothing\n')
const auditKey = generateKeyPairSync('ed25519')
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()
const auditKeyFile = join(folder, 'audit-key.pem')
writeFileSync(auditKeyFile, auditKey)
afterAll(() => rmSync(folder, { recursive: true }))

type Environment = Record<string, string | undefined>

/** A sandboxed environment that is complete, and what a case changes about it. */
function sandboxed(changes: Environment = {}): Environment {
  return {
    SANDBOX: '1',
    DATABASE_URL: 'postgres://user:database-password@127.0.0.1:5432/tributary',
    CONTEXT_SECRET: 'context-secret-of-thirty-two-characters-or-more',
    TEMPORAL_ADDRESS: '127.0.0.1:7233',
    API_PUBLIC_URL: 'http://127.0.0.1:4400/',
    TENANT_DOMAIN: 'tributary.localhost',
    KEKS: 'first:K3jQx0mZb1Vd9uYt5rWc7eNf2hLgApSo4iUkXyMzTvE=',
    AUDIT_SIGNING_KEY_FILE: auditKeyFile,
    LINK_SECRET: 'link-secret-of-thirty-two-characters-or-more',
    STRIPE_SECRET_KEY: 'sk_test_51Secret',
    STRIPE_API_BASE: 'http://127.0.0.1:4410',
    STRIPE_WEBHOOK_SECRETS: 'whsec_snapshot',
    STRIPE_THIN_WEBHOOK_SECRETS: 'whsec_thin',
    DOCUSIGN_BASE_PATH: 'http://127.0.0.1:4410/restapi',
    DOCUSIGN_OAUTH_HOST: 'localhost:4411',
    DOCUSIGN_INTEGRATION_KEY: '11111111-1111-4111-8111-111111111111',
    DOCUSIGN_USER_ID: '22222222-2222-4222-8222-222222222222',
    DOCUSIGN_ACCOUNT_ID: '33333333-3333-4333-8333-333333333333',
    DOCUSIGN_PRIVATE_KEY_FILE: keyFile,
    DOCUSIGN_WEBHOOK_SECRETS: 'connect-key-1,connect-key-2',
    SMTP_URL: 'smtp://127.0.0.1:2525',
    MAIL_FROM: 'Tributary <billing@tributary.localhost>',
    ...changes,
  }
}

/** The same for production, against the real vendors. */
function production(changes: Environment = {}): Environment {
  return sandboxed({
    SANDBOX: undefined,
    API_PUBLIC_URL: 'https://api.tributary.example',
    STRIPE_SECRET_KEY: 'sk_live_51Secret',
    STRIPE_API_BASE: undefined,
    ...changes,
  })
}

/** Everything that has no default. */
const needed = Object.keys(sandboxed({ SANDBOX: undefined })).filter(
  (name) => name !== 'SANDBOX' && name !== 'STRIPE_API_BASE',
)

function problemsOf(env: Environment): string[] {
  try {
    readConfig(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.problems
    throw error
  }
  return []
}

describe('a complete environment', () => {
  test('is read into the settings of every part', () => {
    expect(readConfig(sandboxed())).toEqual({
      sandbox: true,
      logLevel: 'info',
      bundleDir: '.data/bundles',
      database: {
        url: 'postgres://user:database-password@127.0.0.1:5432/tributary',
        poolSize: 10,
        contextSecret: 'context-secret-of-thirty-two-characters-or-more',
      },
      temporal: {
        address: '127.0.0.1:7233',
        namespace: 'default',
        apiKey: undefined,
        tls: false,
        acceptPlaintext: false,
      },
      keyEncryption: { keks: [{ id: 'first', key: expect.any(KeyObject) }], reread: null },
      audit: { signingKey: auditKey, headsFile: '.data/audit-heads.jsonl' },
      api: {
        host: '127.0.0.1',
        port: 4400,
        publicUrl: 'http://127.0.0.1:4400',
        tenantDomain: 'tributary.localhost',
        linkSecret: 'link-secret-of-thirty-two-characters-or-more',
        applicationsPerMinute: 3,
        applicationsPerMailbox: { open: 3, daily: 5 },
        quotas: {
          key: { quota: 600, windowSeconds: 60 },
          tenant: { quota: 6_000, windowSeconds: 60 },
        },
      },
      stripe: {
        secretKey: 'sk_test_51Secret',
        apiBase: 'http://127.0.0.1:4410',
        perSecond: 20,
        webhookSecrets: ['whsec_snapshot'],
        thinWebhookSecrets: ['whsec_thin'],
      },
      domains: expect.objectContaining({ edgeAddress: 'custom.tributary.localhost:443' }),
      docusign: {
        basePath: 'http://127.0.0.1:4410/restapi',
        oauthHost: 'localhost:4411',
        integrationKey: '11111111-1111-4111-8111-111111111111',
        userId: '22222222-2222-4222-8222-222222222222',
        accountId: '33333333-3333-4333-8333-333333333333',
        privateKey: '-----BEGIN RSA PRIVATE KEY-----\nnothing\n',
        webhookSecrets: ['connect-key-1', 'connect-key-2'],
      },
      screening: { listFile: undefined, url: undefined },
      mail: { smtpUrl: 'smtp://127.0.0.1:2525', from: 'Tributary <billing@tributary.localhost>' },
    })
  })

  test('of production speaks to the real Stripe without saying so', () => {
    const config = readConfig(production())
    expect(config.sandbox).toBe(false)
    expect(config.stripe.apiBase).toBe('https://api.stripe.com')
    const named = production({ STRIPE_API_BASE: 'https://api.stripe.com/' })
    expect(problemsOf(named)).toEqual([])
  })

  test('may set every choice that has a default', () => {
    const chosen = {
      LOG_LEVEL: 'debug',
      WORKFLOW_BUNDLE_DIR: '/tmp/bundles',
      DATABASE_POOL_SIZE: '40',
      TEMPORAL_NAMESPACE: 'tributary',
      TEMPORAL_API_KEY: 'temporal-key',
      TEMPORAL_TLS: 'true',
      API_HOST: '0.0.0.0',
      API_PORT: '0',
      APPLICATIONS_PER_MINUTE: '600',
    }
    expect(readConfig(sandboxed(chosen))).toMatchObject({
      logLevel: 'debug',
      bundleDir: '/tmp/bundles',
      database: { poolSize: 40 },
      temporal: { namespace: 'tributary', apiKey: 'temporal-key', tls: true },
      api: { host: '0.0.0.0', port: 0, applicationsPerMinute: 600 },
    })
  })

  test('counts an empty setting as one that is not set', () => {
    const blank = sandboxed({ API_PORT: '', TEMPORAL_API_KEY: '', MAIL_FROM: '' })
    expect(problemsOf(blank)).toEqual(['MAIL_FROM: is not set'])
  })

  test('cannot be changed afterwards', () => {
    const config = readConfig(sandboxed())
    expect(Object.isFrozen(config)).toBe(true)
  })
})

describe('secrets for webhooks', () => {
  test('can be several, separated by commas, so that one can be rotated', () => {
    const config = readConfig(sandboxed({ STRIPE_WEBHOOK_SECRETS: 'whsec_new , whsec_old1' }))
    expect(config.stripe.webhookSecrets).toEqual(['whsec_new', 'whsec_old1'])
  })

  test('are each long enough, and the setting that holds a short one is named', () => {
    const short = sandboxed({ DOCUSIGN_WEBHOOK_SECRETS: 'long-enough,short' })
    expect(problemsOf(short)).toEqual([
      'DOCUSIGN_WEBHOOK_SECRETS: each secret needs at least 8 characters',
    ])
    expect(problemsOf(sandboxed({ STRIPE_WEBHOOK_SECRETS: 'whsec_new,' }))).toEqual([
      'STRIPE_WEBHOOK_SECRETS: each secret needs at least 8 characters',
    ])
  })

  test.each([
    ['alone', 'whsec_thin', 'whsec_thin'],
    ['among others', 'whsec_snapshot,whsec_thin', 'whsec_other,whsec_thin'],
    ['with a space before it', 'whsec_snapshot, whsec_thin', 'whsec_thin'],
  ])('must not be shared by the two endpoints of Stripe: %s', (_, snapshot, thin) => {
    const shared = { STRIPE_WEBHOOK_SECRETS: snapshot, STRIPE_THIN_WEBHOOK_SECRETS: thin }
    expect(problemsOf(sandboxed(shared))).toEqual([
      'STRIPE_THIN_WEBHOOK_SECRETS: repeats a secret of STRIPE_WEBHOOK_SECRETS',
    ])
  })
})

describe('what is missing', () => {
  test('is named all at once, with everything else that is wrong', () => {
    const missing = needed.map((name) => `${name}: is not set`)
    expect(problemsOf({}).toSorted()).toEqual(missing.toSorted())
    const withMistakes = problemsOf({ API_PORT: 'http', SANDBOX: 'yes' })
    expect(withMistakes).toEqual(expect.arrayContaining(missing))
    expect(withMistakes.filter((problem) => /^(API_PORT|SANDBOX):/.test(problem))).toHaveLength(2)
  })

  test.each(needed)('is named when it is %s alone', (name) => {
    expect(problemsOf(sandboxed({ [name]: undefined }))).toEqual([`${name}: is not set`])
  })
})

describe('what is malformed', () => {
  test.each([
    ['DATABASE_URL', 'mysql://localhost/db'],
    ['DATABASE_POOL_SIZE', '1'],
    ['DATABASE_POOL_SIZE', 'many'],
    ['TEMPORAL_ADDRESS', 'localhost'],
    ['TEMPORAL_ADDRESS', 'http://localhost:7233'],
    ['TEMPORAL_TLS', 'maybe'],
    ['LOG_LEVEL', 'loud'],
    ['API_PORT', '-1'],
    ['API_PORT', '65536'],
    ['API_PORT', '44.5'],
    ['API_PORT', 'http'],
    ['API_PUBLIC_URL', 'localhost:4400'],
    ['API_PUBLIC_URL', 'not a URL'],
    ['STRIPE_API_BASE', 'localhost:4410'],
    ['DOCUSIGN_BASE_PATH', 'demo.docusign.net/restapi'],
    ['DOCUSIGN_BASE_PATH', 'localhost:4410'],
    ['DOCUSIGN_USER_ID', 'somebody'],
    ['LINK_SECRET', 'too short'],
    ['STRIPE_SECRET_KEY', 'pk_test_1'],
    ['DOCUSIGN_PRIVATE_KEY_FILE', '/nowhere/key.pem'],
    ['DOCUSIGN_PRIVATE_KEY_FILE', tmpdir()],
    ['SMTP_URL', 'http://127.0.0.1:25'],
  ])('is named: %s=%s', (name, value) => {
    const problems = problemsOf(sandboxed({ [name]: value }))
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([name])
  })

  test.each(['0', '1', '4400', '65535'])('is not the port %s', (port) => {
    expect(readConfig(sandboxed({ API_PORT: port })).api.port).toBe(Number(port))
  })

  test('says of a key file that it cannot be read', () => {
    expect(problemsOf(sandboxed({ DOCUSIGN_PRIVATE_KEY_FILE: '/nowhere/key.pem' }))).toEqual([
      'DOCUSIGN_PRIVATE_KEY_FILE: is not the path of a file that can be read',
    ])
  })
})

const SCREENING_URL = 'http://127.0.0.1:8084'

describe('settings that contradict each other', () => {
  test.each([
    [
      'a live key in the sandbox',
      sandboxed({ STRIPE_SECRET_KEY: 'sk_live_1' }),
      'STRIPE_SECRET_KEY',
    ],
    [
      'a restricted live key in it',
      sandboxed({ STRIPE_SECRET_KEY: 'rk_live_1' }),
      'STRIPE_SECRET_KEY',
    ],
    [
      'the real Stripe in it',
      sandboxed({ STRIPE_API_BASE: 'https://api.stripe.com' }),
      'STRIPE_API_BASE',
    ],
    [
      'the real Stripe in it, by default',
      sandboxed({ STRIPE_API_BASE: undefined }),
      'STRIPE_API_BASE',
    ],
    [
      'a foreign Stripe in production',
      production({ STRIPE_API_BASE: 'https://evil.example' }),
      'STRIPE_API_BASE',
    ],
    [
      'one that only looks like Stripe',
      production({ STRIPE_API_BASE: 'https://api.stripe.com.evil.example' }),
      'STRIPE_API_BASE',
    ],
    [
      'Stripe without TLS',
      production({ STRIPE_API_BASE: 'http://api.stripe.com' }),
      'STRIPE_API_BASE',
    ],
    ['an open address', production({ API_PUBLIC_URL: 'http://api.example' }), 'API_PUBLIC_URL'],
    ['two lists', sandboxed({ SCREENING_LIST_FILE: 'a', SCREENING_URL }), 'SCREENING_URL'],
  ])('are refused: %s', (_, env, name) => {
    const problems = problemsOf(env)
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([name])
  })

  test('are told together with each other and with what is malformed or missing', () => {
    const env = production({
      STRIPE_API_BASE: 'http://127.0.0.1:4410',
      API_PUBLIC_URL: 'http://api.example',
      STRIPE_THIN_WEBHOOK_SECRETS: 'whsec_snapshot',
      API_PORT: '70000',
      MAIL_FROM: undefined,
    })
    const names = problemsOf(env).map((problem) => problem.split(':')[0])
    expect(names.toSorted()).toEqual([
      'API_PORT',
      'API_PUBLIC_URL',
      'MAIL_FROM',
      'STRIPE_API_BASE',
      'STRIPE_THIN_WEBHOOK_SECRETS',
    ])
  })
})

describe('the message about a wrong environment', () => {
  test('counts and lists the problems, one a line', () => {
    const wrong = sandboxed({ API_PORT: '70000', MAIL_FROM: undefined })
    expect(() => readConfig(wrong)).toThrow(
      /^2 problem\(s\) in the environment:\n {2}- API_PORT: .+\n {2}- MAIL_FROM: is not set$/,
    )
  })

  test('never shows a secret, not even one that stands in the wrong place', () => {
    const secret = 'do-not-show-this'
    const pem = `-----BEGIN RSA PRIVATE KEY-----\n${secret}\n-----END RSA PRIVATE KEY-----`
    const wrong = Object.fromEntries(Object.keys(sandboxed()).map((name) => [name, secret]))
    for (const privateKey of [secret, pem, pem.replaceAll('\n', '\\n')]) {
      const env = { ...wrong, SANDBOX: '1', DOCUSIGN_PRIVATE_KEY_FILE: privateKey }
      const problems = problemsOf({ ...env, STRIPE_SECRET_KEY: `live_${secret}` })
      expect(problems.length).toBeGreaterThan(8)
      expect(problems.join('\n')).not.toContain(secret)
    }
  })
})

describe('the processes', () => {
  const root = join(import.meta.dirname, '..')

  /** Starts a process with nothing in its environment. */
  function startBare(file: string): Promise<{ code: number | null; output: string; said: string }> {
    return new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [file], { cwd: root, env: {}, stdio: 'pipe' })
      let output = ''
      let said = ''
      child.stderr.on('data', (chunk: Buffer) => {
        output += chunk.toString('utf8')
      })
      child.stdout.on('data', (chunk: Buffer) => {
        said += chunk.toString('utf8')
      })
      child.on('error', reject)
      child.on('close', (code) => resolve({ code, output, said }))
    })
  }

  test.each(['api/server.ts', 'worker/main.ts'])(
    '%s ends with code 2 and names everything that is not set',
    async (file) => {
      const { code, output, said } = await startBare(file)
      expect(code).toBe(2)
      expect(said).toBe('')
      expect(output).toContain(`${needed.length} problem(s) in the environment:`)
      for (const name of needed) expect(output).toContain(`  - ${name}: is not set\n`)
    },
  )
})

describe('what the tools take from the environment', () => {
  test('is all optional', () => {
    expect(readToolEnvironment({})).toMatchObject({
      home: undefined,
      databaseUrl: undefined,
      temporalAddress: undefined,
      temporalTls: false,
      path: '/usr/local/bin:/usr/bin:/bin:/usr/local/go/bin:/opt/homebrew/bin',
      all: {},
    })
  })

  test('counts empty settings as not set, and hands the whole environment on', () => {
    const env = {
      DATABASE_URL: '',
      TEMPORAL_ADDRESS: '127.0.0.1:7233',
      TEMPORAL_TLS: 'true',
      X: 'y',
    }
    const found = readToolEnvironment(env)
    expect(found).toMatchObject({
      databaseUrl: undefined,
      temporalAddress: '127.0.0.1:7233',
      temporalTls: true,
    })
    expect(found.all).toEqual(env)
  })
})
