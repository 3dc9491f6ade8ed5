import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startSandbox } from '../../sandbox/sandbox.ts'
import {
  type Endpoint,
  endpointsAt,
  type Kit,
  problemOf,
  recipient,
  settingsOf,
  startKit,
  startReceiver,
  stripeAt,
  subscribe,
  until,
} from './kit.ts'

const root = join(import.meta.dirname, '../..')
const node = join(root, 'node_modules/.bin/node')
const main = join(root, 'sandbox/main.ts')

let folder: string
const children: ChildProcess[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sandbox-journal-'))
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

function lines(): string[] {
  return readFileSync(join(folder, 'state.jsonl'), 'utf8').trimEnd().split('\n')
}

async function restart(kit: Kit, endpoints: Endpoint[] = []): Promise<Kit> {
  await kit.stop()
  return startKit({ folder, endpoints })
}

describe('a restart', () => {
  test('keeps objects, idempotency keys, the clock and armed faults', async () => {
    let kit = await startKit({ folder })
    const { subscription, invoice } = await subscribe(kit.stripe, { subscription: 'sub_ours' })
    const account = await recipient(kit)
    const options = { idempotencyKey: 'kept' }
    const made = await kit.stripe.customers.create({ name: 'Kept' }, options)
    await kit.post('/balance', { currency: 'usd', amount: 5 })
    await kit.post('/clock', { now: '2030-01-01T00:00:00Z' })
    await kit.post('/faults', { vendor: 'stripe', kind: 'error_500', path: '/v1/disputes' })
    kit = await restart(kit)
    expect(await kit.stripe.subscriptions.retrieve(subscription.id)).toEqual(
      expect.objectContaining({ latest_invoice: invoice.id, status: 'incomplete' }),
    )
    const again = await kit.stripe.customers.create({ name: 'Kept' }, options)
    expect(again.id).toBe(made.id)
    expect(again.lastResponse.headers['idempotent-replayed']).toBe('true')
    expect((await kit.stripe.accounts.retrieve(account)).payouts_enabled).toBe(true)
    expect((await kit.get('/clock')).body.now).toMatch(/^2030-01-01/)
    expect((await problemOf(kit.stripe.disputes.list())).statusCode).toBe(500)
    const { available } = await kit.stripe.balance.retrieve()
    expect(available.find(({ currency }) => currency === 'usd')?.amount).toBe(5)
    await kit.stop()
  })

  test('sends the webhooks that nobody had taken, to where the endpoint is now', async () => {
    const receiver = await startReceiver()
    let kit = await startKit({ folder, endpoints: endpointsAt('http://127.0.0.1:1') })
    await kit.stripe.customers.create({ name: 'Waiting' })
    kit = await restart(kit, endpointsAt(receiver.url))
    const [one] = await receiver.wait(({ path }) => path === '/snapshot')
    expect(JSON.parse(String(one?.body)).data.object.name).toBe('Waiting')
    await until(async () => (await kit.list('deliveries'))[0]?.state === 'delivered')
    kit = await restart(kit, endpointsAt(receiver.url))
    expect(receiver.received).toHaveLength(1)
    await kit.stop()
    await receiver.close()
  })

  test('lets a refund fail that was to fail in the meantime', async () => {
    let kit = await startKit({ folder })
    const { invoice } = await subscribe(kit.stripe)
    await kit.post(`/invoices/${invoice.id}/pay`)
    const [charge] = (await kit.stripe.charges.list()).data
    await kit.post(`/charges/${charge?.id}/refund`, { fail: true, fail_after_ms: 100 })
    kit = await restart(kit)
    await until(async () => (await kit.stripe.refunds.list()).data[0]?.status === 'failed')
    await kit.stop()
  })

  test('forgets a last line that was torn, and goes on after the one before', async () => {
    let kit = await startKit({ folder })
    await kit.stripe.customers.create({ name: 'Whole' })
    await kit.stop()
    appendFileSync(join(folder, 'state.jsonl'), '{"at":"2026-11-21T00:00:00.000Z","what":"POST')
    kit = await startKit({ folder })
    await kit.stripe.customers.create({ name: 'Next' })
    await kit.stop()
    kit = await startKit({ folder })
    const { data } = await kit.stripe.customers.list()
    expect(data.map(({ name }) => name)).toEqual(['Next', 'Whole'])
    await kit.stop()
  })
})

describe('the journal', () => {
  test('has one line for each request that changed something, and none for the others', async () => {
    const kit = await startKit({ folder })
    await kit.stripe.customers.create({ name: 'One line' })
    const before = lines().length
    await kit.stripe.customers.list()
    await problemOf(kit.stripe.products.create({ name: '' }))
    expect(lines()).toHaveLength(before)
    const { invoice } = await subscribe(kit.stripe)
    await kit.post(`/invoices/${invoice.id}/pay`)
    expect(lines()).toHaveLength(before + 4)
    await kit.stop()
  })
})

interface Started {
  child: ChildProcess
  ready: { ready: boolean; http: number; tls: number; smtp: number; certificate: string }
  exit: Promise<number | null>
}

async function start(): Promise<Started> {
  const settings = join(folder, 'settings.json')
  writeFileSync(settings, JSON.stringify(settingsOf()))
  const args = ['--tls-dir', folder, '--settings', settings, '--state', join(folder, 'state.jsonl')]
  const child = spawn(node, [main, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve))
  const line = await new Promise<string>((resolve) =>
    child.stdout?.once('data', (chunk: Buffer) => resolve(String(chunk))),
  )
  return { child, ready: JSON.parse(line), exit }
}

describe('the process', () => {
  test('loses nothing that it has answered when it is killed', async () => {
    const first = await start()
    const made = await stripeAt({ httpPort: first.ready.http }).customers.create({ name: 'Safe' })
    first.child.kill('SIGKILL')
    await first.exit
    const second = await start()
    expect(second.ready).toMatchObject({ ready: true, certificate: join(folder, 'cert.pem') })
    const stripe = stripeAt({ httpPort: second.ready.http })
    expect(await stripe.customers.retrieve(made.id)).toMatchObject({ name: 'Safe' })
    second.child.kill('SIGINT')
    expect(await second.exit).toBe(0)
  })

  test('ends with 0 when it is asked to', async () => {
    const { child, exit } = await start()
    child.kill('SIGTERM')
    expect(await exit).toBe(0)
  })

  const run = (...args: string[]) => {
    const { status, stderr, stdout } = spawnSync(node, [main, ...args], { encoding: 'utf8' })
    return { status, stderr, stdout }
  }

  test.each(['sk_live_abc', 'rk_live_abc', 'pk_live_abc'])('refuses to start with %s', (key) => {
    const settings = join(folder, 'live.json')
    writeFileSync(settings, JSON.stringify({ stripe: { secret_key: key, endpoints: [] } }))
    const { status, stderr } = run('--tls-dir', folder, '--settings', settings)
    expect(status).toBe(2)
    expect(stderr).toMatch(/live key/)
    expect(stderr).not.toContain(key)
  })

  test('refuses a live key also where it runs inside a test', async () => {
    const { stripe, docusign } = settingsOf()
    const started = startSandbox({
      httpPort: 0,
      tlsPort: 0,
      smtpPort: 0,
      tlsDir: folder,
      state: null,
      host: '127.0.0.1',
      seed: 1,
      settings: { stripe: { ...stripe, secret_key: 'sk_live_abc' }, docusign },
    })
    await expect(started).rejects.toThrow(/live key/)
  })

  test('tells its usage, and what is wrong with a flag', () => {
    const { status, stdout } = run('--help')
    expect({ status, usage: stdout }).toEqual({
      status: 0,
      usage: expect.stringContaining('--http-port'),
    })
    expect(run('--http-port', 'many').stderr).toContain('--http-port is "many"')
    expect(run('--colour').status).toBe(2)
  })
})
